package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labnet/internal/durable"
	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

func TestMain(m *testing.M) { nettest.Main(m) }

// site is a host with an uplink that has everything that must not be lost, and a router on the LAN.
type site struct {
	host, router *nettest.Host
	dir          string
}

var inherit = Config{Network: "lan", Uplink: "eth0", Bridge: "br0"}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{host: nettest.NewHost(t, "host"), router: nettest.NewHost(t, "router"), dir: t.TempDir()}
	nettest.Link(t, s.router, "eth0", s.host, "eth0")
	s.router.Run(t, "sh", "-ec", `
		ip address add 192.0.2.1/24 dev eth0
		ip address add 2001:db8::1/64 dev eth0 nodad`)
	s.host.Run(t, "sh", "-ec", `
		ip address add 192.0.2.2/24 dev eth0
		ip address add 192.0.2.3/24 dev eth0
		ip address add 198.51.100.2/25 dev eth0 label eth0:more
		ip address add 2001:db8::2/64 dev eth0 nodad
		ip address add 2001:db8::3/64 dev eth0 nodad valid_lft 3000 preferred_lft 2000
		ip route add default via 192.0.2.1 metric 100
		ip route add default via 192.0.2.1 metric 200 src 192.0.2.3 mtu 1400
		ip route add 203.0.113.0/24 via 192.0.2.1 src 192.0.2.2
		ip route add 203.0.113.128/25 dev eth0 scope link
		ip route add 198.18.0.0/15 via 192.0.2.1 table 99
		ip route add 198.19.0.0/16 nexthop via 192.0.2.1 dev eth0 weight 2 nexthop via 192.0.2.9 dev eth0
		ip -6 route add default via 2001:db8::1
		ip -6 route add 2001:db8:7::/48 via 2001:db8::1 metric 77 table 99
		ip rule add iif eth0 to 198.18.0.0/15 table 99 priority 500
		ip -6 rule add oif eth0 table 99 priority 501
		sysctl -qw net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth0.arp_ignore=1 net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.hop_limit=61`)
	return s
}

// open returns a Host as a new process would.
func (s *site) open(t *testing.T) *Host {
	t.Helper()
	free := func(context.Context) (func(), error) { return func() {}, nil }
	h, err := Open(s.dir, free, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	h.root = t.TempDir()
	return h
}

// dump is the host with the kernel's lists of routes sorted: where several lead to one destination, as to fe80::/64 from every
// link, the order is that of their making.
func (s *site) dump(t *testing.T) hostdump.Dump {
	t.Helper()
	return sorted(hostdump.Take(t, s.host))
}

func sorted(dump hostdump.Dump) hostdump.Dump {
	out := slices.Clone(dump)
	for i := 0; i < len(out); i++ {
		if !strings.Contains(out[i], "route show") {
			continue
		}
		end := i + 1
		for end < len(out) && !strings.HasPrefix(out[end], "# ") {
			end++
		}
		slices.Sort(out[i+1 : end])
	}
	return out
}

func TestMoveAndBack(t *testing.T) {
	nettest.NeedRoot(t)
	s := newSite(t)
	before := s.dump(t)
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		if err := h.Keep(t.Context(), inherit, false); err != nil {
			t.Fatal(err)
		}
	})
	for _, c := range []struct{ command, want string }{
		{"ip -o link show eth0", "master br0"},
		{"ip -o -4 address show br0", "192.0.2.3/24"},
		{"ip -o -4 address show br0", "br0:more"},
		{"ip -o -6 address show br0", "2001:db8::2/64"},
		{"ip route show", "default via 192.0.2.1 dev br0 metric 100"},
		{"ip route show", "192.0.2.0/24 dev br0 proto kernel"},
		{"ip route show table 99", "198.18.0.0/15 via 192.0.2.1 dev br0"},
		{"ip -6 route show", "default via 2001:db8::1 dev br0"},
		{"ip rule show", "iif br0"},
		{"sysctl net.ipv4.conf.br0.rp_filter", "= 2"},
	} {
		if got := s.host.Run(t, "sh", "-c", c.command); !strings.Contains(got, c.want) {
			t.Errorf("%s lacks %q:\n%s", c.command, c.want, got)
		}
	}
	for _, command := range []string{"ip -4 -o address show eth0", "ip -6 -o address show eth0", "ip route show dev eth0", "ip -6 route show dev eth0"} {
		if got := s.host.Run(t, "sh", "-c", command); got != "" {
			t.Errorf("%s still says:\n%s", command, got)
		}
	}
	s.host.Run(t, "ping", "-c1", "-W2", "192.0.2.1")
	s.host.Run(t, "ping", "-6", "-c1", "-W5", "2001:db8::1")

	// What others make meanwhile stays.
	s.host.Run(t, "sh", "-ec", "ip address add 192.0.2.77/24 dev br0; ip route add 198.51.100.128/25 via 192.0.2.1; ip link add own type bridge; ip address add 203.0.113.9/32 dev lo")
	s.back(t)
	s.host.Run(t, "sh", "-ec", "ip address del 192.0.2.77/24 dev eth0; ip route del 198.51.100.128/25 via 192.0.2.1 dev eth0; ip link del own; ip address del 203.0.113.9/32 dev lo")
	if diff := hostdump.Diff(before, s.dump(t)); diff != "" {
		t.Errorf("the host isn't what it was:\n%s", diff)
	}
}

