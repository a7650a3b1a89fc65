package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	dhcp "labnet/bench/dhcp/generator"
	dns "labnet/bench/dns/generator"
	"labnet/internal/nettest"
)

// What the daemon is under while it is reloaded and taken over.
const (
	questionRate = 20_000
	leaseRate    = 1_000
	knownHosts   = 200

	// patience is when the clients take a message for lost. What they have under way, 16,384 questions and 1,024 exchanges, has room in any queue: a
	// slow machine lowers the rates, and nothing else.
	patience = time.Minute
)

// busyText is the configuration; a change of it is another number.
func busyText(change int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `network "lab" {
  address = "10.0.0.1/15"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.1.0.0"
      end   = "10.1.255.250"
    }
  }
  dns {
    domain = "lab.internal"
    record "extra" {
      type  = "A"
      value = "10.0.200.%d"
    }
  }
`, 1+change%250)
	for i := range knownHosts {
		fmt.Fprintf(&b, "  host \"h%03d\" {\n    address = \"10.0.100.%d\"\n  }\n", i, 1+i)
	}
	return b.String() + "}\n"
}

// busyGuests are clients that ask and lease, as many a second as they are told to, whether those before have answers or not.
type busyGuests struct {
	lab     *lab
	host    *guest
	asking  *dns.Clients
	leasing *dhcp.Crowd
	set     *dns.Set
}

func newBusyGuests(t *testing.T, l *lab) *busyGuests {
	t.Helper()
	b := &busyGuests{lab: l, host: l.newGuest(t, "asker", "vm1")}
	b.host.Run(t, "ip", "link", "set", "eth0", "up")
	var sources []netip.Addr
	for i := range 64 {
		addr := netip.AddrFrom4([4]byte{10, 0, 50, byte(1 + i)})
		b.host.Run(t, "ip", "address", "add", addr.String()+"/15", "dev", "eth0")
		sources = append(sources, addr)
	}
	b.host.Run(t, "dig", "+time=5", "+tries=3", "@10.0.0.1", "www.example.org") // that it is cached
	b.asking = b.host.crowd(t, sources, 256)
	leasers := l.newGuest(t, "leasers", "vm2")
	leasers.Run(t, "ip", "link", "set", "eth0", "up")
	l.attached(t, "vm2")
	b.leasing = newCrowd(t, leasers.Host)
	b.set = dns.NewSet(knownHosts, func(i int) string { return fmt.Sprintf("h%03d.lab.internal", i) },
		func(i int, _ []byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 100, byte(1 + i)}) })
	return b
}

// during has them ask and lease while what is done, and returns what came of it.
func (b *busyGuests) during(t *testing.T, patience time.Duration, what func()) (*dns.Result, dhcp.Result) {
	t.Helper()
	over := make(chan struct{})
	asked, leased, failed := make(chan *dns.Result, 1), make(chan dhcp.Result, 1), make(chan error, 2)
	go func() {
		r, err := b.asking.Run(t.Context(), dns.Load{From: dns.Drawn(b.set, dns.Zipf(knownHosts)), Rate: questionRate, Timeout: patience, Over: over})
		failed <- err
		asked <- r
	}()
	go func() {
		r, err := b.leasing.Run(t.Context(), dhcp.Load{Workload: dhcp.New, Window: 1024, Rate: leaseRate, Retry: patience, Over: over})
		failed <- err
		leased <- r
	}()
	time.Sleep(300 * time.Millisecond)
	what()
	time.Sleep(300 * time.Millisecond)
	close(over)
	for range 2 {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	return <-asked, <-leased
}

// lossless is a run in which nothing may be lost.
func (b *busyGuests) lossless(t *testing.T, what func()) {
	t.Helper()
	before := rcvbufErrors(t, b.lab.router)
	own := rcvbufErrors(t, b.host.Host)
	asked, leased := b.during(t, patience, what)
	dropped, ownDropped := rcvbufErrors(t, b.lab.router)-before, rcvbufErrors(t, b.host.Host)-own
	t.Logf("%d answers, %.0f a second, the slowest of a thousand took %v; %d leases, %.0f a second, 99 of 100 took %v at most; said again %d",
		asked.Answers, asked.Rate(), asked.Times.Quantile(0.999), leased.Exchanges, leased.Rate(), leased.Whole(0.99), leased.Repeated)
	if lost := asked.Lost - ownDropped; lost > 0 || asked.Failed+asked.Wrong+asked.Strays > 0 || dropped > 0 {
		t.Errorf("of %d questions %d were lost, %d failed and %d were answered wrongly (%s), with %d strays; %d datagrams found no room",
			asked.Answers, lost, asked.Failed, asked.Wrong, asked.Example, asked.Strays, dropped)
	}
	if leased.Lost+leased.Repeated+leased.NAKs+leased.Wrong+leased.Strays > 0 {
		t.Errorf("of %d exchanges %d were given up, %d messages were said again, %d refused and %d were wrong (%s), with %d strays",
			leased.Exchanges, leased.Lost, leased.Repeated, leased.NAKs, leased.Wrong, leased.Example, leased.Strays)
	}
}

type takeover struct {
	From, Failed string
	Pause        int `json:"pause_ms"`
}

func (l *lab) takeover(t *testing.T) takeover {
	t.Helper()
	var s struct{ Takeover takeover }
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s.Takeover
}

// TestAnUpgradeLosesNothing has the daemon's process taken over again and again, under load, and compares with a run without.
func TestAnUpgradeLosesNothing(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, busyText(0))
	d, _ := l.start(t, "--log-level", "warn")
	b := newBusyGuests(t, l)
	pid := l.pid(t)
	b.lossless(t, func() { time.Sleep(time.Second) })
	b.lossless(t, func() {
		for range 10 {
			var u takeover
			if err := json.Unmarshal([]byte(l.labnet(t, "upgrade", "-o", "json")), &u); err != nil {
				t.Fatal(err)
			}
			t.Logf("guests waited for %d ms", u.Pause)
		}
	})
	// The same by a signal.
	b.lossless(t, func() {
		started := l.started(t)
		process, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Signal(unix.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		nettest.Eventually(t, limit, func() error {
			if l.started(t) == started {
				return errors.New("no other program serves: " + tail(d.output(), 20))
			}
			return nil
		})
	})
	if now := l.pid(t); now != pid {
		t.Errorf("process %d has become %d", pid, now)
	}
}

// started is when the daemon that serves began.
func (l *lab) started(t *testing.T) string {
	t.Helper()
	var s struct{ Started string }
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "--wait", "20s", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s.Started
}

// TestARestartBySystemdLosesNothing does the same with a store of descriptors. What is stored stays the same, however often.
func TestARestartBySystemdLosesNothing(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, busyText(0))
	s := newSupervisor(t, l)
	s.start(t)
	b := newBusyGuests(t, l)
	stored := s.names()
	b.lossless(t, func() {
		for range 10 {
			s.end(unix.SIGTERM)
			s.start(t)
			t.Logf("guests waited for %d ms", l.takeover(t).Pause)
		}
	})
	if diff := cmp.Diff(stored, s.names()); diff != "" || len(stored) == 0 {
		t.Errorf("after ten restarts something else is stored (-before +after):\n%s", diff)
	}
	// Both ways together.
	b.lossless(t, func() { l.labnet(t, "upgrade") })
	b.lossless(t, func() {
		s.end(unix.SIGTERM)
		s.start(t)
	})
	if diff := cmp.Diff(stored, s.names()); diff != "" {
		t.Errorf("after an upgrade something else is stored (-before +after):\n%s", diff)
	}
}

