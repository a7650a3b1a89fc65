package dhcpserver

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestCompileRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no network", func(c *Config) { c.Network = "" }, "no network name"},
		{"a long interface name", func(c *Config) { c.Interface = "abcdefghijklmnop" }, "1 to 15"},
		{"no address", func(c *Config) { c.Address = netip.Prefix{} }, "IPv4 host address"},
		{"IPv6", func(c *Config) { c.Address = netip.MustParsePrefix("2001:db8::1/64") }, "IPv4 host address"},
		{"the subnet's own address", func(c *Config) { c.Address = netip.MustParsePrefix("10.0.0.0/24") }, "host address"},
		{"the broadcast address", func(c *Config) { c.Address = netip.MustParsePrefix("10.0.0.255/24") }, "host address"},
		{"a subnet without room", func(c *Config) { c.Address = netip.MustParsePrefix("10.0.0.1/31") }, "30 bits"},
		{"no lease time", func(c *Config) { c.LeaseTime = 0 }, "at least a second"},
		{"a host's lease time", func(c *Config) { c.Hosts = []HostOptions{{Host: "db", LeaseTime: time.Millisecond}} }, `host "db"`},
		{"a small MTU", func(c *Config) { c.MTU = 575 }, "at least 576"},
		{"an unknown policy", func(c *Config) { c.Identity = 9 }, "policy 9"},
		{"an option of ours", func(c *Config) { c.Options = []Option{{Code: 51, Data: []byte{1, 2, 3, 4}}} }, "option 51"},
		{"an option of ours for a host", func(c *Config) { c.Hosts = []HostOptions{{Host: "db", Options: []Option{opt(54, 1, 2, 3, 4)}}} }, `host "db": option 54`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := testConfig()
			tc.change(&cfg)
			if _, err := compile(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something with %q", err, tc.want)
			}
		})
	}
}

func TestHostOptionsOverrideTheNetworks(t *testing.T) {
	s := testSettings(t, func(c *Config) {
		c.Options = append(c.Options, optIP(3, "10.0.0.2"))
		c.Hosts = []HostOptions{{Host: "db", LeaseTime: time.Minute, Options: []Option{optIP(6, "192.0.2.53"), opt(15)}}}
	})
	wires := func(p *profile) string {
		var b []byte
		for _, o := range p.options[:2] {
			b = append(b, o.wire...)
		}
		return string(b)
	}
	if got, want := wires(s.base), "\x03\x04\x0a\x00\x00\x02\x06\x04\x0a\x00\x00\x01"; got != want {
		t.Errorf("the network's: %x, want %x", got, want)
	}
	m := request{kind: typeDiscover}.parse(t)
	db := s.profileFor(m, "db")
	if got, want := wires(db), "\x03\x04\x0a\x00\x00\x02\x06\x04\xc0\x00\x02\x35"; got != want {
		t.Errorf("the host's: %x, want %x", got, want)
	}
	if db.index[15] != 0 || s.base.index[15] == 0 {
		t.Error("an option without data takes the network's away from the host, and only from the host")
	}
	if db.leaseTime != time.Minute || s.profileFor(m, "other").leaseTime != time.Hour {
		t.Error("lease times")
	}
}
