package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// configs are what the tests go through on the real kernel.
func configs() map[string]Config {
	return map[string]Config{
		"one":            networks(lab()),
		"two":            networks(lab(), dmz()),
		"masquerade_off": networks(with(lab(), func(n *Network) { n.Masquerade = false })),
		"named_uplink":   networks(with(lab(), func(n *Network) { n.Uplink = "eth0" })),
		"bare": networks(with(lab(), func(n *Network) {
			n.DHCP, n.DNS, n.Guard, n.MTU = false, false, GuardOff, 9000
		})),
		"moved": networks(with(lab(), func(n *Network) {
			n.Address = netip.MustParsePrefix("10.0.0.254/25")
			n.DNSClients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
		})),
		"separate": networks(
			with(lab(), func(n *Network) { n.Isolate, n.Services, n.AllowFrom = true, true, []string{"dmz"} }),
			with(dmz(), func(n *Network) { n.Isolated, n.Masquerade = true, false })),
		"published": networks(with(lab(), func(n *Network) {
			n.Guard = GuardStrict
			n.Publish = []Publish{
				{Name: "ssh", TCP: true, Listen: 2222, Port: 22, Count: 1, Target: netip.MustParseAddr("10.0.0.10")},
				{Name: "web", TCP: true, UDP: true, Listen: 8000, Port: 80, Count: 3, Guest: "web"},
				{Name: "names", UDP: true, Address: netip.MustParseAddr("192.0.2.2"), Listen: 53, Port: 53, Count: 1, Guest: "web"},
			}
		}), dmz()),
		"bridged": {Networks: []Network{dmz()}, Segments: []Segment{{Name: "lan", Bridge: "brlan", Uplink: "eth9", Attach: []string{"tap*"}}}},
		"nothing": {},
	}
}

func TestGoldenRulesets(t *testing.T) {
	for _, name := range []string{"one", "two", "masquerade_off", "named_uplink", "bare", "moved", "separate", "published"} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 0)
			r.Run(t, "ip", "tuntap", "add", "tap0", "mode", "tap")
			h := r.open(t)
			h.SetGuests(Guests{
				Bindings: map[Binding]bool{{"lab", MAC{2, 0xaa, 0, 0, 0, 0x0a}, netip.MustParseAddr("10.0.0.10")}: true},
				Names:    map[GuestName]netip.Addr{{"lab", "web"}: netip.MustParseAddr("10.0.0.11")},
			})
			apply(t, h, configs()[name])
			inOrder(t, h, configs()[name])
			ruleset := r.Run(t, "nft", "list", "ruleset")
			// Bridges' addresses are this machine's.
			for _, n := range configs()[name].Networks {
				ruleset = strings.ReplaceAll(ruleset, stableMAC(machineID(), n.Bridge), "<mac of "+n.Bridge+">")
			}
			ruleset = regexp.MustCompile(`packets \d+ bytes \d+`).ReplaceAllString(ruleset, "packets 0 bytes 0")
			golden(t, name+".nft", ruleset)
		})
	}
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	start := time.Now()
	apply(t, h, networks(lab(), dmz()))
	t.Logf("applied in %v", time.Since(start))
	nettest.Eventually(t, patience, func() error {
		if out := r.Run(t, "ip", "-o", "link", "show", "type", "bridge"); strings.Count(out, "NO-CARRIER") != 2 {
			return errors.New("the kernel hasn't noticed yet that there are no ports")
		}
		return nil
	})
	before := hostdump.Take(t, r.Host)
	for _, h := range []*Host{h, r.open(t)} {
		if p := apply(t, h, networks(lab(), dmz())); !p.Empty() {
			t.Errorf("changed:\n%s", lines(p))
		}
	}
	if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
		t.Error(diff)
	}
}