// TestKilledWithAStore kills the daemon under load: what it had taken out of its sockets is lost, which is a batch for each worker at most, and
// nothing that waited there.
func TestKilledWithAStore(t *testing.T) {
	nettest.NeedRoot(t)
	const kills, batch = 3, 64
	l := newLab(t)
	l.configure(t, busyText(0))
	s := newSupervisor(t, l)
	s.start(t)
	b := newBusyGuests(t, l)
	workers := 0
	for _, name := range s.names() {
		if strings.HasPrefix(name, "dns_") {
			workers++ // and one that listens for TCP
		}
	}
	before := rcvbufErrors(t, l.router) + rcvbufErrors(t, b.host.Host)
	asked, leased := b.during(t, 5*time.Second, func() {
		for range kills {
			s.end(unix.SIGKILL)
			s.start(t)
			time.Sleep(100 * time.Millisecond)
		}
	})
	dropped := rcvbufErrors(t, l.router) + rcvbufErrors(t, b.host.Host) - before
	t.Logf("%d answers, %d questions lost; %d leases, %d messages said again", asked.Answers, asked.Lost, leased.Exchanges, leased.Repeated)
	if asked.Lost > kills*workers*batch || asked.Failed+asked.Wrong > 0 || dropped > 0 {
		t.Errorf("of %d questions %d were lost, %d failed and %d were answered wrongly (%s); %d datagrams found no room",
			asked.Answers, asked.Lost, asked.Failed, asked.Wrong, asked.Example, dropped)
	}
	if leased.Lost+leased.Wrong > 0 {
		t.Errorf("of %d exchanges %d were given up, and %d were wrong (%s)", leased.Exchanges, leased.Lost, leased.Wrong, leased.Example)
	}
}

// TestAReloadLosesNothing reloads under load, changed files and broken ones in turn.
func TestAReloadLosesNothing(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, busyText(0))
	l.start(t, "--log-level", "warn")
	b := newBusyGuests(t, l)
	b.lossless(t, func() {
		for i := range 10 {
			l.configure(t, busyText(1+i))
			if out := l.labnet(t, "reload"); !strings.Contains(out, "reloaded: nothing was to be changed on this host") {
				t.Errorf("a reload says %q", out)
			}
			if out := l.labnet(t, "apply"); !strings.Contains(out, "applied: nothing") {
				t.Errorf("an apply says %q", out)
			}
			want := fmt.Sprintf("10.0.200.%d", 2+i)
			if out := b.host.Run(t, "dig", "+short", "+time=5", "+tries=2", "@10.0.0.1", "extra.lab.internal"); strings.TrimSpace(out) != want {
				t.Errorf("after reload %d extra.lab.internal has %q, not %s", i, out, want)
			}
			l.configure(t, strings.Replace(busyText(1+i), "domain", "domian", 1))
			for _, verb := range []string{"reload", "apply"} {
				out, err := l.tryLabnet(t, verb)
				if err == nil || !strings.Contains(out, "labnet.hcl:13") || !strings.Contains(out, "domian") {
					t.Errorf("%s of a broken file says %q (%v)", verb, out, err)
				}
			}
		}
	})
}
