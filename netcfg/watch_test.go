package netcfg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"labnet/internal/nettest"
)

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running applies a configuration and keeps it, with its log to be read.
func running(t *testing.T, r *router, cfg Config) (*Host, *logged) {
	t.Helper()
	h, log := r.open(t), &logged{}
	h.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	apply(t, h, cfg)
	keep(t, h)
	// What happens before both subscriptions stand is repaired too, but its author isn't known.
	nettest.Eventually(t, patience, func() error {
		if strings.Count(log.String(), "watching the host's network") < 2 {
			return errors.New("not watching yet")
		}
		return nil
	})
	return h, log
}

// soon waits until there is nothing left to do.
func soon(t *testing.T, h *Host, cfg Config) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		p, err := h.Plan(cfg)
		if err != nil {
			return err
		}
		if !p.Empty() {
			return errors.New(lines(p))
		}
		return nil
	})
}

func says(t *testing.T, log *logged, what string) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		if !strings.Contains(log.String(), what) {
			return fmt.Errorf("the log doesn't say %q:\n%s", what, log)
		}
		return nil
	})
}

// Not parallel: other tests' goroutines would be taken for Run's.
func TestRunLeavesNothingBehind(t *testing.T) {
	r := newRouter(t)
	cfg := networks(lab())
	h := r.open(t)
	apply(t, h, cfg)
	before := goleak.IgnoreCurrent()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	r.Run(t, "ip", "address", "del", "10.0.0.1/24", "dev", "br0")
	soon(t, h, cfg)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	for _, c := range []struct{ name, harm, says string }{
		{"ruleset flushed", "nft flush ruleset", "+ table inet labnet"},
		{"rule deleted", "nft flush chain inet labnet to_lab", "~ chain inet labnet to_lab (0 -> 3 rules)"},
		{"rule added", "nft insert rule inet labnet to_lab accept", "by=\"nft (pid"},
		{"rule replaced", `nft replace rule inet labnet to_lab handle "$(nft -a list chain inet labnet to_lab | sed -n 's/.*reject.*handle //p')" accept`, "~ chain inet labnet to_lab (3 rules)"},
		{"element deleted", "nft delete element inet labnet bridges '{ br0 }'", "~ set inet labnet bridges (+br0)"},
		{"element added", "nft add element inet labnet closed_uplinks '{ br0 }'", "~ set inet labnet closed_uplinks (-br0)"},
		{"chain added", "nft add chain inet labnet mine", "- chain inet labnet mine"},
		{"hook moved", "nft 'delete chain inet labnet input; add chain inet labnet input { type filter hook input priority 7; }'", "~ table inet labnet"},
		{"sleeping table", "nft add table bridge labnet '{ flags dormant; }'", "~ table bridge labnet"},
		{"bridge deleted", "ip link del br0", "+ link br0"},
		{"bridge down", "ip link set br0 down", "~ link br0 (down -> up)"},
		{"stp", "ip link set br0 type bridge forward_delay 400 stp_state 1", "stp on -> off"},
		{"mac", "ip link set br0 address 02:00:00:00:00:07", "mac 02:00:00:00:00:07 -> "},
		{"mtu", "ip link set br0 mtu 1400", "mtu 1400 -> 1500"},
		{"address deleted", "ip address del 10.0.0.1/24 dev br0", "+ address 10.0.0.1/24 on br0"},
		{"forwarding", "sysctl -q -w net.ipv4.conf.eth0.forwarding=0", "~ sysctl net.ipv4.conf.eth0.forwarding 0 -> 1"},
		{"forwarding host-wide", "sysctl -q -w net.ipv4.ip_forward=1; sysctl -q -w net.ipv4.ip_forward=0", "~ sysctl net.ipv4.conf.eth0.forwarding 0 -> 1"},
		{"a setting that the kernel tells nobody of", "sysctl -q -w net.ipv6.conf.br0.accept_ra=1", "~ sysctl net.ipv6.conf.br0.accept_ra 1 -> 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRouter(t)
			cfg := networks(lab())
			h, log := running(t, r, cfg)
			r.Run(t, "sh", "-c", c.harm)
			says(t, log, c.says)
			soon(t, h, cfg)
			if strings.Contains(log.String(), "ERROR") {
				t.Errorf("log:\n%s", log)
			}
			// A repair is counted behind its line.
			nettest.Eventually(t, patience, func() error {
				said := uint64(strings.Count(log.String(), "msg=repaired"))
				if got := h.Stats(); got.Repaired != said || got.Failures != 0 || got.Resting || got.Failed || got.Applied.IsZero() {
					return fmt.Errorf("%d repairs are said, counted: %+v", said, got)
				}
				return nil
			})
		})
	}
}

