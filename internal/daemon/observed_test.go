package daemon

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/observe"
	"labnet/leases"
)

func TestObservedAmongLeases(t *testing.T) {
	at := func(network, addr string, state leases.State) leases.Lease {
		return leases.Lease{Network: network, Addr: netip.MustParseAddr(addr), HWType: 1, HWAddr: "\x52\x54\x00\x00\x00\x01", State: state}
	}
	found := []leases.Lease{at("a", "10.0.0.10", leases.Bound), at("z", "10.0.9.10", leases.Bound)}
	guests := []seenGuest{
		{at("lan", "192.0.2.20", observedState), "tap1"},
		{at("lan", "192.0.2.3", observedState), "tap0"},
	}
	for name, c := range map[string]struct {
		filter, order string
		want          []string
	}{
		"all":        {"", "", []string{"10.0.0.10 bound ", "192.0.2.3 observed tap0", "192.0.2.20 observed tap1", "10.0.9.10 bound "}},
		"by address": {"", "address", []string{"10.0.0.10 bound ", "10.0.9.10 bound ", "192.0.2.3 observed tap0", "192.0.2.20 observed tap1"}},
		"by state":   {"", "state", []string{"10.0.0.10 bound ", "10.0.9.10 bound ", "192.0.2.3 observed tap0", "192.0.2.20 observed tap1"}},
		"filtered":   {"address=192.0.2.20|10.0.0.10", "", []string{"10.0.0.10 bound ", "192.0.2.20 observed tap1", "10.0.9.10 bound "}},
	} {
		filter, err := control.ParseLeaseFilter(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		order, err := control.ParseLeaseOrder(c.order)
		if err != nil {
			t.Fatal(err)
		}
		// The table's own leases are filtered and ordered already.
		var got []string
		for l := range withObserved(slices.Values(found), slices.Clone(guests), control.LeaseQuery{Filter: filter, Order: order}) {
			got = append(got, l.Address.String()+" "+l.State+" "+l.Port)
			if l.State == observed && l.ClientID != "" {
				t.Errorf("%s: client identifier %s", name, l.ClientID)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !(seenGuest{}).control().Expires.IsZero() {
		t.Error("an unknown end is a time")
	}
}

func TestBridgesToObserve(t *testing.T) {
	lan := config.Network{Name: "lan", Mode: "bridged", Bridge: config.Bridge{Name: "br1"}, Uplink: config.Uplink{Interface: "eth0"}}
	got := observedBridges(&config.Config{Networks: []config.Network{{Name: "lab", Mode: "routed", Bridge: config.Bridge{Name: "br0"}}, lan}})
	if want := map[string]observe.Config{"lan": {Bridge: "br1", Uplink: "eth0"}}; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var o observers
	if guests := o.guests("", time.Now()); guests != nil || o.observes("lan") {
		t.Errorf("without observers there are guests: %v", guests)
	}
}
