package config

import "testing"

func TestDescribeOption(t *testing.T) {
	for _, test := range []struct {
		name        string
		code        uint8
		data        string
		label, want string
	}{
		{"message type", 53, "\x02", "message_type", "OFFER"},
		{"unknown message type", 53, "\x63", "message_type", "99"},
		{"address", 1, "\xff\xff\xff\x00", "subnet_mask", "255.255.255.0"},
		{"addresses", 6, "\x0a\x00\x00\x01\x0a\x00\x00\x02", "dns_servers", "10.0.0.1, 10.0.0.2"},
		{"no address", 6, "", "dns_servers", ""},
		{"half an address", 6, "\x0a\x00", "dns_servers", "0a:00"},
		{"two where one is", 1, "\x0a\x00\x00\x01\x0a\x00\x00\x02", "subnet_mask", "0a:00:00:01:0a:00:00:02"},
		{"time", 51, "\x00\x00\x0e\x10", "lease_time", "1h0m0s"},
		{"no end", 51, "\xff\xff\xff\xff", "lease_time", "infinite"},
		{"text", 15, "lab.example.org", "domain_name", "lab.example.org"},
		{"number", 26, "\x05\xdc", "mtu", "1500"},
		{"numbers", 25, "\x00\x44\x05\xdc", "path_mtu_plateau_table", "68, 1500"},
		{"negative", 2, "\xff\xff\xff\xff", "time_offset", "-1"},
		{"small number", 23, "\x40", "default_ip_ttl", "64"},
		{"yes", 19, "\x01", "ip_forwarding", "true"},
		{"neither yes nor no", 19, "\x02", "ip_forwarding", "02"},
		{"pairs", 33, "\x0a\x00\x00\x01\x0a\x00\x00\x02", "static_routes", "10.0.0.1 10.0.0.2"},
		{"domains, compressed", 119, "\x03lab\x07example\x03org\x00\x02vm\xc0\x04", "domain_search", "lab.example.org, vm.example.org"},
		{"domains in a circle", 119, "\xc0\x00", "domain_search", "c0:00"},
		{"routes", 121, "\x10\x0a\x01\x0a\x00\x00\x02\x00\x0a\x00\x00\x01", "classless_routes", "10.1.0.0/16 via 10.0.0.2, 0.0.0.0/0 via 10.0.0.1"},
		{"a prefix too long", 121, "\x21\x0a\x01\x01\x01\x01\x0a\x00\x00\x02", "classless_routes", "21:0a:01:01:01:01:0a:00:00:02"},
		{"a route cut short", 121, "\x10\x0a\x01\x0a", "classless_routes", "10:0a:01:0a"},
		{"bytes", 61, "\x01\x52", "client_identifier", "01:52"},
		{"nobody's", 224, "\x01\x02", "", "01:02"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if label, got := DescribeOption(test.code, []byte(test.data)); label != test.label || got != test.want {
				t.Errorf("%s %q, want %s %q", label, got, test.label, test.want)
			}
		})
	}
}

// Whatever is in a reply can be described.
func FuzzDescribeOption(f *testing.F) {
	f.Add(uint8(119), []byte("\x03lab\x00\xc0\x00"))
	f.Add(uint8(121), []byte("\x20\x0a"))
	f.Fuzz(func(t *testing.T, code uint8, data []byte) {
		if _, value := DescribeOption(code, data); value == "" && len(data) > 2 && code != 119 {
			t.Errorf("option %d: nothing is said of %x", code, data)
		}
	})
}
