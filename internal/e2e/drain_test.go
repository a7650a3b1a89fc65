package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestStoppedUnderLoadOwesNobody ends the daemon by SIGTERM while clients lease: what it stored it has acknowledged, and the
// other way round.
func TestStoppedUnderLoadOwesNobody(t *testing.T) {
	nettest.NeedRoot(t)
	const rounds, workers = 3, 20
	l := newLab(t)
	l.configure(t, strings.Replace(wideConfig, "/22", "/16", 1))
	d, _ := l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	var next atomic.Int64
	for round := range rounds {
		before := len(s.record())
		var running sync.WaitGroup
		var stopped atomic.Bool
		for range workers {
			running.Go(func() {
				for !stopped.Load() {
					_, _ = s.lease(swarmMAC(int(next.Add(1))), 1)
				}
			})
		}
		nettest.Eventually(t, 10*time.Second, func() error {
			if len(s.record())-before < 100 {
				return errorOf("the swarm has hardly begun")
			}
			return nil
		})
		l.stop(t, d, syscall.SIGTERM)
		stopped.Store(true)
		running.Wait()
		recorded := s.record()

		d, _ = l.start(t)
		stored := map[string]string{}
		for _, one := range l.leases(t) {
			if one.State == "bound" {
				stored[one.MAC] = one.Address
			}
		}
		t.Logf("round %d: %d clients had an ACK, %d leases are stored", round, len(recorded), len(stored))
		for mac, granted := range recorded {
			if stored[mac] != granted.addr.String() {
				t.Errorf("round %d: %s was granted %v, and %q is stored", round, mac, granted.addr, stored[mac])
			}
		}
		for mac, addr := range stored {
			if _, ok := recorded[mac]; !ok {
				t.Errorf("round %d: %s has %s in the store, and never heard of it", round, mac, addr)
			}
		}
	}
}

// TestSomebodyReadsTheDatabase holds a transaction open in the database, first as a reader, then as a writer for a while:
// guests are served meanwhile, or as soon as it ends.
func TestSomebodyReadsTheDatabase(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, wideConfig)
	l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	if _, err := s.lease(swarmMAC(0), 10); err != nil {
		t.Fatal(err)
	}
	for i, begin := range []string{"BEGIN; SELECT count(*) FROM leases;", "BEGIN IMMEDIATE;"} {
		shell := exec.Command("sqlite3", filepath.Join(l.dir, "state", "leases.db"))
		in, err := shell.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := shell.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := shell.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write([]byte(begin + "SELECT 'begun';\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := s.lease(swarmMAC(1), 1); err != nil {
				t.Error(err)
			}
		} else {
			time.AfterFunc(2*time.Second, func() { _, _ = in.Write([]byte("COMMIT;\n")) })
			if _, err := s.lease(swarmMAC(2), 5); err != nil {
				t.Error(err)
			}
		}
		_ = in.Close()
		_ = shell.Wait()
	}
}