// back goes back in a process of its own, as it were.
func (s *site) back(t *testing.T) {
	t.Helper()
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		out, ok, err := h.Back(t.Context(), "a test")
		if err != nil || !ok || len(out.Differences) > 0 {
			t.Errorf("went back: %v, %v, %q", ok, err, out.Differences)
		}
		if state, err := h.State(); err != nil || state.Phase != None {
			t.Errorf("after it: %v %v", state.Phase, err)
		}
	})
}

// TestBackFromEveryStep ends the move after each of its steps, as a crash would, and lets another process go back.
func TestBackFromEveryStep(t *testing.T) {
	nettest.NeedRoot(t)
	for _, cfg := range []Config{
		inherit,
		{Network: "lan", Uplink: "eth0", Bridge: "br0", Address: netip.MustParsePrefix("192.0.2.2/25"), Gateway: netip.MustParseAddr("192.0.2.1")},
		{Network: "lan", Uplink: "eth0", Bridge: "br0", DHCP: true},
	} {
		s := newSite(t)
		before := s.dump(t)
		steps := 0
		for after, done := 1, false; !done; after++ {
			s.host.Do(t, func() {
				h := s.open(t)
				defer h.Close()
				state, err := h.Prepare(cfg, time.Minute, false)
				if err != nil {
					t.Fatal(err)
				}
				h.stopAfter = after
				_, err = h.Move(t.Context(), state.Token, false)
				if done = err == nil; !done && !errors.Is(err, errStopped) {
					t.Fatalf("stopped after %d steps: %v", after, err)
				}
			})
			s.back(t)
			if diff := hostdump.Diff(before, s.dump(t)); diff != "" {
				t.Fatalf("stopped after %d steps, the host isn't what it was:\n%s", after, diff)
			}
			steps = after
		}
		if steps < 20 {
			t.Errorf("only %d steps", steps)
		}
	}
}

func TestAWayBackThatIsBrokenOffGoesOn(t *testing.T) {
	nettest.NeedRoot(t)
	s := newSite(t)
	before := s.dump(t)
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		if err := h.Keep(t.Context(), inherit, false); err != nil {
			t.Fatal(err)
		}
	})
	// Some of it has been made by hand, or by a process that was killed.
	s.host.Run(t, "sh", "-ec", "sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.disable_ipv6=0; ip address add 192.0.2.2/24 dev eth0; ip link del br0")
	s.back(t)
	if diff := hostdump.Diff(before, s.dump(t)); diff != "" {
		t.Errorf("the host isn't what it was:\n%s", diff)
	}
}

func TestPlainRefusals(t *testing.T) {
	nettest.NeedRoot(t)
	for _, c := range []struct {
		name, make, want string
		cfg              Config
		force            bool
	}{
		{name: "no such uplink", cfg: Config{Uplink: "eth7", Bridge: "br0"}, want: "the uplink eth7 doesn't exist"},
		{name: "loopback", cfg: Config{Uplink: "lo", Bridge: "br0"}, want: "lo isn't Ethernet"},
		{name: "down", make: "ip link set eth0 down", want: "eth0 is down"},
		{name: "a port already", make: "ip link add br9 type bridge; ip link set eth0 master br9", want: "eth0 is a port of br9 already"},
		{name: "macvlan", make: "ip link add mac0 link eth0 type macvlan", want: "mac0 (macvlan) stands on eth0"},
		{name: "a bridge", make: "ip link add br9 type bridge; ip link set br9 up", cfg: Config{Uplink: "br9", Bridge: "br0"}, want: "br9 is a bridge itself"},
		{name: "another's bridge", make: "ip link add br0 type bridge", want: "there is already a link br0 (bridge) that isn't labnet's"},
		{name: "no address", make: "ip -4 address flush dev eth0", want: "eth0 has no IPv4 address to inherit"},
		{name: "leased address", make: "ip address change 192.0.2.2/24 dev eth0 valid_lft 600 preferred_lft 600", want: "192.0.2.2/24 of eth0 is leased"},
		{name: "silent gateway", make: "ip route add default via 192.0.2.200 metric 5", want: "the gateway 192.0.2.200 doesn't answer ARP"},
		{name: "own default route", make: "ip link add br9 type bridge; ip link set br9 alias labnet; ip link set br9 up; ip route add default dev br9 metric 7", want: "goes over labnet's bridge br9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			if c.make != "" {
				s.host.Run(t, "sh", "-ec", c.make)
			}
			if c.cfg.Uplink == "" {
				c.cfg = inherit
			}
			before := s.dump(t)
			s.host.Do(t, func() {
				h := s.open(t)
				defer h.Close()
				if _, err := h.Prepare(c.cfg, time.Minute, c.force); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("the error is %v, want %q", err, c.want)
				}
			})
			if diff := hostdump.Diff(before, s.dump(t)); diff != "" {
				t.Errorf("the host is touched:\n%s", diff)
			}
		})
	}
}

