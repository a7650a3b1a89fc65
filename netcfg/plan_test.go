package netcfg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// randomConfig is any mix of networks and options.
func randomConfig(r *rand.Rand) Config {
	var cfg Config
	for i := range r.IntN(4) {
		n := Network{
			Name: fmt.Sprintf("n%d", i), Bridge: fmt.Sprintf("br%d", i), MTU: 1400 + r.IntN(3),
			Address:    netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, byte(1 + r.IntN(3))}), 22+r.IntN(4)),
			Masquerade: r.IntN(2) == 0, DHCP: r.IntN(2) == 0, DNS: r.IntN(2) == 0, Guard: Guard(r.IntN(3)),
			Uplink: []string{"", "", "eth0", "eth1", "eth9"}[r.IntN(5)],
		}
		if r.IntN(2) == 0 {
			n.Attach = []string{[]string{"tap*", "dmz*", "*"}[r.IntN(3)]}
		}
		if r.IntN(2) == 0 {
			n.DNSClients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
		}
		n.Isolate, n.Services = r.IntN(2) == 0, r.IntN(2) == 0
		if r.IntN(4) == 0 {
			n.Isolated, n.Masquerade, n.Uplink = true, false, ""
		}
		for from := range i {
			if r.IntN(3) == 0 {
				n.AllowFrom = append(n.AllowFrom, fmt.Sprintf("n%d", from))
			}
		}
		n.TAPs = randomTAPs(r, i)
		n.Secondary, n.Routes = randomSubnets(r, i)
		n.Publish = randomPublish(r, i, n.Address)
		cfg.Networks = append(cfg.Networks, n)
	}
	cfg.Segments = randomSegments(r)
	return cfg
}

// stir lets the world change: default routes, a segment's bridge, addresses of links, the host-wide switch.
func stir(r *rand.Rand, m *memory) {
	m.routes = slices.DeleteFunc(m.routes, func(old route) bool { return old.protocol != routeProtocol || r.IntN(3) == 0 })
	for _, name := range []string{"eth0", "eth1"} {
		if r.IntN(2) == 0 {
			m.routes = append(m.routes, route{table: 254, dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), links: []int{m.find(name).index}})
		}
	}
	stirSegment(r, m)
}

// vandalise changes some of what is ours, as no labnet would.
func vandalise(r *rand.Rand, m *memory) {
	for id, t := range m.tables {
		if id == bridgeTable && m.sysctls[bridgeCallsIPTables] == "1" {
			continue // whose hairpin modes are ours is known by this table alone
		}
		for name, c := range t.chains {
			switch r.IntN(8) {
			case 0:
				c.rules = nil
			case 1:
				c.rules = append(slices.Clone(c.rules), rule{tag: "foreign"})
			case 2:
				if c.base != nil {
					c.base = &base{kind: "filter", hook: 3, priority: 77}
				}
			}
			t.chains[name] = c
		}
		for name, s := range t.sets {
			switch r.IntN(8) {
			case 0:
				clear(s.elements)
			case 1:
				if s.key == keyIfname && !s.verdicts {
					s.elements["foreign0"] = ""
				}
			case 2:
				s.interval = !s.interval
				t.sets[name] = s
			}
		}
		t.counters["foreign"] = true
		t.timeouts["foreign"] = timeout{family: familyIPv4, unreplied: 1}
		if r.IntN(4) == 0 {
			delete(t.timeouts, "question4")
		}
		t.chains["foreign"] = chain{}
		t.dormant = r.IntN(4) == 0
	}
	for i := range m.links {
		if l := &m.links[i]; l.alias == alias {
			l.mtu += r.IntN(2)
			l.up = r.IntN(2) == 0
			l.stp = r.IntN(2) == 0
		} else if l.master != 0 && l.name != "eth2" && r.IntN(3) == 0 {
			// Whoever takes a port away decides on its state: here, as it was.
			l.master, l.up, l.isolated, l.hairpin = 0, l.index <= 4, false, false
		} else if l.master != 0 && l.name != "eth2" {
			l.isolated = r.IntN(2) == 0
		}
	}
	vandaliseTAPs(r, m)
	vandalisePorts(r, m)
	if r.IntN(2) == 0 && len(m.addresses) > 0 {
		m.addresses = m.addresses[1:]
	}
}

func TestPlanProperties(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, dir := newMemory(), t.TempDir()
		m.addSegment(r)
		if r.IntN(3) == 0 {
			m.sysctls[ipForward] = "1"
			for _, name := range []string{"eth0", "eth1"} {
				m.sysctls[forwardingOf(name)] = "1"
			}
		}
		untouched := m.String()
		h := m.host(t, dir)
		a, b := randomConfig(r), randomConfig(r)
		stir(r, m)
		if _, err := h.Apply(t.Context(), a); err != nil {
			t.Fatalf("seed %d: a: %v", seed, err)
		}
		stir(r, m)
		if r.IntN(2) == 0 {
			vandalise(r, m)
		}

		b, err := b.complete()
		if err != nil {
			t.Fatal(err)
		}
		reached := ""
		for cut := 0; ; cut++ {
			world := m.clone()
			h := world.host(t, dir)
			h.record = &recordFile{path: h.record.path + fmt.Sprint(cut), boot: "this boot", netns: 1}
			start, err := m.host(t, dir).record.load()
			if err != nil {
				t.Fatal(err)
			}
			if err := h.record.save(start); err != nil {
				t.Fatal(err)
			}
			_, more := dieAfter(t, h, b, cut)
			p, err := h.Apply(t.Context(), b)
			if err != nil {
				t.Fatalf("seed %d, after %d steps: %v\n%s", seed, cut, err, lines(p))
			}
			inOrder(t, h, b)
			if cut == 0 {
				reached = world.String()
			} else if diff := cmp.Diff(reached, world.String()); diff != "" {
				t.Fatalf("seed %d: after %d steps another goal is reached:\n%s", seed, cut, diff)
			}
			down(t, h)
			if diff := cmp.Diff(untouched, world.String()); diff != "" {
				t.Fatalf("seed %d: down after %d steps leaves the host changed:\n%s", seed, cut, diff)
			}
			if t.Failed() {
				t.Fatalf("seed %d, after %d steps", seed, cut)
			}
			if !more {
				break
			}
		}
	}
}

