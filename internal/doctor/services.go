package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/control"
)

// of is what the daemon says of a network.
func (f *facts) of(network string) (control.Network, bool) {
	if f.status == nil {
		return control.Network{}, false
	}
	for _, n := range f.status.Networks {
		if n.Name == network {
			return n, true
		}
	}
	return control.Network{}, false
}

func (f *facts) dhcp(n Network) []Finding {
	out := about("dhcp", n.Name)
	s, ok := f.of(n.Name)
	switch {
	case !n.DHCP || f.status == nil:
		return nil
	case !ok || s.DHCP == nil:
		out.fail("labnet status says what is served; reload the daemon: systemctl reload labnet", "the daemon doesn't serve it")
		return out.list
	case s.Addresses > 0 && s.Leased >= s.Addresses:
		out.fail("a larger `range`, a shorter `lease_time`, or labnet leases release ADDRESS", "no address is free: %d of %d are leased", s.Leased, s.Addresses)
	case s.Addresses > 0 && s.Leased*10 >= s.Addresses*9:
		out.warn("a larger `range`, or a shorter `lease_time`", "few addresses are free: %d of %d are leased", s.Leased, s.Addresses)
	default:
		out.ok("served: %d of %d addresses leased", s.Leased, s.Addresses)
	}
	for _, other := range s.OtherServers {
		who, fix := other.Server.String(), "tcpdump -eni "+n.Bridge+" udp src port 67 shows its MAC, and bridge fdb show br "+n.Bridge+" the port of that"
		if other.MAC != "" {
			who += " (" + other.MAC + ")"
			for _, station := range f.kernel.stations {
				if port, ok := f.kernel.byIndex(station.port); ok && station.mac.String() == other.MAC {
					who += " on " + port.name
					fix = "end it there, or unplug it: ip link set " + port.name + " down"
				}
			}
		}
		out.warn(fix, "another DHCP server was heard: %s; the bridge keeps its answers from guests", who)
	}
	return out.list
}

func (f *facts) dns(n Network) []Finding {
	if !n.DNS || f.status == nil || !f.up(n) {
		return nil
	}
	out := about("dns", n.Name)
	switch r := f.local[n.Name]; {
	case r.err != nil:
		out.fail("ss -lnup 'sport = :53' shows who has the port; labnet status; systemctl restart labnet", "%s doesn't answer: %v", n.Address.Addr(), r.err)
	case !slices.Contains(r.answers, n.Address.Addr()):
		out.fail("labnet explain dns gateway."+n.Domain, "%s says %s of its own name gateway.%s", n.Address.Addr(), r.says(), n.Domain)
	default:
		out.ok("%s answers for %s, in %s", n.Address.Addr(), n.Domain, round(r.took))
	}
	return out.list
}

func round(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }

// outsideNames judges the upstreams, and what guests get by them.
func (f *facts) outsideNames() []Finding {
	out := about("upstream", "")
	dead, alive := map[string][]upstream{}, map[string]bool{}
	for _, u := range f.upstreams {
		if u.reply.err != nil {
			dead[u.group] = append(dead[u.group], u)
		} else {
			alive[u.group] = true
		}
	}
	for _, u := range f.upstreams {
		fix := u.dig() + "; see whether this host reaches it, or name another in `resolver`"
		switch {
		case u.reply.err == nil && u.reply.fine():
			out.ok("%s (%s) answers in %s", server(u.server), u.group, round(u.reply.took))
		case u.reply.err == nil:
			out.warn(fix, "%s (%s) says %s to %s", server(u.server), u.group, u.reply.says(), u.name)
		case alive[u.group]:
			out.warn(fix, "%s (%s) doesn't answer; others of the group do", server(u.server), u.group)
		default:
			out.fail(fix, "%s (%s) doesn't answer", server(u.server), u.group)
		}
	}
	if len(f.upstreams) == 0 && len(f.networks) > 0 && f.configError == "" {
		out.fail("name a server in /etc/resolv.conf, or in `resolver`", "there is no upstream: names of the outside can't be resolved")
	}
	if f.status == nil {
		return out.list
	}
	for _, n := range f.networks {
		r, asked := f.outside[n.Name]
		if !asked || !f.up(n) || f.local[n.Name].err != nil {
			continue // said already
		}
		fix := "labnet explain dns " + f.name
		switch {
		case r.fine():
			out.ok("guests of %s resolve the outside: %s is %s, in %s", n.Name, f.name, r.rcode, round(r.took))
		case len(dead) > 0 || len(f.upstreams) == 0:
			// It follows from what is said above.
		case r.err != nil:
			out.fail(fix, "guests of %s get no answer for %s", n.Name, f.name)
		default:
			out.fail(fix, "guests of %s get %s for %s", n.Name, r.rcode, f.name)
		}
	}
	return out.list
}

// dig is the command that asks a server what it was asked.
func (u upstream) dig() string {
	text := "dig @" + u.server.Addr().String()
	if u.server.Port() != 53 {
		text += fmt.Sprintf(" -p %d", u.server.Port())
	}
	text += " " + u.name
	if u.kind != 0 && u.kind != dns.TypeA {
		text += " " + dns.TypeToString[u.kind]
	}
	return text
}

// server is a DNS server's address, with its port where that isn't the usual one.
func server(at netip.AddrPort) string {
	if at.Port() == 53 {
		return at.Addr().String()
	}
	return at.String()
}

// uplink judges the way out.
func (f *facts) uplink(n Network) []Finding {
	out := about("uplink", n.Name)
	w := f.ways[n.Name]
	switch {
	case n.Mode == isolated:
		return nil // apart says so
	case w.err != nil:
		out.fail("ip route add default via ROUTER dev INTERFACE, or bring the uplink up", "there is no way out: the host has no default route (%v)", w.err)
	case w.out.name == n.Bridge:
		out.fail("ip route del default dev "+n.Bridge, "the way out leads over the bridge itself")
	case n.Uplink != "" && w.out.name != n.Uplink:
		out.fail(fmt.Sprintf("ip route add default dev %s table 100 && ip rule add iif %s lookup 100 priority 1000", n.Uplink, n.Bridge),
			"guests may leave by %s alone, and their packets are routed to %s", n.Uplink, w.out.name)
	case !w.out.up:
		out.fail("ip link set "+w.out.name+" up", "%s is down", w.out.name)
	case !w.out.carrier:
		out.fail("plug the cable in, or look at the other end of it; ethtool "+w.out.name, "%s has no carrier", w.out.name)
	case w.unasked:
		out.ok("%s", strings.TrimSpace(fmt.Sprintf("%s %s", w.out.name, w.by())))
	case !w.answers:
		out.fail(fmt.Sprintf("arping -I %s %s; see whether that router is on, and the default route right", w.out.name, w.gateway),
			"%s: the router %s doesn't answer ARP", w.out.name, w.gateway)
	default:
		out.ok("%s %s, which answers", w.out.name, w.by())
	}
	return out.list
}

// by is the host's address on the way out, and the router.
func (w way) by() string {
	text := ""
	if w.source.IsValid() {
		text = "as " + w.source.String()
	}
	if w.gateway.IsValid() {
		text = strings.TrimSpace(text + " by " + w.gateway.String())
	}
	return text
}