func TestAStalePlanIsRefused(t *testing.T) {
	nettest.NeedRoot(t)
	s := newSite(t)
	var token string
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		state, err := h.Prepare(inherit, time.Minute, false)
		if err != nil {
			t.Fatal(err)
		}
		token = state.Token
	})
	s.host.Run(t, "ip", "route", "add", "198.51.100.128/25", "via", "192.0.2.1")
	before := s.dump(t)
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		if _, err := h.Move(t.Context(), token, false); !errors.Is(err, errStale) {
			t.Errorf("the error is %v", err)
		}
	})
	if diff := hostdump.Diff(before, s.dump(t)); diff != "" {
		t.Errorf("the host is touched:\n%s", diff)
	}
}

// A gateway that doesn't answer over the bridge is a reason to go back at once.
func TestAFailedVerificationGoesBack(t *testing.T) {
	nettest.NeedRoot(t)
	s := newSite(t)
	before := s.dump(t)
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		state, err := h.Prepare(inherit, time.Minute, false)
		if err != nil {
			t.Fatal(err)
		}
		state.Gateways = append(state.Gateways, "192.0.2.99")
		if err := h.save(stateFile, state); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Move(t.Context(), state.Token, false); err == nil || !strings.Contains(err.Error(), "192.0.2.99 doesn't answer") {
			t.Errorf("the error is %v", err)
		}
		if out, ok, err := h.Outcome(); err != nil || !ok || len(out.Differences) > 0 {
			t.Errorf("went back: %+v %v %v", out, ok, err)
		}
	})
	if diff := hostdump.Diff(before, s.dump(t)); diff != "" {
		t.Errorf("the host isn't what it was:\n%s", diff)
	}
}

func TestManagersAreFound(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nobody", map[string]string{"run/NetworkManager/devices/7": "[device]\nmanaged=false\n", "run/systemd/netif/links/7": "ADMIN_STATE=unmanaged\n", "run/network/ifstate": "lo=lo\neth1=eth1\n"}, ""},
		{"NetworkManager", map[string]string{"run/NetworkManager/devices/7": "[device]\nmanaged=true\n"}, "/etc/NetworkManager/conf.d/90-labnet.conf"},
		{"systemd-networkd", map[string]string{"run/systemd/netif/links/7": "ADMIN_STATE=configured\n"}, "/etc/systemd/network/05-labnet.network"},
		{"netplan", map[string]string{"run/systemd/netif/links/7": "ADMIN_STATE=configured\n", "etc/netplan/50-init.yaml": "network:\n  ethernets:\n    eth0:\n      dhcp4: true\n"}, "out of /etc/netplan/50-init.yaml"},
		{"ifupdown", map[string]string{"run/network/ifstate": "lo=lo\neth0=eth0\n"}, "/etc/network/interfaces"},
		{"dhclient", map[string]string{"run/dhclient.eth0.pid": pid + "\n", "proc/" + pid + "/comm": "dhclient\n"}, "kill " + pid},
		{"a dhclient that is gone", map[string]string{"run/dhclient.eth0.pid": pid + "\n", "proc/" + pid + "/comm": "bash\n"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &Host{root: t.TempDir()}
			for name, text := range c.files {
				if err := durable.Replace(filepath.Join(h.root, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			found := h.managers(link{index: 7, name: "eth0"}, "br0")
			if c.want == "" {
				if len(found) > 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			if len(found) != 1 || !found[0].Force || !strings.Contains(found[0].Error(), c.want) {
				t.Errorf("found %v, want %q", found, c.want)
			}
		})
	}
}

func TestWirelessAndClouds(t *testing.T) {
	h := &Host{root: t.TempDir()}
	if h.wireless("wlan0") || h.cloud() != "" {
		t.Error("a plain machine is more than that")
	}
	for name, text := range map[string]string{"sys/class/net/wlan0/phy80211/name": "phy0\n", "sys/class/dmi/id/sys_vendor": "Amazon EC2\n"} {
		if err := durable.Replace(filepath.Join(h.root, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if !h.wireless("wlan0") || h.wireless("eth0") || h.cloud() != "Amazon EC2" {
		t.Errorf("wlan0 %v, eth0 %v, at %q", h.wireless("wlan0"), h.wireless("eth0"), h.cloud())
	}
}
