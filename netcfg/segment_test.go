package netcfg

import (
	"strings"
	"testing"
)

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