func TestBridgeIsAsMeant(t *testing.T) {
	r := newRouter(t)
	apply(t, r.open(t), networks(lab(), dmz()))
	for bridge, mtu := range map[string]string{"br0": "mtu 1500", "br.dmz": "mtu 1400"} {
		out := r.Run(t, "ip", "-d", "link", "show", bridge)
		for _, want := range []string{mtu, "stp_state 0", "forward_delay 0 ", "alias labnet", "UP", stableMAC(machineID(), bridge)} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in:\n%s", bridge, want, out)
			}
		}
		for key, want := range map[string]string{"ipv4/conf/%s/forwarding": "1", "ipv6/conf/%s/accept_ra": "0"} {
			path := "/proc/sys/net/" + fmt.Sprintf(key, bridge)
			if got := strings.TrimSpace(r.Run(t, "cat", path)); got != want {
				t.Errorf("%s is %s, not %s", path, got, want)
			}
		}
	}
	if got := strings.TrimSpace(r.Run(t, "sysctl", "-n", "net.ipv4.ip_forward")); got != "0" {
		t.Errorf("ip_forward is %s: the host became a router between all its interfaces", got)
	}
}

// A port with another MTU doesn't change the bridge's.
func TestBridgeKeepsItsMTU(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "sh", "-c", "ip tuntap add tap0 mode tap; ip link set tap0 mtu 9000; ip tuntap add tap1 mode tap; ip link set tap1 mtu 1280")
	h := r.open(t)
	apply(t, h, networks(lab()))
	inOrder(t, h, networks(lab()))
}

func TestDownLeavesTheHostAsItWas(t *testing.T) {
	for _, forward := range []string{"0", "1"} {
		for name, cfg := range configs() {
			t.Run(name+" with ip_forward "+forward, func(t *testing.T) {
				r := newRouter(t)
				r.Run(t, "sh", "-c", `
					nft add table inet foreign; nft add chain inet foreign c '{ type filter hook forward priority 5; }'
					ip tuntap add tap0 mode tap; ip link set tap0 up; ip link set tap0 down; ip link add veth0 type veth peer name veth1; ip link set veth0 up
					ip link set eth0 addrgenmode none; ip -6 address flush dev eth0; ip link set veth0 addrgenmode none
					ip link add br7 type bridge; ip route add 198.51.100.0/24 via 192.0.2.1 table 99`)
				r.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward="+forward)
				before := hostdump.Take(t, r.Host)
				cfg.Networks = append([]Network(nil), cfg.Networks...)
				for i := range cfg.Networks {
					cfg.Networks[i].Attach = []string{"tap*"}
				}

				h := r.open(t)
				apply(t, h, cfg)
				if name != "nothing" && hostdump.Diff(before, hostdump.Take(t, r.Host)) == "" {
					t.Fatal("nothing happened at all")
				}
				down(t, h)
				if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
					t.Errorf("after down: %s", diff)
				}

				// Another process, which knows nothing but the record.
				apply(t, h, cfg)
				other := r.open(t)
				p, err := other.PlanDown()
				if err != nil {
					t.Fatal(err)
				}
				if got := down(t, other); lines(got) != lines(p) {
					t.Errorf("down did\n%sbut had planned\n%s", lines(got), lines(p))
				}
				if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
					t.Errorf("after down by another process: %s", diff)
				}
				if p, err := other.PlanDown(); err != nil || !p.Empty() {
					t.Errorf("down leaves: %v\n%s", err, lines(p))
				}
				if _, err := os.Stat(r.record); !os.IsNotExist(err) {
					t.Errorf("the record is still there: %v", err)
				}
			})
		}
	}
}

// aSegment makes a bridge on the LAN as a handover leaves it.
const aSegment = `ip link add eth9 address 02:00:00:00:00:99 type veth peer name lan9; ip link add brlan address 02:00:00:00:00:99 type bridge
	ip link set eth9 master brlan; ip link set brlan alias 'labnet bridged'`

func TestPlansOnTheKernel(t *testing.T) {
	all := configs()
	r := newRouter(t)
	r.Run(t, "sh", "-c", "ip tuntap add tap0 mode tap; ip tuntap add dmz0 mode tap; "+aSegment)
	h := r.open(t)
	for from, a := range all {
		for to, b := range all {
			apply(t, h, a)
			inOrder(t, h, a)
			apply(t, h, b)
			inOrder(t, h, b)
			if t.Failed() {
				t.Fatalf("from %s to %s", from, to)
			}
		}
	}
}

