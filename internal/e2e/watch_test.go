package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/bench/dhcp/generator"
	"labnet/internal/nettest"
)

type leaseEvent struct {
	Event, Reason, Instance string
	Seq                     uint64
	Lease, Before           *lease
}

// watch starts `labnet leases watch -o ndjson` and returns what it has printed so far. A line under way isn't one yet.
func (l *lab) watch(t *testing.T, args ...string) (cmd *exec.Cmd, seen func() []leaseEvent) {
	t.Helper()
	cmd, output := l.router.Start(t, l.args(t, append([]string{"leases", "watch", "-o", "ndjson"}, args...)...)...)
	seen = func() (events []leaseEvent) {
		for line := range strings.Lines(output()) {
			var e leaseEvent
			if strings.HasSuffix(line, "\n") {
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				events = append(events, e)
			}
		}
		return events
	}
	nettest.Eventually(t, limit, func() error {
		if !slices.ContainsFunc(seen(), func(e leaseEvent) bool { return e.Event == "synced" }) {
			return errors.New("the watch has no list yet")
		}
		return nil
	})
	return cmd, seen
}

// lastSeq is the number of the daemon's last event.
func (l *lab) lastSeq(t *testing.T) uint64 {
	t.Helper()
	watcher, seen := l.watch(t)
	defer func() { _ = watcher.Process.Signal(syscall.SIGTERM) }()
	all := seen()
	return all[slices.IndexFunc(all, func(e leaseEvent) bool { return e.Event == "synced" })].Seq
}

// renewals lets a crowd renew count times.
func renewals(t *testing.T, crowd *generator.Crowd, count int) {
	t.Helper()
	r, err := crowd.Run(t.Context(), generator.Load{Workload: generator.Renew, Window: 32, Count: count})
	if err != nil || r.Exchanges < count {
		t.Fatalf("%d of %d renewals: %v %s", r.Exchanges, count, err, r.Example)
	}
}

// TestAWatchLosesNothing lets 200 guests make 10,000 events and holds the watch to each; then it is stopped while more happens than is
// kept, and must say so.
func TestAWatchLosesNothing(t *testing.T) {
	nettest.NeedRoot(t)
	const guests, count = 200, 10_000
	l := newLab(t)
	l.configure(t, floodConfig)
	l.start(t, "--log-level", "warn")
	g := l.newGuest(t, "crowd", "vm1")
	l.attached(t, "vm1")
	watcher, seen := l.watch(t)
	crowd := newCrowd(t, g.Host)
	if r := leaseAll(t, crowd, guests); r.Exchanges != guests {
		t.Fatalf("%d of %d guests have a lease", r.Exchanges, guests)
	}
	renewals(t, crowd, count-guests)
	last := l.lastSeq(t)
	caughtUp := func() error {
		if all := seen(); all[len(all)-1].Seq < last {
			return fmt.Errorf("the watch is at event %d of %d", all[len(all)-1].Seq, last)
		}
		return nil
	}
	nettest.Eventually(t, limit, caughtUp)
	all := seen()
	kinds := map[string]int{}
	next := uint64(1)
	for _, e := range all {
		kinds[e.Event]++
		if e.Lease == nil || e.Event == "listed" {
			continue
		}
		if e.Seq != next {
			t.Fatalf("after event %d comes %d", next-1, e.Seq)
		}
		next++
	}
	if next-1 < count || kinds["bound"] != guests || kinds["renewed"] < count-guests || kinds["resync"] != 1 {
		t.Errorf("%d events: %v", next-1, kinds)
	}
	t.Logf("%d events, none lost: %v", next-1, kinds)

	// A stopped reader: more than the 16,384 events that are kept, and than what fits between daemon and reader.
	process := watcher.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	renewals(t, crowd, 40_000)
	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	last = l.lastSeq(t)
	nettest.Eventually(t, limit, caughtUp)
	rest := seen()[len(all):]
	resyncs, listed := 0, 0
	for i, e := range rest {
		switch {
		case e.Event == "resync" && e.Reason == "lost":
			resyncs++
			listed, next = 0, e.Seq+1
		case e.Event == "listed":
			listed++
		case e.Event == "synced":
			if listed != guests {
				t.Errorf("a resync lists %d leases, want %d", listed, guests)
			}
		case e.Seq != next:
			t.Fatalf("line %d: after event %d comes %d without a resync", i, next-1, e.Seq)
		default:
			next++
		}
	}
	if resyncs == 0 {
		t.Errorf("no resync after 40,000 events that weren't read; %d lines", len(rest))
	}
	t.Logf("stopped for 40,000 events: %d resync, then at %d of %d", resyncs, next-1, last)
}

