package netcfg

import (
	"fmt"
	"strings"
	"testing"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// TAPs of a segment are there before its bridge, follow it as it comes and goes, and are ours alone.
func TestTAPsOfASegment(t *testing.T) {
	r := newQuietRouter(t)
	before := hostdump.Take(t, r.Host)
	r.Run(t, "ip", "link", "set", "eth0", "mtu", "1400")
	cfg := Config{Segments: []Segment{{Name: "lan", Bridge: "br0", Uplink: "eth0", TAPs: []TAP{{Name: "vm1", Owner: "61000"}, {Name: "vm2"}}}}}
	h, log := running(t, r, cfg)
	inOrder(t, h, cfg)
	waits := func() {
		t.Helper()
		soon(t, h, cfg)
		for _, name := range []string{"vm1", "vm2"} {
			if l := r.link(t, name); l.up() || l.Master != "" || l.MTU != 1400 || l.IfAlias != alias {
				t.Errorf("while there is no bridge: %+v", l)
			}
		}
	}
	waits()
	index := r.link(t, "vm1").IfIndex
	for range 2 {
		// As a handover makes it, and removes it.
		r.Run(t, "ip", "link", "add", "br0", "mtu", "1399", "type", "bridge")
		r.Run(t, "ip", "link", "set", "br0", "mtu", "1400", "alias", segmentAlias, "up")
		nettest.Eventually(t, patience, func() error {
			for _, name := range []string{"vm1", "vm2"} {
				if l := r.link(t, name); !l.up() || l.Master != "br0" || l.MTU != 1400 {
					return fmt.Errorf("on the bridge: %+v", l)
				}
			}
			return nil
		})
		inOrder(t, h, cfg)
		r.Run(t, "ip", "link", "del", "br0")
		waits()
	}
	if strings.Contains(log.String(), "repaired") {
		t.Errorf("a bridge that others remove is no drift:\n%s", log)
	}
	r.Run(t, "ip", "link", "set", "vm1", "alias", "mine")
	soon(t, h, cfg)
	if l := r.link(t, "vm1"); l.IfIndex != index || l.IfAlias != alias {
		t.Errorf("after all: %+v", l)
	}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Networks: []Network{withTAPs(lab(), TAP{Name: "vm1"})}, Segments: []Segment{{Name: "lan", Bridge: "br9", Uplink: "eth0", TAPs: []TAP{{Name: "vm1"}}}}}, "is of network"},
		{Config{Segments: []Segment{{Name: "lan", Bridge: "br0", Uplink: "eth0", TAPs: []TAP{{Name: "eth0"}}}}}, "the name of an uplink"},
		{Config{Networks: []Network{lab()}, Segments: []Segment{{Name: "lan", Bridge: "br9", Uplink: "eth0", TAPs: []TAP{{Name: "br0"}}}}}, "the name of a bridge"},
		{Config{Segments: []Segment{{Name: "lan", Bridge: "br0", Uplink: "eth0", TAPs: []TAP{{Name: "vm1", Owner: "nobody-at-all"}}}}}, "which this host doesn't know"},
	} {
		if _, err := h.Apply(t.Context(), c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	down(t, h)
	r.Run(t, "ip", "link", "set", "eth0", "mtu", "1500")
	if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
		t.Error(diff)
	}
}

// The uplink of a bridge that has taken over stays on it, even where the configuration has forgotten the bridge and another network would
// take links of that name: the host is reached by it. Guests go where the configuration says.
func TestAnUplinkIsNoGuest(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "sh", "-ec", "ip tuntap add tap0 mode tap; "+aSegment+"; ip link del eth9; ip tuntap add eth9 mode tap; ip link set eth9 address 02:00:00:00:00:99; ip link set eth9 master brlan")
	isOn := func(port, bridge string) {
		t.Helper()
		if out := r.Run(t, "ip", "-o", "link", "show", port); !strings.Contains(out, "master "+bridge+" ") {
			t.Errorf("%s isn't on %s: %s", port, bridge, out)
		}
	}
	h := r.open(t)
	apply(t, h, configs()["bridged"])
	isOn("tap0", "brlan")
	cfg := networks(with(lab(), func(n *Network) { n.Attach = []string{"tap*", "eth9"} }))
	apply(t, h, cfg)
	inOrder(t, h, cfg)
	isOn("eth9", "brlan")
	isOn("tap0", "br0")
	down(t, h)
	isOn("eth9", "brlan")
}
