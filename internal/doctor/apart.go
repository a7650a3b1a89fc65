package doctor

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// stray is a machine that sends from an address which nothing gives it, under a strict guard.
type stray struct {
	port string
	mac  net.HardwareAddr
	addr netip.Addr
}

// mostPorts are listened to at once.
const mostPorts = 128

// listen begins to listen to the ports of networks under a strict guard. The function that it returns waits for the end of that.
func (f *facts) listen() func() map[string][]stray {
	heard := map[string][]stray{}
	f.unheard = map[string]int{}
	var mu sync.Mutex // guards heard
	var all sync.WaitGroup
	for _, n := range f.networks {
		bridge, ok := f.kernel.link(n.Bridge)
		if !n.Strict || !ok {
			continue
		}
		ports := slices.DeleteFunc(f.kernel.ports(bridge), func(l link) bool { return !l.up || !l.carrier })
		f.unheard[n.Name] = max(len(ports)-mostPorts, 0)
		for _, port := range ports[:min(len(ports), mostPorts)] {
			all.Go(func() {
				found, err := senders(port, nil)
				if err != nil {
					return // without the privilege, the counters alone tell
				}
				mu.Lock()
				defer mu.Unlock()
				for _, s := range found {
					heard[n.Name] = append(heard[n.Name], stray{port.name, s.mac[:], s.addr})
				}
			})
		}
	}
	return func() map[string][]stray {
		all.Wait()
		return heard
	}
}

// judgeSenders keeps those who send from what nothing gives them.
func (f *facts) judgeSenders(heard map[string][]stray) {
	f.strays = map[string][]stray{}
	if f.leasesErr != nil {
		return
	}
	for _, n := range f.networks {
		for _, s := range heard[n.Name] {
			if !f.given(n, s.mac, s.addr) {
				f.strays[n.Name] = append(f.strays[n.Name], s)
			}
		}
	}
}

// given reports whether a strict guard lets a machine send from an address: by its lease, or by its `host` block.
func (f *facts) given(n Network, mac net.HardwareAddr, addr netip.Addr) bool {
	for _, h := range n.Hosts {
		if h.MAC.String() == mac.String() && h.Address == addr {
			return true
		}
	}
	for _, l := range f.leases {
		if l.Network == n.Name && l.State == "bound" && l.Address == addr && l.MAC == mac.String() {
			return true
		}
	}
	return false
}

// apart says what a network keeps from whom, as its configuration has it: what looks like a fault and isn't one.
func (f *facts) apart(n Network) []Finding {
	out := about("apart", n.Name)
	bridge, ok := f.kernel.link(n.Bridge)
	if !ok {
		return nil
	}
	if n.Mode == isolated {
		out.ok("the network is isolated: nothing leaves it, and nothing comes in")
	}
	if n.Isolate {
		var open []string
		for _, p := range f.kernel.ports(bridge) {
			if !p.apart && !n.Adopt {
				open = append(open, p.name)
			}
		}
		if len(open) > 0 {
			out.fail("bridge link set dev "+open[0]+" isolated on", "guests are to be kept from one another (isolate_guests), but these ports aren't isolated: %s", few(open))
		} else {
			out.ok("guests don't reach one another, as meant: isolate_guests")
		}
	}
	if n.Services {
		out.ok("of the host, guests reach DHCP, DNS and ping alone, as meant: host_access = \"services\"")
	}
	if len(n.AllowFrom) > 0 {
		out.ok("guests of %s may come in: allow_from", strings.Join(n.AllowFrom, ", "))
	}
	if !n.Strict {
		return out.list
	}
	for i, s := range f.strays[n.Name] {
		const most = 10
		if i == most {
			out.warn("the first of them tell what is wrong", "and %d more send from what isn't theirs", len(f.strays[n.Name])-most)
			break
		}
		out.warn(hostFor(s.mac, s.addr), "%s on %s sends from %s, which nothing gives it: the strict guard drops that", s.mac, s.port, s.addr)
	}
	if unheard := f.unheard[n.Name]; unheard > 0 {
		out.ok("its first %d ports were listened to, and the other %d not: labnet doctor GUEST listens to one guest's", mostPorts, unheard)
	}
	if len(f.strays[n.Name]) == 0 {
		out.ok("guests send from what they were given alone, and IPv4 alone, as meant: guard = \"strict\"")
	}
	return out.list
}

// hostFor is what gives a machine an address for good.
func hostFor(mac net.HardwareAddr, addr netip.Addr) string {
	return "let it ask by DHCP; or, if that is meant: host \"NAME\" { mac = \"" + mac.String() + "\", address = \"" + addr.String() + "\" }"
}

// guarded says what is kept from a guest, or it from others.
func (g *guest) guarded(f *facts) []Finding {
	out := about("apart", g.networkName())
	n := g.network
	if n.Isolate {
		if g.port.name != "" && f.ownsBridge(g.port.master) && !g.port.apart && !n.Adopt {
			out.fail("bridge link set dev "+g.port.name+" isolated on", "it is to be kept from other guests (isolate_guests), but its port %s isn't isolated", g.port.name)
		} else {
			out.ok("it reaches no other guest of %s, nor they it, as meant: isolate_guests", n.Name)
		}
	}
	if n.Services {
		out.ok("of the host, it reaches DHCP, DNS and ping alone, as meant: host_access = \"services\"")
	}
	if !n.Strict || g.mac == nil || f.leasesErr != nil {
		return out.list
	}
	var dropped []netip.Addr
	for _, a := range g.uses {
		if !f.given(*n, g.mac, a) {
			dropped = append(dropped, a)
		}
	}
	if len(dropped) > 0 {
		out.fail(hostFor(g.mac, dropped[0]), "it sends from %s, which nothing gives it: the strict guard drops that", join(dropped))
	} else {
		out.ok("it may send from what it was given alone, and IPv4 alone: guard = \"strict\"")
	}
	return out.list
}