func TestUplinkIsFollowed(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "ip", "route", "del", "default")
	other := r.secondLAN(t)
	a := r.guest(t, "tap0", "10.0.0.10/24")
	echo(t, r.lan, "0.0.0.0:7")
	echo(t, other, "0.0.0.0:7")
	forwarding := func(want string) {
		t.Helper()
		nettest.Eventually(t, patience, func() error {
			got := strings.Fields(r.Run(t, "sysctl", "-n", "net.ipv4.conf.eth0.forwarding", "net.ipv4.conf.eth1.forwarding"))
			if strings.Join(got, " ") != want {
				return fmt.Errorf("forwarding of eth0 and eth1 is %v, not %s", got, want)
			}
			return nil
		})
	}
	h, log := running(t, r, networks(lab()))
	problems, err := h.Check(networks(lab()))
	if err != nil || len(problems) != 1 || problems[0].Fatal || !strings.Contains(problems[0].Summary, "no default route") {
		t.Errorf("problems without an uplink: %v %+v", err, problems)
	}
	forwarding("0 0")
	r.Run(t, "ip", "route", "add", "default", "via", "192.0.2.1")
	forwarding("1 0")
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
	r.Run(t, "ip", "route", "replace", "default", "via", "198.51.100.1")
	forwarding("0 1")
	reaches(t, a, "198.51.100.1:7", "198.51.100.2")
	unreachable(t, other, "192.0.2.1:7")
	r.Run(t, "ip", "link", "del", "eth1")
	nettest.Link(t, r.Host, "eth1", other, "eth1")
	soon(t, h, networks(lab()))
	if strings.Contains(log.String(), "repaired") {
		t.Errorf("following the uplink isn't a repair:\n%s", log)
	}
	down(t, h)
	forwarding("0 0")
}

func master(r *router, t *testing.T, port, want string) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		if out := r.Run(t, "ip", "-o", "link", "show", port); !strings.Contains(out, want) {
			return fmt.Errorf("not %q: %s", want, out)
		}
		return nil
	})
}

