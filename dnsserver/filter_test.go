package dnsserver

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	name := func(s string) name {
		n, err := parseName(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	event := Event{
		Network: "lab", Client: netip.MustParseAddrPort("10.0.0.57:4000"), Name: `a\.b.www.example.org.`, asked: name(`a\.b.www.example.org.`),
		Type: "AAAA", Reason: "cache_hit", Rcode: "NOERROR",
	}
	for _, test := range []struct {
		name   string
		filter Filter
		want   bool
	}{
		{"the network", Filter{Network: "lab"}, true},
		{"another network", Filter{Network: "dmz"}, false},
		{"the client", Filter{Client: netip.MustParsePrefix("10.0.0.57/32")}, true},
		{"its prefix", Filter{Client: netip.MustParsePrefix("10.0.0.0/24")}, true},
		{"another client", Filter{Client: netip.MustParsePrefix("10.0.0.58/32")}, false},
		{"the name", Filter{Under: `A\.B.www.Example.org`}, true},
		{"above it", Filter{Under: "example.org."}, true},
		{"the root", Filter{Under: "."}, true},
		{"half a label", Filter{Under: "ample.org"}, false},
		{"behind a dot that is none", Filter{Under: "b.www.example.org"}, false},
		{"the type", Filter{Type: "aaaa"}, true},
		{"another type", Filter{Type: "A"}, false},
		{"its number", Filter{Type: "TYPE28"}, true},
		{"the reason", Filter{Reason: "cache_hit"}, true},
		{"another reason", Filter{Reason: "forwarded"}, false},
		{"the code", Filter{Rcode: "noerror"}, true},
		{"another code", Filter{Rcode: "NXDOMAIN"}, false},
		{"all of it", Filter{"lab", netip.MustParsePrefix("10.0.0.57/32"), "org", "AAAA", "cache_hit", "NOERROR"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			match, err := test.filter.Matcher()
			if err != nil || match(&event) != test.want {
				t.Errorf("not %v: %v", test.want, err)
			}
		})
	}
	if match, err := (Filter{}).Matcher(); match != nil || err != nil {
		t.Error("no filter costs something")
	}
	if match, err := (Filter{Under: "."}).Matcher(); err != nil || match(&Event{}) {
		t.Error("what has no name is under the root")
	}
	for want, f := range map[string]Filter{
		"not a domain name": {Under: "a..b"}, "not a type": {Type: "NONSENSE"}, "no reason": {Reason: "nonsense"}, "no response code": {Rcode: "nonsense"},
	} {
		if _, err := f.Matcher(); !errors.Is(err, ErrQuestion) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
