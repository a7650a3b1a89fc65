package control

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLeaseFilter(t *testing.T) {
	lease := Lease{
		Network: "lab", Address: netip.MustParseAddr("10.0.0.57"), MAC: "52:54:00:00:00:01", ClientID: "01:52:54:00:00:00:01", Name: "web1",
		State: "bound", Reserved: true, Hostname: "Web1/x", VendorClass: "dhcpcd-9.4.1:Linux-6.12",
	}
	for _, test := range []struct {
		filter string
		want   bool
	}{
		{"", true},
		{"state=bound", true},
		{"state=Bound", true},
		{"state=expired", false},
		{"state!=expired", true},
		{"state=expired|bound", true},
		{"state!=expired|bound", false},
		{"state=bound,network=lab,name=web*", true},
		{"state=bound,network=dmz,name=web*", false},
		{"name=web", false},
		{"name=*1", true},
		{"name=w?b?", true},
		{"name=w?b", false},
		{"name=", false},
		{"name!=", true},
		{"hostname=WEB1/*", true},
		{"vendor_class=*linux*", true},
		{"vendor_class=*linux*7", false},
		{"mac=52:54", true},
		{"mac=52-54-00-00-00-01", true},
		{"mac=52:55", false},
		{"mac=*:01", true},
		{"address=10.0.0.57", true},
		{"address=10.0.0.56", false},
		{"address=10.0.0.56/30", true},
		{"address=10.0.0.5?", true},
		{"address=10.0.1.0/24|10.0.0.57", true},
		{"reserved=true", true},
		{"reserved=false", false},
		{"reserved!=false", true},
		{"client_id=01:*", true},
	} {
		f, err := ParseLeaseFilter(test.filter)
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		if got := f.Match(&lease); got != test.want {
			t.Errorf("%s: %v, want %v", test.filter, got, test.want)
		}
		if f.String() != test.filter {
			t.Errorf("%s reads back as %s", test.filter, f)
		}
	}
}

func TestWrongLeaseQueriesSayWhatIsRight(t *testing.T) {
	for filter, want := range map[string]string{
		"bound":            "want FIELD=VALUE",
		"states=bound":     `no field "states"; there is: network, address,`,
		"expires=1h":       `no field "expires"`,
		"state=running":    `no state "running"; there is: bound, declined, released, expired`,
		"address=10.0.0":   "neither an IPv4 address",
		"mac=zz":           "no MAC",
		"reserved=perhaps": "neither true nor false",
		"state=bound,":     "want FIELD=VALUE",
	} {
		if _, err := ParseLeaseFilter(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", filter, err, want)
		}
	}
	if _, err := ParseLeaseOrder("name,-expire"); err == nil || !strings.Contains(err.Error(), `no field "expire"`) {
		t.Errorf("order: %v", err)
	}
}

func TestLeaseOrder(t *testing.T) {
	got, err := ParseLeaseOrder("network,-expires")
	if diff := cmp.Diff(LeaseOrder{{"network", false}, {"expires", true}}, got); err != nil || diff != "" || got.String() != "network,-expires" {
		t.Errorf("%v %v\n%s", got, err, diff)
	}
}

// TestWildcardsTakeNoTime: a pattern that a person types, or a program makes, must not keep the daemon busy.
func TestWildcardsTakeNoTime(t *testing.T) {
	if wildcard(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 60000)) {
		t.Error("it matches")
	}
}