func TestPorts(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "sh", "-c", "ip tuntap add tap0 mode tap; ip tuntap add other0 mode tap; ip link set other0 up")
	h, log := running(t, r, networks(lab()))
	master(r, t, "tap0", "master br0")
	if out := r.Run(t, "ip", "-o", "link", "show", "tap0"); !strings.Contains(out, "UP") {
		t.Errorf("tap0 isn't up: %s", out)
	}

	r.Run(t, "sh", "-c", `
		ip tuntap add tap8 mode tap; ip address add 203.0.113.1/24 dev tap8
		ip link add br7 type bridge; ip tuntap add tap9 mode tap; ip link set tap9 master br7
		ip tuntap add tap1 mode tap; ip tuntap add other1 mode tap; ip link set other1 master br0`)
	master(r, t, "tap1", "master br0")
	soon(t, h, networks(lab()))
	if out := r.Run(t, "nft", "list", "map", "bridge", "labnet", "guests"); !strings.Contains(out, `"other1"`) || !strings.Contains(out, `"tap1"`) || strings.Contains(out, `"tap9"`) {
		t.Errorf("guarded ports:\n%s", out)
	}
	for port, want := range map[string]string{"tap8": "tap8", "tap9": "master br7", "other0": "other0"} {
		if out := r.Run(t, "ip", "-o", "link", "show", port); !strings.Contains(out, want) || strings.Contains(out, "master br0") {
			t.Errorf("%s was touched: %s", port, out)
		}
	}

	r.Run(t, "sh", "-c", "ip link set tap0 nomaster; ip link set other1 nomaster")
	master(r, t, "tap0", "master br0")
	soon(t, h, networks(lab()))
	if out := r.Run(t, "ip", "-o", "link", "show", "other1"); strings.Contains(out, "master") {
		t.Errorf("a port that matches nothing was attached again: %s", out)
	}
	// An administrator who takes a port down is right.
	r.Run(t, "ip", "link", "set", "tap1", "down")
	r.Run(t, "ip", "link", "del", "tap0")
	soon(t, h, networks(lab()))
	if out := r.Run(t, "ip", "-o", "link", "show", "tap1"); strings.Contains(out, ",UP") {
		t.Errorf("tap1 was brought up again: %s", out)
	}
	down(t, h)
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("log:\n%s", log)
	}
}

func TestFightIsGivenUp(t *testing.T) {
	r := newRouter(t)
	h, log := running(t, r, networks(lab()))
	for range repairsAMinute {
		soon(t, h, networks(lab()))
		r.Run(t, "nft", "delete", "table", "bridge", "labnet")
	}
	soon(t, h, networks(lab()))
	r.Run(t, "nft", "delete", "table", "bridge", "labnet")
	says(t, log, "repairs rest")
	// Guests still come up.
	r.Run(t, "ip", "tuntap", "add", "tap0", "mode", "tap")
	master(r, t, "tap0", "master br0")
	if n := strings.Count(log.String(), "+ table bridge labnet"); n != repairsAMinute {
		t.Errorf("%d repairs", n)
	}
	if n := strings.Count(log.String(), "repairs rest"); n != 1 {
		t.Errorf("%d alarms", n)
	}
	if !h.Stats().Resting {
		t.Error("that repairs rest isn't told")
	}
}

func TestRestEnds(t *testing.T) {
	now := time.Unix(1000, 0)
	k := newKeeper()
	k.now = func() time.Time { return now }
	for i := range repairsAMinute {
		if !k.mayRepair() {
			t.Fatalf("repair %d refused", i)
		}
	}
	if k.mayRepair() {
		t.Fatal("too many repairs")
	}
	k.resting = now.Add(standBack)
	now = now.Add(standBack - time.Second)
	if k.mayRepair() {
		t.Fatal("repaired while resting")
	}
	now = now.Add(2 * time.Second)
	if !k.mayRepair() {
		t.Fatal("rests for ever")
	}
}

// A subscription that overflows is made anew, and what was lost is found.
func TestLostEvents(t *testing.T) {
	r := newRouter(t)
	h, log := running(t, r, networks(lab()))
	soon(t, h, networks(lab()))
	conn, err := h.subscribeRoute()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	r.Run(t, "sh", "-c", "for i in $(seq 200); do echo link set eth0 alias $i; done | ip -batch -")
	if err := receive(t.Context(), conn, nil); err == nil {
		t.Error("lost events aren't noticed")
	}
	r.Run(t, "ip", "link", "set", "br0", "down")
	says(t, log, "~ link br0 (down -> up)")
}