// Whatever step a process dies after, the next one reaches the goal, and its Down leaves nothing.
func TestKilledInMidApply(t *testing.T) {
	all := configs()
	r := newRouter(t)
	r.Run(t, "sh", "-c", "ip tuntap add tap0 mode tap; ip link set tap0 up; ip link set tap0 down; ip link set eth0 addrgenmode none; ip -6 address flush dev eth0; "+aSegment)
	before := hostdump.Take(t, r.Host)
	for _, c := range []struct{ from, to string }{
		{"nothing", "two"},
		{"two", "moved"},
		{"one", "nothing"},
		{"two", "separate"},
		{"separate", "one"},
		{"two", "published"},
		{"published", "one"},
		{"published", "bridged"},
		{"bridged", "one"},
	} {
		for steps := 0; ; steps++ {
			h := r.open(t)
			apply(t, h, all[c.from])
			done, cut := dieAfter(t, h, all[c.to], steps)

			next := r.open(t)
			apply(t, next, all[c.to])
			inOrder(t, next, all[c.to])
			if steps%3 == 0 {
				apply(t, next, all[c.from])
				dieAfter(t, next, all[c.to], steps)
			}
			down(t, r.open(t))
			if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
				t.Fatalf("from %s to %s, killed after %d steps (%v): %s", c.from, c.to, steps, done, diff)
			}
			if !cut {
				break
			}
		}
	}
}

// dieAfter makes the first steps of an Apply, and what Apply writes before them, but nothing more.
func dieAfter(t *testing.T, h *Host, cfg Config, steps int) (done []Change, cut bool) {
	t.Helper()
	cfg, err := cfg.complete()
	if err != nil {
		t.Fatal(err)
	}
	f, have, want, err := h.survey(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := plan(have, want)
	if err := h.record.save(f.record.remember(p, f)); err != nil {
		t.Fatal(err)
	}
	for i, step := range p.steps() {
		if i == steps {
			return done, true
		}
		if err := h.kernel.do(step); err != nil {
			t.Fatal(err)
		}
		done = append(done, step...)
	}
	return done, false
}

// A bridge whose maker died before it could mark it is recognised by its address, and no other is.
func TestUnmarkedBridges(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	r.Run(t, "ip", "link", "add", "br0", "address", stableMAC(machineID(), "br0"), "type", "bridge")
	apply(t, h, networks(lab()))
	inOrder(t, h, networks(lab()))
	down(t, h)

	r.Run(t, "ip", "link", "add", "br0", "type", "bridge")
	before := hostdump.Take(t, r.Host)
	_, err := h.Apply(t.Context(), networks(lab()))
	if err == nil || !strings.Contains(err.Error(), "br0") || !strings.Contains(err.Error(), "isn't labnet's") {
		t.Errorf("someone else's bridge was taken: %v", err)
	}
	if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
		t.Error(diff)
	}
}

// What a labnet left behind whose record is lost too is found by its marks.
func TestOrphans(t *testing.T) {
	r := newRouter(t)
	apply(t, r.open(t), networks(lab(), dmz()))
	if err := os.Remove(r.record); err != nil {
		t.Fatal(err)
	}
	h := r.open(t)
	p := apply(t, h, networks(lab()))
	if got := lines(p); !strings.Contains(got, "- link br.dmz") || strings.Contains(got, "link br0") {
		t.Errorf("not the orphan alone was removed:\n%s", got)
	}
	if err := os.Remove(r.record); err != nil {
		t.Fatal(err)
	}
	down(t, r.open(t))
	if out := r.Run(t, "sh", "-c", "ip -o link; nft list ruleset"); strings.Contains(out, "br0") || strings.Contains(out, "labnet") {
		t.Errorf("left behind:\n%s", out)
	}
}

// What people added by hand to our bridge stays.
func TestForeignAddressStays(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	apply(t, h, networks(lab()))
	r.Run(t, "ip", "address", "add", "203.0.113.1/24", "dev", "br0")
	apply(t, h, networks(lab())) // the rules let it be
	inOrder(t, h, networks(lab()))
	apply(t, h, networks(with(lab(), func(n *Network) { n.Address = netip.MustParsePrefix("10.0.0.2/24") })))
	out := r.Run(t, "ip", "-o", "-4", "address", "show", "br0")
	if !strings.Contains(out, "203.0.113.1/24") || !strings.Contains(out, "10.0.0.2/24") || strings.Contains(out, "10.0.0.1/24") {
		t.Errorf("addresses:\n%s", out)
	}
}
