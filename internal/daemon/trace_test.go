package daemon

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"labnet/dhcpserver"
	"labnet/internal/control"
)

func TestMatcher(t *testing.T) {
	addr := netip.MustParseAddr
	event := dhcpserver.Event{
		Network: "lab", HWAddr: "\x52\x54\x00\x00\x00\xab", Ciaddr: addr("10.0.0.5"), Requested: addr("10.0.0.6"), Addr: addr("10.0.0.7"),
		Relay: addr("10.0.0.9"), Reason: dhcpserver.ReasonNakTaken, Beside: []dhcpserver.Reason{dhcpserver.ReasonMalformedServed},
	}
	for _, test := range []struct {
		name   string
		filter control.TraceFilter
		want   bool
	}{
		{"the beginning of the MAC", control.TraceFilter{MAC: "52:54"}, true},
		{"the whole MAC", control.TraceFilter{MAC: "52:54:00:00:00:ab"}, true},
		{"another MAC", control.TraceFilter{MAC: "52:54:00:00:00:ac"}, false},
		{"a pattern", control.TraceFilter{MAC: "*:ab"}, true},
		{"the address in use", control.TraceFilter{Address: netip.MustParsePrefix("10.0.0.5/32")}, true},
		{"the address asked for", control.TraceFilter{Address: netip.MustParsePrefix("10.0.0.6/32")}, true},
		{"the address given", control.TraceFilter{Address: netip.MustParsePrefix("10.0.0.7/32")}, true},
		{"its prefix", control.TraceFilter{Address: netip.MustParsePrefix("10.0.0.0/29")}, true},
		{"the relay's address", control.TraceFilter{Address: netip.MustParsePrefix("10.0.0.9/32")}, false},
		{"the network", control.TraceFilter{Network: "lab"}, true},
		{"another network", control.TraceFilter{Network: "dmz"}, false},
		{"the reason", control.TraceFilter{Reason: "nak_taken"}, true},
		{"the reason beside", control.TraceFilter{Reason: "malformed_served"}, true},
		{"another reason", control.TraceFilter{Reason: "exhausted"}, false},
		{"all of it", control.TraceFilter{MAC: "52", Address: netip.MustParsePrefix("10.0.0.7/32"), Network: "lab", Reason: "nak_taken"}, true},
		{"all but one", control.TraceFilter{MAC: "52", Address: netip.MustParsePrefix("10.0.0.7/32"), Network: "lab", Reason: "nak_moved"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := matcher(test.filter)(&event); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	if matcher(control.TraceFilter{}) != nil {
		t.Error("no filter costs something")
	}
	if matcher(control.TraceFilter{MAC: "52"})(&dhcpserver.Event{}) || matcher(control.TraceFilter{Address: netip.MustParsePrefix("0.0.0.0/0")})(&dhcpserver.Event{}) {
		t.Error("what has neither MAC nor address fits both")
	}
}

func TestTraceRefuses(t *testing.T) {
	d := &daemon{links: &links{servers: map[string]*link{"lab": {cfg: dhcpserver.Config{Network: "lab"}}}}}
	for _, test := range []struct {
		filter control.TraceFilter
		want   string
	}{
		{control.TraceFilter{Network: "dmz"}, `DHCP is served in no network "dmz"; it is in: lab`},
		{control.TraceFilter{Reason: "nonsense"}, `there is no reason "nonsense"`},
	} {
		if _, err := d.Trace(test.filter); !errors.Is(err, control.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.filter, err)
		}
	}
	var first control.Trace
	for range maxTraces {
		trace, err := d.Trace(control.TraceFilter{Network: "lab", Reason: "exhausted"})
		if err != nil {
			t.Fatal(err)
		}
		first = trace
	}
	if _, err := d.Trace(control.TraceFilter{}); !errors.Is(err, control.ErrConflict) {
		t.Errorf("one too many: %v", err)
	}
	first.Close()
	if _, err := d.Trace(control.TraceFilter{}); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	if _, err := d.ExplainDHCP(context.Background(), control.DHCPQuery{Network: "dmz"}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("explaining in no network: %v", err)
	}
	d.links.servers = nil
	if _, err := d.ExplainDHCP(context.Background(), control.DHCPQuery{}); !errors.Is(err, control.ErrConflict) {
		t.Errorf("explaining without DHCP: %v", err)
	}
}

func TestTraceEvent(t *testing.T) {
	none := traceEvent(&dhcpserver.Event{Reason: dhcpserver.ReasonTooShort})
	if none.From != "" || none.ReplyTo != "" || none.XID != "" || none.ClientID != "" || none.MAC != "" || none.Text == "" {
		t.Errorf("%+v", none)
	}
	some := traceEvent(&dhcpserver.Event{
		Message: "DISCOVER", ClientID: "\x01\xff", From: netip.MustParseAddrPort("0.0.0.0:68"), Xid: 42, Took: 1500 * time.Nanosecond,
		Reason: dhcpserver.ReasonExhausted,
	})
	if some.From != "0.0.0.0:68" || some.XID != "0000002a" || some.ClientID != "01:ff" || some.Took != 1 || some.Text != "no address is free" {
		t.Errorf("%+v", some)
	}
}
