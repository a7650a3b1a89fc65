package doctor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"labnet/internal/control"
)

// guest is what was found of one guest.
type guest struct {
	asked   string
	mac     net.HardwareAddr // nil: not known
	addr    netip.Addr       // that it has, or should have; invalid: not known
	port    link             // without a name: not known
	network *Network         // nil: not known
	host    *Host            // its block of the configuration

	lease      *control.Lease // in force, or else the last
	explained  *control.DHCPExplanation
	explainErr error

	probed   bool // ARP and ping could be sent
	owners   []net.HardwareAddr
	pings    bool
	uses     []netip.Addr // addresses that it was heard sending from
	resolves reply
	tracked  int // connections
	way      way
	moved    map[string]uint64
}

// ExamineGuest looks at one guest, by its name, address, MAC or port.
func ExamineGuest(ctx context.Context, s Sources, key string) Report {
	f := s.known(ctx)
	var err error
	if f.kernel, err = readKernel(); err != nil {
		f.planErr = err
	}
	f.settle()
	g := s.identify(ctx, f, key)
	if !g.known() {
		out := about("guest", "")
		out.fail("labnet leases, or bridge fdb show; a guest that never asked is known by its MAC or its port",
			"no lease, host block, port or machine on a bridge has the name, address or MAC %q", key)
		return report(key, append(f.daemon(), out.list...))
	}
	s.probe(ctx, f, g)
	return report(key, append(f.daemon(), g.judge(f)...))
}

func (g *guest) known() bool {
	return g.mac != nil || g.port.name != "" || g.lease != nil || g.network != nil
}

// identify finds out who is meant.
func (s Sources) identify(ctx context.Context, f *facts, key string) *guest {
	g := &guest{asked: key}
	f.leases, f.leasesErr = s.leases(ctx, f)
	if port, ok := f.kernel.link(key); ok && port.kind != "bridge" {
		g.port = port
		for _, station := range f.kernel.stations {
			if station.port == port.index && g.mac == nil {
				g.mac = station.mac
			}
		}
	} else if mac, err := control.ParseMAC(key); err == nil {
		g.mac = mac
	} else if addr, err := netip.ParseAddr(key); err == nil {
		g.addr = addr
	}
	g.findHost(f, key)
	g.findLease(f.leases, key, f)
	for _, n := range f.kernel.neighbours {
		if l, ok := f.kernel.byIndex(n.link); !ok || !f.isBridge(l.name) {
			continue
		}
		if g.mac == nil && n.addr == g.addr {
			g.mac = n.mac
		}
		if !g.addr.IsValid() && g.mac != nil && n.mac.String() == g.mac.String() {
			g.addr = n.addr
		}
	}
	if g.port.name == "" && g.mac != nil {
		g.port, _ = f.kernel.port(g.mac)
	}
	g.findNetwork(f)
	return g
}

// leases are the daemon's, or the store's where no daemon runs.
func (s Sources) leases(ctx context.Context, f *facts) (out []control.Lease, err error) {
	if f.status == nil {
		return s.StoredLeases(ctx)
	}
	for l, err := range s.Client.Leases(ctx, control.LeaseQuery{}) {
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func (f *facts) isBridge(name string) bool {
	return slices.ContainsFunc(f.networks, func(n Network) bool { return n.Bridge == name })
}

// findHost looks for the host block that is meant, or that is for the machine.
func (g *guest) findHost(f *facts, key string) {
	for i := range f.networks {
		n := &f.networks[i]
		label, _ := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(key), "."), "."+n.Domain)
		for j := range n.Hosts {
			h := &n.Hosts[j]
			byMAC := g.mac != nil && g.mac.String() == h.MAC.String()
			if g.host != nil || !(h.Name == label || byMAC || g.addr.IsValid() && h.Address == g.addr) {
				continue
			}
			g.host, g.network = h, n
			if g.mac == nil && len(h.MAC) == 6 {
				g.mac = h.MAC
			}
			if !g.addr.IsValid() {
				g.addr = h.Address
			}
		}
	}
}

