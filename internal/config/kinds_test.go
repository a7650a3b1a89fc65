package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

func TestKinds(t *testing.T) {
	lease := duration(minLease, maxLease, true)
	cache := size(minCache, maxCache)
	for _, c := range []struct {
		name string
		kind kind
		in   any
		want any // nil: refused
	}{
		{"hours", lease, "12h", 12 * time.Hour},
		{"mixed units", lease, "1h30m", 90 * time.Minute},
		{"days", lease, "7d", 7 * 24 * time.Hour},
		{"weeks", lease, "2w", 14 * 24 * time.Hour},
		{"fraction", lease, "1.5h", 90 * time.Minute},
		{"shortest", lease, "60s", time.Minute},
		{"for ever", lease, "infinite", Infinite},
		{"too short", lease, "59s", nil},
		{"no unit", lease, "3600", nil},
		{"negative", lease, "-1h", nil},
		{"empty", lease, "", nil},
		{"space", lease, "12 h", nil},
		{"only a unit", lease, "h", nil},
		{"two dots", lease, "1.2.3h", nil},
		{"longer than the wire can say", lease, "4294967295s", nil},
		{"longest", lease, "4294967294s", 4294967294 * time.Second},
		{"overflow", lease, strings.Repeat("9", 400) + "h", nil},
		{"zero TTL", duration(0, maxTTL, false), "0s", time.Duration(0)},
		{"infinite TTL", duration(0, maxTTL, false), "infinite", nil},

		{"MiB", cache, "64MiB", int64(64 << 20)},
		{"MB", cache, "1MB", int64(1e6)},
		{"size with a space", cache, "1 GiB", int64(1 << 30)},
		{"size without a unit", cache, "65536", nil},
		{"unknown unit", cache, "64mb", nil},
		{"too small", cache, "1KiB", nil},
		{"too large", cache, "4294967295GiB", nil},
		{"no digits", cache, "MiB", nil},

		{"colons", macAddress(), "52:54:00:12:34:56", "\x52\x54\x00\x12\x34\x56"},
		{"hyphens", macAddress(), "52-54-00-AB-CD-EF", "\x52\x54\x00\xab\xcd\xef"},
		{"dots", macAddress(), "5254.0012.3456", "\x52\x54\x00\x12\x34\x56"},
		{"EUI-64", macAddress(), "52:54:00:12:34:56:78:9a", nil},
		{"multicast", macAddress(), "53:54:00:12:34:56", nil},
		{"broadcast", macAddress(), "ff:ff:ff:ff:ff:ff", nil},

		{"client identifier", clientID(), "01:52:54", "\x01\x52\x54"},
		{"without colons", clientID(), "ff0a0b", "\xff\x0a\x0b"},
		{"as text", clientID(), "text:phone", "phone"},
		{"odd digits", clientID(), "01:5", nil},
		{"one byte", clientID(), "01", nil},
		{"empty identifier", clientID(), "", nil},

		{"interface of 15 bytes", interfaceName(), "abcdefghijklmno", "abcdefghijklmno"},
		{"interface of 16 bytes", interfaceName(), "abcdefghijklmnop", nil},
		{"VLAN", interfaceName(), "eth0.100", "eth0.100"},
		{"loopback", interfaceName(), "lo", nil},
		{"all", interfaceName(), "all", nil},
		{"number pattern", interfaceName(), "tap%d", nil},
		{"newline", interfaceName(), "br\n0", nil},
		{"quote", interfaceName(), `br"0`, nil},
		{"bytes that are no text", interfaceName(), "br\u00ff", nil},

		{"address", address(), "10.0.0.1", netip.MustParseAddr("10.0.0.1")},
		{"IPv6", address(), "2001:db8::1", nil},
		{"mapped", address(), "::ffff:10.0.0.1", nil},
		{"zeros", address(), "10.0.0.01", nil},
		{"subnet", subnet(), "10.0.0.0/8", netip.MustParsePrefix("10.0.0.0/8")},
		{"subnet of one", subnet(), "10.0.0.1", netip.MustParsePrefix("10.0.0.1/32")},
		{"subnet with host bits", subnet(), "10.0.0.1/8", nil},

		{"server", upstreamServer(), "192.0.2.53", netip.MustParseAddrPort("192.0.2.53:53")},
		{"server with port", upstreamServer(), "udp://192.0.2.53:5353", netip.MustParseAddrPort("192.0.2.53:5353")},
		{"IPv6 server", upstreamServer(), "udp://2001:db8::53", netip.MustParseAddrPort("[2001:db8::53]:53")},
		{"IPv6 server with port", upstreamServer(), "udp://[2001:db8::53]:5353", netip.MustParseAddrPort("[2001:db8::53]:5353")},
		{"IPv6 server in brackets", upstreamServer(), "[2001:db8::53]", netip.MustParseAddrPort("[2001:db8::53]:53")},
		{"port 0", upstreamServer(), "192.0.2.53:0", nil},
		{"no port", upstreamServer(), "192.0.2.53:", nil},
		{"any", upstreamServer(), "0.0.0.0", nil},
		{"multicast server", upstreamServer(), "224.0.0.251", nil},
		{"empty server", upstreamServer(), "", nil},

		{"domain", domainName(), "Lab.Example.Org.", "lab.example.org"},
		{"root", domainName(), ".", nil},
		{"two dots in a domain", domainName(), "a..b", nil},
		{"long domain", domainName(), strings.Repeat("abcdefg.", 32) + "org", nil},
		{"service domain", zoneName(), "_msdcs.corp.example.com", "_msdcs.corp.example.com"},
		{"service domain for guests", domainName(), "_msdcs.corp.example.com", nil},
		{"label", label63(), "Web-1", "web-1"},

		{"number as text", integer(1, 10), "7", 7},
		{"number", integer(1, 10), 7, 7},
		{"fraction of a number", integer(1, 10), 7.5, nil},
		{"true as text", boolean(), "true", true},
		{"yes", boolean(), "yes", nil},
		{"relative path", directory(), "lab", nil},
		{"path", directory(), "/var//lib/labnet/", "/var/lib/labnet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.kind.parse(ctyOf(c.in))
			switch {
			case c.want == nil && err == nil:
				t.Errorf("accepted as %v", got)
			case c.want != nil && (err != nil || got != c.want):
				t.Errorf("got %#v, %v; want %#v", got, err, c.want)
			}
		})
	}
}

func ctyOf(v any) cty.Value {
	switch v := v.(type) {
	case int:
		return cty.NumberIntVal(int64(v))
	case float64:
		return cty.NumberFloatVal(v)
	default:
		return cty.StringVal(v.(string))
	}
}

func TestSuggestions(t *testing.T) {
	options := []string{"lease_time", "identity", "ntp_servers", "mtu", "routers"}
	for name, want := range map[string]string{
		"lease-time": "lease_time", "LeaseTime": "lease_time", "lease_tiem": "lease_time", "lease": "lease_time",
		"ntp": "ntp_servers", "mut": "mtu", "router": "routers", "zzz": "", "": "", strings.Repeat("x", 100): "",
	} {
		if got := nearest(name, options); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