// TestAWatchOutlivesTheDaemon kills and restarts the daemon under a watch.
func TestAWatchOutlivesTheDaemon(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	s := newSwarm(t, g.Host)
	_, seen := l.watch(t)
	if _, err := s.lease(swarmMAC(1), 10); err != nil {
		t.Fatal(err)
	}
	await := func(what string, match func(leaseEvent) bool) {
		t.Helper()
		nettest.Eventually(t, limit, func() error {
			if !slices.ContainsFunc(seen(), match) {
				return fmt.Errorf("no %s in %+v", what, seen())
			}
			return nil
		})
	}
	await("lease", func(e leaseEvent) bool { return e.Event == "bound" && e.Lease.MAC == swarmMAC(1).String() })
	l.stop(t, d, syscall.SIGKILL)
	await("end", func(e leaseEvent) bool { return e.Event == "gone" })
	l.start(t)
	await("resync", func(e leaseEvent) bool { return e.Event == "resync" && e.Reason == "restart" })
	await("list", func(e leaseEvent) bool { return e.Event == "listed" && e.Lease.MAC == swarmMAC(1).String() })
	if _, err := s.lease(swarmMAC(2), 10); err != nil {
		t.Fatal(err)
	}
	await("lease after the restart", func(e leaseEvent) bool { return e.Event == "bound" && e.Lease.MAC == swarmMAC(2).String() })
	if kinds := len(slices.Collect(func(yield func(leaseEvent) bool) {
		for _, e := range seen() {
			if e.Event == "gone" && !yield(e) {
				return
			}
		}
	})); kinds != 1 {
		t.Errorf("it says %d times that the daemon is gone", kinds)
	}
}

// TestWaitingForAGuest waits for guests that come later, for one that never comes, and for one whose name another has.
func TestWaitingForAGuest(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	type answer struct {
		out string
		err error
		at  time.Time
	}
	wait := func(args ...string) chan answer {
		done := make(chan answer, 1)
		go func() {
			out, err := l.tryLabnet(t, append([]string{"leases", "wait", "--timeout", "60s"}, args...)...)
			done <- answer{out, err, time.Now()}
		}()
		return done
	}
	// Before the daemon is there.
	lease, dns, byMAC := wait("vm1"), wait("vm1.lab.internal", "--for", "dns"), wait("52:54:00:aa:00:01")
	l.start(t)
	g := l.newGuest(t, "vm1", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:aa:00:01")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	resolvedBefore := time.Now()
	for what, done := range map[string]chan answer{"lease": lease, "dns": dns, "MAC": byMAC} {
		if got := <-done; got.err != nil || got.out != addr+"\n" {
			t.Errorf("%s: %q, %v, want %s", what, got.out, got.err, addr)
		} else {
			t.Logf("%s: %v before its guest was seen to have set the address", what, resolvedBefore.Sub(got.at).Round(time.Millisecond))
		}
	}
	if got := g.resolve(t, "vm1"); !slices.Equal(got, []string{addr}) {
		t.Errorf("vm1 resolves to %v", got)
	}
	// A second one of that name gets a lease, and no name; the answer says why.
	twin := l.newGuest(t, "vm1", "vm2")
	twin.udhcpc(t)
	mac := strings.TrimSpace(twin.Run(t, "cat", "/sys/class/net/eth0/address"))
	twin.leased(t)
	out, err := l.tryLabnet(t, "leases", "wait", mac, "--for", "dns", "--timeout", "1s")
	if err == nil || !strings.Contains(out, "but no name; `labnet explain dhcp "+mac+"` says why") {
		t.Errorf("a guest without a name: %v %s", err, out)
	}
	out, err = l.tryLabnet(t, "leases", "wait", "vm3", "--for", "dns", "--timeout", "1s")
	if err == nil || !strings.Contains(out, "NXDOMAIN") || !strings.Contains(out, "no lease in force") {
		t.Errorf("a guest that never comes: %v %s", err, out)
	}
}

// TestReleaseAsksFirst: the address of a guest that runs isn't given to others.
func TestReleaseAsksFirst(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	mac := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
	out, err := l.tryLabnet(t, "leases", "release", "guest")
	if err == nil || !strings.Contains(out, "guest ("+mac+") still uses "+addr) || !strings.Contains(out, "--force") {
		t.Errorf("released under a guest that runs: %v %s", err, out)
	}
	if found := l.leases(t); len(found) != 1 || found[0].State != "bound" {
		t.Errorf("%+v", found)
	}
	l.labnet(t, "leases", "release", "guest", "--force")
	if found := l.leases(t); len(found) != 1 || found[0].State != "released" {
		t.Errorf("%+v", found)
	}
}
