package hostdump_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

func TestMain(m *testing.M) { nettest.Main(m) }

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"lifetimes", "       valid_lft 86211sec preferred_lft 3600sec", "       valid_lft … preferred_lft …"},
		{"no lifetime", "       valid_lft forever preferred_lft forever", "       valid_lft forever preferred_lft forever"},
		{"a route's", "default via fe80::1 dev eth0 proto ra metric 1024 expires 1790sec pref medium", "default via fe80::1 dev eth0 proto ra metric 1024 expires … pref medium"},
		{"counters", "		counter name \"x\" packets 12 bytes 900 drop", "		counter name \"x\" packets … bytes … drop"},
		{"timers", "hello_timer    1.20 gc_timer  114.09", "hello_timer … gc_timer …"},
		{"tracked connections", "net.netfilter.nf_conntrack_count = 3", "net.netfilter.nf_conntrack_count = …"},
		{"their limit stays", "net.netfilter.nf_conntrack_max = 3", "net.netfilter.nf_conntrack_max = 3"},
		{"temporary addresses", "    inet6 2001:db8::9/64 scope global temporary dynamic \n       valid_lft 5sec preferred_lft 4sec\n    inet6 2001:db8::1/64 scope global", "    inet6 2001:db8::1/64 scope global"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(hostdump.Normalise(c.in+"\n"), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A dump is of a host whose addresses are all in use.
func TestTakeWaitsForAddresses(t *testing.T) {
	host := nettest.NewHost(t, "host")
	host.Run(t, "sh", "-c", `
		ip link add link0 type veth peer name link9
		ip link set link0 up; ip link set link9 up`)
	nettest.Eventually(t, 15*time.Second, func() error {
		if out := host.Run(t, "ip", "-6", "-o", "address", "show", "dev", "link0"); !strings.Contains(out, "fe80") {
			return errors.New(out)
		}
		return nil
	})
	dump := strings.Join(hostdump.Take(t, host), "\n")
	if out := host.Run(t, "ip", "-6", "-o", "address", "show", "dev", "link0", "tentative"); out != "" {
		t.Error(out)
	}
	if strings.Count(dump, "local fe80") != 2 {
		t.Errorf("no routes of both addresses:\n%s", dump)
	}
}

// Every kind of change that labnet makes, and its neighbours, must show.
func TestDumpHidesNothing(t *testing.T) {
	host := nettest.NewHost(t, "host")
	host.Run(t, "sh", "-c", `
		# No addresses that take their time to become usable.
		sysctl -q -w net.ipv6.conf.default.disable_ipv6=1
		ip link add br7 type bridge; ip link add link0 type veth peer name link9; ip link set link9 up; ip tuntap add link1 mode tap
		ip address add 192.0.2.1/24 dev link0; ip link set link0 up
		nft add table inet foreign; nft add chain inet foreign c; nft add set inet foreign s '{ type ipv4_addr; }'`)
	// The kernel tells of a carrier up to a second later.
	nettest.Eventually(t, 15*time.Second, func() error {
		if out := host.Run(t, "ip", "-o", "link", "show", "type", "veth"); strings.Count(out, "state UP") != 2 {
			return errors.New(out)
		}
		return nil
	})
	for _, c := range []struct{ name, change, undo string }{
		{"link", "ip link add x0 type bridge", "ip link del x0"},
		{"mtu", "ip link set link1 mtu 1400", "ip link set link1 mtu 1500"},
		{"alias", "ip link set link1 alias labnet", "ip link set link1 alias ''"},
		{"mac", "ip link set br7 address 02:00:00:00:00:07", ""},
		{"stp", "ip link set br7 type bridge forward_delay 400", "ip link set br7 type bridge forward_delay 1500"},
		{"port", "ip link set link1 master br7", ""},
		{"address", "ip address add 192.0.2.9/24 dev link0", "ip address del 192.0.2.9/24 dev link0"},
		{"route", "ip route add 198.51.100.0/24 dev link0", "ip route del 198.51.100.0/24"},
		{"route of another table", "ip route add 198.51.100.0/24 dev link0 table 99", "ip route del 198.51.100.0/24 table 99"},
		{"rule", "ip rule add from 192.0.2.9 table 99", "ip rule del from 192.0.2.9 table 99"},
		{"sysctl", "sysctl -q -w net.ipv4.conf.link0.forwarding=1", "sysctl -q -w net.ipv4.conf.link0.forwarding=0"},
		{"host-wide forwarding", "sysctl -q -w net.ipv4.ip_forward=1", "sysctl -q -w net.ipv4.ip_forward=0"},
		{"table", "nft add table inet labnet", "nft delete table inet labnet"},
		{"rule of nftables", "nft add rule inet foreign c counter accept", "nft flush chain inet foreign c"},
		{"element", "nft add element inet foreign s '{ 192.0.2.1 }'", "nft flush set inet foreign s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := hostdump.Take(t, host)
			host.Run(t, "sh", "-c", c.change)
			if hostdump.Diff(before, hostdump.Take(t, host)) == "" {
				t.Errorf("doesn't show: %s", c.change)
			}
			if c.undo == "" {
				return
			}
			host.Run(t, "sh", "-c", c.undo)
			if diff := hostdump.Diff(before, hostdump.Take(t, host)); diff != "" {
				t.Errorf("not as before: %s", diff)
			}
		})
	}
}
