package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// TestAFullDiskIsSaidAndSurvived fills the disk under a running daemon: nobody new is acknowledged, who has a lease may renew
// it for the time that is stored, the status says what is wrong, and all is well when there is room again.
func TestAFullDiskIsSaidAndSurvived(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, wideConfig)
	state := filepath.Join(l.dir, "state")
	if err := os.Mkdir(state, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	first, err := s.lease(swarmMAC(0), 10)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.status(t); got.State != "ready" {
		t.Fatalf("at the start: %+v", got)
	}

	filler := filepath.Join(state, "filler")
	if err := os.WriteFile(filler, make([]byte, 3<<20), 0o600); err == nil {
		t.Fatal("the disk isn't full")
	}
	// The database can't grow, which is said at once; what the redo log has room for is durable all the same.
	if _, err := s.lease(swarmMAC(1), 5); err != nil {
		t.Error(err)
	}
	const clients = 700
	grown := 0
	nettest.Eventually(t, 30*time.Second, func() error {
		for range 50 {
			if _, err := s.lease(swarmMAC(2+grown%clients), 2); err != nil {
				break
			}
			grown++
		}
		if got := l.status(t); got.State != "degraded" || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Summary, "can't be moved from the redo log into the database") {
			return fmt.Errorf("with a full disk: %+v", got)
		}
		return nil
	})
	// Then the log is full. Who has a lease is acknowledged even then, for what is durable of it.
	var crowd sync.WaitGroup
	var full atomic.Bool
	for i := range 20 {
		crowd.Go(func() {
			for try := 0; !full.Load(); try++ {
				_, _ = s.lease(swarmMAC(2+(20*try+i)%clients), 1)
			}
		})
	}
	// As the disk frees a page now and then, the log may be moved and filled several times.
	nettest.Eventually(t, 8*limit, func() error {
		got := l.status(t)
		if got.State != "degraded" || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Summary, "leases can't be made durable") {
			return fmt.Errorf("with a full disk and a full log: %+v", got)
		}
		return nil
	})
	// Nobody new is (SQLite finds some room once in a while, as it copies its WAL).
	nettest.Eventually(t, 4*limit, func() error {
		grown++
		if _, err := s.lease(swarmMAC(2+clients+grown%200), 1); err == nil {
			return errors.New("a new client has a lease that can't be durable")
		}
		return nil
	})
	full.Store(true)
	crowd.Wait()
	before := s.record()[swarmMAC(0).String()]
	// Its renewal is answered to its address.
	g.Run(t, "ip", "address", "add", before.addr.String()+"/22", "dev", "eth0")
	reply, err := s.rebind(swarmMAC(0), before.addr, 3)
	if err != nil {
		t.Fatal(err)
	}
	if reply.MessageType() != dhcpv4.MessageTypeAck || reply.IPAddressLeaseTime(0) > first.IPAddressLeaseTime(0) {
		t.Errorf("the renewal got %v", reply.Summary())
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lease(swarmMAC(1), 10); err != nil {
		t.Error(err)
	}
	nettest.Eventually(t, 10*time.Second, func() error {
		if got := l.status(t); got.State != "ready" {
			return fmt.Errorf("with room again: %+v", got)
		}
		return nil
	})
}
