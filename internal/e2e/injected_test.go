package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// tightConfig has addresses for holders and as many newcomers at a time as TestAFailingDiskIsSaidAndSurvived has.
const tightConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.0.10"
      end   = "10.0.0.39"
    }
  }
}
`

// TestAFailingDiskIsSaidAndSurvived has the daemon's system calls fail, by strace. While they do, nobody new is acknowledged, who has a
// lease may renew it for the time that is stored, and the status says why. Afterwards all is well without a restart, and after kill
// -9 in the midst of it, everything is there that was acknowledged.
func TestAFailingDiskIsSaidAndSurvived(t *testing.T) {
	nettest.NeedRoot(t)
	for _, c := range []struct{ name, calls, fault, why string }{
		{"no sync", "fdatasync,fsync", "EIO", "I/O error"},
		{"no write", "pwrite64,write", "EIO", "I/O error"},
		{"no room", "pwrite64,write", "ENOSPC", "no space left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			f := &failingDisk{calls: c.calls, fault: c.fault, why: c.why}
			f.test(t)
		})
	}
}

// failingDisk is one way to fail.
type failingDisk struct {
	calls, fault, why string

	*lab
	swarm *swarm
}

func (f *failingDisk) test(t *testing.T) {
	// Clients by their numbers: those who have a lease before, those who try to get one, and those who get the same addresses later.
	const holders, triers, heirs = 10, 30, 50
	f.lab = newLab(t)
	f.configure(t, tightConfig)
	d, _ := f.start(t)
	g := f.newGuest(t, "swarm", "vm1")
	f.swarm = newSwarm(t, g.Host)
	for i := range holders {
		held := f.newLease(t, i)
		f.swarm.own(t, g.Host, held)
	}

	mend := f.inject(t, f.calls, "error="+f.fault)
	f.refusesNewcomers(t, holders, triers)
	f.renewsHolders(t, holders)
	f.saysWhy(t)
	mend()
	// What was written for those who have no lease lies in the log, and must not come back over these.
	f.swarm.all(triers, heirs, func(i int) { f.newLease(t, i) })
	if t.Failed() {
		t.FailNow()
	}
	nettest.Eventually(t, limit, func() error {
		if got := f.status(t); got.State != "ready" {
			return fmt.Errorf("when the disk works again: %+v", got)
		}
		return nil
	})
	if log := d.output(); !strings.Contains(log, "leases can be stored again") {
		t.Error("the log doesn't say that the disk works again")
	}
	f.keptAll(t, "when the disk works again")
	kill(t, f.pid(t))
	f.start(t)
	f.keptAll(t, "after kill -9")

	server := netip.MustParseAddr("10.0.0.1")
	for i := triers; i < heirs; i += 2 {
		if err := f.swarm.release(swarmMAC(i), server); err != nil {
			t.Fatal(err)
		}
	}
	nettest.Eventually(t, limit, func() error {
		if got := len(f.bound(t)); got != holders+(heirs-triers)/2 {
			return fmt.Errorf("%d leases after the releases", got)
		}
		return nil
	})
	f.inject(t, f.calls, "error="+f.fault)
	f.refusesNewcomers(t, holders, triers)
	f.renewsHolders(t, holders)
	kill(t, f.pid(t))
	f.start(t)
	f.keptAll(t, "after kill -9 while the disk fails")
}

// newLease is the address that a client gets, in the end.
func (f *failingDisk) newLease(t *testing.T, i int) netip.Addr {
	t.Helper()
	var err error
	for range 15 {
		if _, err = f.swarm.lease(swarmMAC(i), 1); err == nil {
			if held, ok := f.swarm.holds(swarmMAC(i)); ok {
				return held.addr
			}
		}
	}
	t.Errorf("client %d gets no lease: %v", i, err)
	return netip.Addr{}
}

// bound is when each lease ends that the daemon has, by MAC.
func (f *failingDisk) bound(t *testing.T) map[string]time.Time {
	t.Helper()
	ends := map[string]time.Time{}
	for _, one := range f.leases(t) {
		if one.State == "bound" {
			ends[one.MAC] = one.Expires
		}
	}
	return ends
}

// refusesNewcomers has them try for some seconds.
func (f *failingDisk) refusesNewcomers(t *testing.T, from, to int) {
	t.Helper()
	acks := f.swarm.count()
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		f.swarm.all(from, to, func(i int) { _, _ = f.swarm.lease(swarmMAC(i), 1) })
	}
	if got := f.swarm.count(); got != acks {
		t.Fatalf("%d times a client is acknowledged what can't be durable", got-acks)
	}
}

// renewsHolders has them rebind and reboot: they are acknowledged what is durable, and no more.
func (f *failingDisk) renewsHolders(t *testing.T, count int) {
	t.Helper()
	stored := f.bound(t)
	for i := range count {
		ask, how := f.swarm.rebind, "rebinds"
		if i%2 == 1 {
			ask, how = f.swarm.reboot, "reboots"
		}
		held, _ := f.swarm.holds(swarmMAC(i))
		before := time.Now()
		reply, err := ask(swarmMAC(i), held.addr, 5)
		if err != nil {
			t.Errorf("who has a lease %s in vain: %v", how, err)
			continue
		}
		until, ends := before.Add(reply.IPAddressLeaseTime(0)), stored[swarmMAC(i).String()]
		// The server rounds to seconds, and the lease was new three seconds ago.
		if reply.MessageType() != dhcpv4.MessageTypeAck || until.After(ends.Add(time.Second)) || until.Before(ends.Add(-time.Minute)) {
			t.Errorf("%v %s, what is durable ends at %v, and is told %v: %s", swarmMAC(i), how, ends, until, reply.Summary())
		}
	}
}

func (f *failingDisk) saysWhy(t *testing.T) {
	t.Helper()
	got := f.status(t)
	if got.State != "degraded" || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Summary, "leases can't be made durable") ||
		!strings.Contains(got.Problems[0].Summary, f.why) {
		t.Errorf("the status: %+v", got)
	}
}

// keptAll holds the daemon to every ACK.
func (f *failingDisk) keptAll(t *testing.T, when string) {
	t.Helper()
	for _, fault := range append(f.breaches(t, f.swarm.record()), f.swarm.broken()...) {
		t.Errorf("%s: %s", when, fault)
	}
}

// inject has something happen to system calls of the daemon that are about its state, such as error=EIO, until mend is called.
func (l *lab) inject(t *testing.T, calls, what string) (mend func()) {
	t.Helper()
	var files []string
	for _, name := range []string{"leases.db", "leases.db-wal", "leases.db-shm", "leases.db-redo1", "leases.db-redo2"} {
		files = append(files, filepath.Join(l.dir, "state", name))
	}
	return l.injectAt(t, calls, what, files...)
}

// injectAt is inject for other files.
func (l *lab) injectAt(t *testing.T, calls, what string, files ...string) (mend func()) {
	t.Helper()
	args := []string{"-f", "-p", strconv.Itoa(l.pid(t)), "-o", filepath.Join(t.TempDir(), "trace"), "-e", "trace=" + calls, "-e", "inject=" + calls + ":" + what}
	for _, file := range files {
		args = append(args, "-P", file)
	}
	cmd := exec.Command("strace", args...)
	var says syncBuffer
	cmd.Stderr = &says
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	mend = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	t.Cleanup(mend)
	nettest.Eventually(t, limit, func() error { return contains(says.String(), "attached") })
	return mend
}

// syncBuffer is what a process says while it runs.
type syncBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