// findLease looks for the lease that is meant: one in force goes before one that has ended, and that before a younger one.
func (g *guest) findLease(leases []control.Lease, key string, f *facts) {
	for i := range leases {
		l := &leases[i]
		names := slices.ContainsFunc(f.networks, func(n Network) bool {
			label, _ := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(key), "."), "."+n.Domain)
			return n.Name == l.Network && (strings.EqualFold(l.Name, label) || strings.EqualFold(l.Hostname, label)) && label != ""
		})
		byMAC := g.mac != nil && l.MAC == g.mac.String()
		if !byMAC && (g.mac != nil || !names && l.Address != g.addr) {
			continue
		}
		if strings.HasPrefix(l.ClientID, "arp:") && !byMAC {
			continue
		}
		better := g.lease == nil || l.State == "bound" && g.lease.State != "bound" ||
			(l.State == "bound") == (g.lease.State == "bound") && l.LastSeen.After(g.lease.LastSeen)
		if better {
			g.lease = l
		}
	}
	if g.lease == nil {
		return
	}
	if g.lease.State != "bound" { // what an address or a name of before leads to is the guest, and that may have another one by now
		since := slices.IndexFunc(leases, func(l control.Lease) bool {
			return l.State == "bound" && l.Network == g.lease.Network && l.ClientID == g.lease.ClientID
		})
		if since >= 0 {
			g.lease = &leases[since]
		}
	}
	if mac, err := control.ParseMAC(g.lease.MAC); err == nil && g.mac == nil {
		g.mac = mac
	}
	if g.lease.State == "bound" || !g.addr.IsValid() {
		g.addr = g.lease.Address
	}
}

// findNetwork is that of the lease, of the port's bridge, or of the address.
func (g *guest) findNetwork(f *facts) {
	for i := range f.networks {
		n := &f.networks[i]
		bridge, ok := f.kernel.link(n.Bridge)
		byPort := ok && g.port.name != "" && g.port.master == bridge.index
		byLease := g.lease != nil && g.lease.Network == n.Name
		if g.network == nil && (byPort || byLease || g.addr.IsValid() && n.contains(g.addr)) {
			g.network = n
		}
	}
	if g.network == nil && len(f.networks) == 1 && g.mac != nil {
		g.network = &f.networks[0]
	}
}

// probe asks the guest by ARP and ping, the daemon what it would give it, and DNS for its name; all within two seconds or so.
func (s Sources) probe(ctx context.Context, f *facts, g *guest) {
	if g.network == nil {
		return
	}
	before, counterErr := s.Counters()
	bridge, _ := f.kernel.link(g.network.Bridge)
	if g.mac == nil && bridge.up && g.port.up && g.port.master == bridge.index {
		g.overhear()
	}
	var all sync.WaitGroup
	if bridge.up && g.addr.IsValid() && g.network.contains(g.addr) {
		all.Go(func() {
			owners, err := whoHas(bridge, g.network.Address.Addr(), g.addr)
			if err != nil {
				return
			}
			g.owners, g.probed = owners, true
			g.pings, _ = ping(g.network.Address.Addr(), g.addr)
		})
	}
	if g.mac != nil && bridge.up {
		ear := bridge
		if g.port.master == bridge.index && g.port.name != "" {
			ear = g.port
		}
		all.Go(func() {
			heard, _ := senders(ear, g.mac)
			for _, h := range heard {
				g.uses = append(g.uses, h.addr)
			}
		})
	}
	if g.mac != nil && f.status != nil && g.network.DHCP {
		all.Go(func() { g.explained, g.explainErr = s.explain(ctx, g) })
	}
	if g.lease != nil && g.lease.Name != "" && g.network.DNS && f.status != nil {
		all.Go(func() {
			g.resolves = ask(ctx, netip.AddrPortFrom(g.network.Address.Addr(), 53), g.lease.Name+"."+g.network.Domain, dns.TypeA)
		})
	}
	all.Wait()
	if after, err := s.Counters(); err == nil && counterErr == nil {
		g.moved = grown(before, after)
	}
	// By now the bridge has heard who answered.
	if now, err := readKernel(); err == nil {
		f.kernel = now
	}
	if port, ok := f.kernel.port(g.mac); ok && g.port.name == "" {
		g.port = port
	} else if now, ok := f.kernel.link(g.port.name); ok {
		g.port = now
	}
	g.tracked = -1
	if g.addr.IsValid() {
		g.tracked = connections(g.addr)
		if g.network.Mode != isolated {
			g.way = f.kernel.findWay(*g.network, g.addr)
		}
	}
}

// overhear listens to the guest's port, whose machine the bridge hasn't learned: it learns nothing from frames that a guard drops.
func (g *guest) overhear() {
	heard, err := senders(g.port, nil)
	if err == nil && len(heard) > 0 {
		g.mac = slices.Clone(heard[0].mac[:])
	}
}

// explain asks what the guest would get if it asked as it did last.
func (s Sources) explain(ctx context.Context, g *guest) (*control.DHCPExplanation, error) {
	q := control.DHCPQuery{MAC: g.mac, Arch: -1, Network: g.network.Name}
	if l := g.lease; l != nil && !strings.HasPrefix(l.ClientID, "arp:") {
		const most = 255 // bytes of an option
		q.Hostname, q.VendorClass = l.Hostname[:min(len(l.Hostname), most)], l.VendorClass[:min(len(l.VendorClass), most)]
		if id, err := control.ParseHex(l.ClientID); err == nil && !strings.HasPrefix(l.ClientID, "mac:") {
			q.ClientID = id
		}
	}
	found, err := s.Client.ExplainDHCP(ctx, q)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}