// Whatever step fails, Apply goes back to what was before.
func TestFailedApplyGoesBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to Config
	}{
		{"first", Config{}, networks(lab(), dmz())},
		{"another network", networks(lab()), networks(lab(), dmz())},
		{"one less", networks(lab(), dmz()), networks(dmz())},
		{"other options", networks(lab()), configs()["moved"]},
		{"everything", networks(lab()), Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for failAt := 1; ; failAt++ {
				m := newMemory()
				m.routes = []route{{dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), links: []int{2}}}
				h := m.host(t, t.TempDir())
				apply(t, h, c.from)
				before := m.String()
				m.steps, m.failAt = 0, failAt
				_, err := h.Apply(t.Context(), c.to)
				if err == nil {
					break
				}
				if !errors.Is(err, errInjected) {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, m.String()); diff != "" {
					t.Fatalf("failure of step %d: not gone back: %s", failAt, diff)
				}
				m.failAt = 0
				apply(t, h, c.to)
				inOrder(t, h, c.to)
			}
		})
	}
}

// Nothing is ever forwarded unfiltered: rules are there before addresses and forwarding, and go after them.
func TestOrder(t *testing.T) {
	m := newMemory()
	m.routes = []route{{dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), links: []int{2}}}
	h := m.host(t, t.TempDir())
	got := lines(apply(t, h, networks(lab())))
	mac := stableMAC("a machine", "br0")
	want := `firewall   + table inet labnet (18 chains, 61 rules)
firewall   + table bridge labnet (9 chains, 36 rules)
links      + link br0 (bridge, mtu 1500, mac ` + mac + `)
sysctls    + sysctl net.ipv4.conf.br0.promote_secondaries 1
sysctls    + sysctl net.ipv6.conf.br0.accept_ra 0
addresses  + address 10.0.0.1/24 on br0
sysctls    + sysctl net.ipv4.conf.br0.forwarding 1
sysctls    ~ sysctl net.ipv4.conf.eth0.forwarding 0 -> 1
ports      + port tap0 on br0
ports      + port tap1 on br0
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("up: %s", diff)
	}
	got = lines(apply(t, h, networks(lab(), dmz())))
	for _, line := range []string{
		"+ chain inet labnet from_dmz (5 rules)", "~ set inet labnet bridges (+br.dmz)", "+ sysctl net.ipv4.conf.br/dmz.forwarding 1",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in:\n%s", line, got)
		}
	}
	apply(t, h, networks(lab()))
	got = lines(down(t, h))
	want = `ports      - port tap0 on br0
ports      - port tap1 on br0 (down, as before)
sysctls    ~ sysctl net.ipv4.conf.eth0.forwarding 1 -> 0 (as before)
addresses  - address 10.0.0.1/24 on br0
links      - link br0
firewall   - table inet labnet (18 chains, 61 rules)
firewall   - table bridge labnet (9 chains, 36 rules)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("down: %s", diff)
	}
}

// What someone changed after us isn't put back.
func TestDownRespectsLaterChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *memory)
		want   string
	}{
		{"nothing", func(*memory) {}, "0"},
		{"set back by hand", func(m *memory) { m.sysctls[forwardingOf("eth0")] = "0" }, "0"},
		{"the host is a router now", func(m *memory) { m.sysctls[ipForward] = "1" }, "1"},
		{"another interface of that name", func(m *memory) { m.find("eth0").index = 77 }, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemory()
			m.routes = []route{{dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), links: []int{2}}}
			h := m.host(t, t.TempDir())
			apply(t, h, networks(lab()))
			c.change(m)
			down(t, h)
			if got := m.sysctls[forwardingOf("eth0")]; got != c.want {
				t.Errorf("eth0's forwarding is %s, want %s", got, c.want)
			}
		})
	}
}

// Where the record of a running network is lost, a failed Apply doesn't take it down: its guests keep what they have.
func TestNoWayBackToWhatIsUnknown(t *testing.T) {
	m := newMemory()
	apply(t, m.host(t, t.TempDir()), networks(lab()))
	h := m.host(t, t.TempDir())
	m.steps, m.failAt = 0, 3
	_, err := h.Apply(t.Context(), networks(lab(), dmz()))
	if !errors.Is(err, errInjected) || !strings.Contains(err.Error(), "no way back") {
		t.Errorf("apply: %v", err)
	}
	if l := m.find("br0"); l == nil || !l.up || m.tables[inetTable].chains["to_lab"].rules == nil {
		t.Error("the running network was taken down")
	}
	m.failAt = 0
	apply(t, h, networks(lab(), dmz()))
	inOrder(t, h, networks(lab(), dmz()))
}