// A veth with both ends here would be a loop: it is taken once its other end is in a guest.
func TestLoopsAreNotMade(t *testing.T) {
	r := newRouter(t)
	running(t, r, networks(with(lab(), func(n *Network) { n.Attach = []string{"tap*", "veth*"} })))
	g := nettest.NewHost(t, "guest")
	r.Run(t, "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
	r.Run(t, "ip", "link", "add", "veth2", "type", "veth", "peer", "name", "other")
	r.Run(t, "ip", "link", "set", "other", "master", "br0")
	r.Run(t, "ip", "link", "add", "veth3", "type", "veth", "peer", "name", "another")
	r.Run(t, "ip", "link", "add", "link", "veth3", "name", "macvlan3", "type", "macvlan")
	r.Run(t, "ip", "tuntap", "add", "tap0", "mode", "tap")
	isPort := func(name string) bool {
		return strings.Contains(r.Run(t, "ip", "-o", "link", "show", "dev", name), "master br0")
	}
	// The last one made is taken when its time has come, and the time of the others came before.
	nettest.Eventually(t, patience, func() error {
		if !isPort("tap0") {
			return errors.New("tap0 isn't attached")
		}
		return nil
	})
	for _, name := range []string{"veth0", "veth1", "veth2", "veth3"} {
		if isPort(name) {
			t.Errorf("%s is attached", name)
		}
	}
	r.Run(t, "ip", "link", "set", "veth1", "netns", g.Name)
	nettest.Eventually(t, patience, func() error {
		if !isPort("veth0") {
			return errors.New("veth0 isn't attached")
		}
		return nil
	})
}

// An uplink that is renamed stays as closed to the host's other networks as it was, and is put back under its new name.
func TestUplinkIsRenamed(t *testing.T) {
	r := newRouter(t)
	h, _ := running(t, r, networks(lab()))
	r.Run(t, "ip", "link", "set", "eth0", "name", "wan0")
	soon(t, h, networks(lab()))
	nettest.Eventually(t, patience, func() error {
		if out := r.Run(t, "nft", "list", "set", "inet", "labnet", closedUplinks); !strings.Contains(out, `"wan0"`) {
			return errors.New(out)
		}
		return nil
	})
	down(t, h)
	if got := strings.TrimSpace(r.Run(t, "cat", "/proc/sys/net/ipv4/conf/wan0/forwarding")); got != "0" {
		t.Errorf("wan0 forwards after down: %s", got)
	}
}

// A link that someone takes off its bridge again and again is left alone, and the others aren't.
func TestLinkIsNotFoughtFor(t *testing.T) {
	r := newRouter(t)
	_, log := running(t, r, networks(lab()))
	r.Run(t, "ip", "tuntap", "add", "tap0", "mode", "tap")
	isPort := func(name string) bool {
		return strings.Contains(r.Run(t, "ip", "-o", "link", "show", "dev", name), "master br0")
	}
	attached := func(name string) {
		t.Helper()
		nettest.Eventually(t, patience, func() error {
			if !isPort(name) {
				return fmt.Errorf("%s isn't attached", name)
			}
			return nil
		})
	}
	for range repairsAMinute {
		attached("tap0")
		r.Run(t, "ip", "link", "set", "tap0", "nomaster")
	}
	r.Run(t, "ip", "tuntap", "add", "tap1", "mode", "tap")
	attached("tap1")
	if isPort("tap0") {
		t.Error("tap0 is attached for ever")
	}
	if n := strings.Count(log.String(), "keeps taking a link off"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
}

// Someone's description of a bridge in the place of our mark doesn't make it someone else's.
func TestMarkIsPutBack(t *testing.T) {
	r := newRouter(t)
	h, log := running(t, r, networks(lab()))
	r.Run(t, "ip", "link", "set", "br0", "alias", "the lab's network")
	soon(t, h, networks(lab()))
	nettest.Eventually(t, patience, func() error {
		if !strings.Contains(log.String(), "alias labnet") {
			return errors.New(log.String())
		}
		return nil
	})
	r.Run(t, "ip", "link", "set", "br0", "alias", "gone")
	down(t, h)
	if out := r.Run(t, "ip", "-o", "link"); strings.Contains(out, "br0") {
		t.Errorf("left behind:\n%s", out)
	}
}
