package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

func TestStaleConnections(t *testing.T) {
	host := map[netip.Addr]bool{netip.MustParseAddr("10.0.0.1"): true, netip.MustParseAddr("192.0.2.2"): true}
	masqueraded, routed := networks(lab(), dmz()), networks(with(lab(), func(n *Network) { n.Masquerade = false }), dmz())
	for _, c := range []struct {
		name                         string
		cfg                          Config
		src, dst, replySrc, replyDst string
		want                         bool
	}{
		{"masqueraded", masqueraded, "10.0.0.10", "192.0.2.1", "192.0.2.1", "192.0.2.2", false},
		{"not masqueraded", masqueraded, "10.0.0.10", "192.0.2.1", "192.0.2.1", "10.0.0.10", true},
		{"routed", routed, "10.0.0.10", "192.0.2.1", "192.0.2.1", "10.0.0.10", false},
		{"masqueraded still", routed, "10.0.0.10", "192.0.2.1", "192.0.2.1", "192.0.2.2", true},
		{"from outside", masqueraded, "192.0.2.1", "10.0.0.10", "10.0.0.10", "192.0.2.1", true},
		{"from outside, routed", routed, "192.0.2.1", "10.0.0.10", "10.0.0.10", "192.0.2.1", false},
		{"from outside, by a translation of the destination", masqueraded, "192.0.2.1", "192.0.2.2", "10.0.0.10", "192.0.2.1", false},
		{"network to network", routed, "10.0.0.10", "10.0.1.10", "10.0.1.10", "10.0.0.10", true},
		{"within a network", masqueraded, "10.0.0.10", "10.0.0.11", "10.0.0.11", "10.0.0.10", false},
		{"to the gateway", masqueraded, "10.0.0.10", "10.0.0.1", "10.0.0.1", "10.0.0.10", false},
		{"to the host's address of the uplink", masqueraded, "10.0.0.10", "192.0.2.2", "192.0.2.2", "10.0.0.10", false},
		{"from the host", masqueraded, "10.0.0.1", "10.0.0.10", "10.0.0.10", "10.0.0.1", false},
		{"multicast", masqueraded, "10.0.0.10", "224.0.0.251", "224.0.0.251", "10.0.0.10", false},
		{"network to network that lets it in", networks(lab(), with(dmz(), func(n *Network) { n.AllowFrom = []string{"lab"} })), "10.0.0.10", "10.0.1.10", "10.0.1.10", "10.0.0.10", false},
		{"back from a network that is let in", networks(lab(), with(dmz(), func(n *Network) { n.AllowFrom = []string{"lab"} })), "10.0.1.10", "10.0.0.10", "10.0.0.10", "10.0.1.10", true},
		{"within a network of isolated guests", networks(with(lab(), func(n *Network) { n.Isolate = true })), "10.0.0.10", "10.0.0.11", "10.0.0.11", "10.0.0.10", true},
		{"out of an isolated network", networks(with(lab(), func(n *Network) { n.Isolated, n.Masquerade = true, false })), "10.0.0.10", "192.0.2.1", "192.0.2.1", "10.0.0.10", true},
		{"others'", masqueraded, "198.51.100.1", "192.0.2.1", "192.0.2.1", "198.51.100.1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := netip.MustParseAddr
			if got := c.cfg.stale(connection{src: a(c.src), dst: a(c.dst), replySrc: a(c.replySrc), replyDst: a(c.replyDst)}, host); got != c.want {
				t.Errorf("stale: %v", got)
			}
		})
	}
}

// A connection goes by the rules that are there, not by those that were there when it began.
func TestConnectionsFollowTheRules(t *testing.T) {
	const port = 4321
	r := newRouter(t)
	a := r.guest(t, "tap0", "10.0.0.10/24")
	r.lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", "192.0.2.2")
	// Something else that tracks connections, whatever becomes of our tables.
	r.Run(t, "nft", "add table inet other; add chain inet other c { type filter hook forward priority 10; }; add rule inet other c ct state established accept")
	echo(t, r.lan, "0.0.0.0:7")
	echo(t, a, "0.0.0.0:7")
	h := r.open(t)
	seenAs := func(want string) {
		t.Helper()
		nettest.Eventually(t, patience, func() error {
			got, err := call(t, a, "udp4", "192.0.2.1:7", port, silence)
			if err == nil && !strings.HasPrefix(got, want+":") {
				t.Fatalf("seen as %s, not %s", got, want)
			}
			return err
		})
	}
	off := configs()["masquerade_off"]
	for range 2 {
		apply(t, h, off)
		seenAs("10.0.0.10")
		nettest.Eventually(t, patience, func() error {
			_, err := call(t, r.lan, "udp4", "10.0.0.10:7", port, silence)
			return err
		})
		apply(t, h, networks(lab()))
		seenAs("192.0.2.2")
		if got, err := call(t, r.lan, "udp4", "10.0.0.10:7", port, silence); err == nil {
			t.Errorf("a connection from outside goes on after masquerade was turned on: %s", got)
		}
	}

	// What got through while our rules were gone.
	r.Run(t, "conntrack", "-F")
	r.Run(t, "nft", "delete", "table", "inet", "labnet")
	seenAs("10.0.0.10")
	apply(t, h, networks(lab()))
	seenAs("192.0.2.2")
	inOrder(t, h, networks(lab()))

	// A connection that is as it should be isn't touched.
	entry := func() string {
		return r.Run(t, "conntrack", "-L", "-o", "id", "-p", "udp", "--orig-src", "10.0.0.10", "--orig-port-src", fmt.Sprint(port))
	}
	id := func(text string) string { return text[strings.Index(text, "id="):] }
	before := entry()
	apply(t, h, networks(lab(), dmz()))
	if after := entry(); !strings.Contains(after, "id=") || id(after) != id(before) {
		t.Error(errors.New("was " + before + "is " + after))
	}
}
