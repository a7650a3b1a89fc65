package netcfg

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// changeRoute refuses, as the kernel does, a next hop that isn't on the link.
func (m *memory) changeRoute(c Change) error {
	switch c := c.(type) {
	case addRoute:
		l := m.find(c.link)
		if l == nil {
			return errNoLink
		}
		if !slices.ContainsFunc(m.addresses, func(a linkAddress) bool { return a.link == l.index && a.prefix.Masked().Contains(c.via) }) {
			return fmt.Errorf("%s: the next hop isn't on the link", c)
		}
		m.routes = slices.DeleteFunc(m.routes, func(r route) bool { return r.dst == c.subnet })
		m.routes = append(m.routes, route{table: unix.RT_TABLE_MAIN, dst: c.subnet, links: []int{l.index}, via: c.via, protocol: routeProtocol})
	case delRoute:
		m.routes = slices.DeleteFunc(m.routes, func(r route) bool { return r.dst == c.subnet && r.via == c.via })
	}
	return nil
}

// withMore is a network with a secondary subnet, and others behind guests of both.
func withMore() Network {
	n := lab()
	n.Secondary = []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")}
	n.Routes = []Route{
		{Subnet: netip.MustParsePrefix("10.1.0.0/16"), Via: netip.MustParseAddr("10.0.0.2")},
		{Subnet: netip.MustParsePrefix("10.6.0.0/24"), Via: netip.MustParseAddr("10.5.0.9")},
	}
	return n
}

func TestSubnetsThatNoHostCouldHave(t *testing.T) {
	for name, change := range map[string]func(n *Network){
		"its subnets 10.0.0.0/24 and 10.0.0.0/25 overlap": func(n *Network) { n.Secondary, n.Routes = []netip.Prefix{netip.MustParsePrefix("10.0.0.3/25")}, nil },
		"its subnets 10.5.0.0/24 and 10.5.0.0/16 overlap": func(n *Network) { n.Routes[0].Subnet = netip.MustParsePrefix("10.5.0.0/16") },
		"is by 10.7.0.1, which is no guest":               func(n *Network) { n.Routes[0].Via = netip.MustParseAddr("10.7.0.1") },
		"is by 10.5.0.1, which is no guest":               func(n *Network) { n.Routes[1].Via = netip.MustParseAddr("10.5.0.1") },
		"must be to an IPv4 subnet":                       func(n *Network) { n.Routes[0].Subnet = netip.MustParsePrefix("0.0.0.0/0") },
		"overlaps network \"dmz\"":                        func(n *Network) { n.Secondary = append(n.Secondary, netip.PrefixFrom(dmz().Address.Addr().Next(), 28)) },
		"must be IPv4 with a prefix length":               func(n *Network) { n.Secondary[0] = netip.MustParsePrefix("2001:db8::1/64") },
	} {
		n := withMore()
		change(&n)
		if _, err := (Config{Networks: []Network{dmz(), n}}).complete(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %s, got %v", name, err)
		}
	}
	if _, err := (Config{Networks: []Network{dmz(), withMore()}}).complete(); err != nil {
		t.Error(err)
	}
}

// TestRoutesInTheKernel makes routes and secondary addresses, sees them repaired, led by another guest, and gone.
func TestRoutesInTheKernel(t *testing.T) {
	nettest.NeedRoot(t)
	r := newRouter(t)
	h := r.open(t)
	cfg := networks(withMore())
	apply(t, h, cfg)
	has := func(want ...string) {
		t.Helper()
		got := strings.Join(strings.Fields(r.Run(t, "ip", "-4", "route", "show", "proto", "108")), " ")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("no route %q in %q", w, got)
			}
		}
		if n := strings.Count(got, "via"); n != len(want) {
			t.Errorf("%d routes in %q, want %d", n, got, len(want))
		}
	}
	has("10.1.0.0/16 via 10.0.0.2 dev br0", "10.6.0.0/24 via 10.5.0.9 dev br0")
	if out := r.Run(t, "ip", "-4", "address", "show", "dev", "br0"); !strings.Contains(out, "10.5.0.1/24") {
		t.Errorf("no secondary address:\n%s", out)
	}
	inOrder(t, h, cfg)
	// By hand, and with another mark: the plan has them again.
	r.Run(t, "ip", "route", "del", "10.1.0.0/16")
	r.Run(t, "ip", "route", "add", "10.1.0.0/16", "via", "10.0.0.3")
	r.Run(t, "ip", "address", "del", "10.5.0.1/24", "dev", "br0")
	apply(t, h, cfg)
	has("10.1.0.0/16 via 10.0.0.2 dev br0", "10.6.0.0/24 via 10.5.0.9 dev br0")

	cfg.Networks[0].Routes[0].Via = netip.MustParseAddr("10.0.0.4")
	cfg.Networks[0].Routes, cfg.Networks[0].Secondary = cfg.Networks[0].Routes[:1], nil
	apply(t, h, cfg)
	has("10.1.0.0/16 via 10.0.0.4 dev br0")
	if out := r.Run(t, "ip", "-4", "address", "show", "dev", "br0"); strings.Contains(out, "10.5.0.1") {
		t.Errorf("the secondary address is left:\n%s", out)
	}
	down(t, h)
	has()
}
