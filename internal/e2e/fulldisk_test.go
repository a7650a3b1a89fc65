package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=1m"); err != nil {
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
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk isn't full")
	}
	refused := 0
	for refused < 100 { // the log has room for a few
		refused++
		if _, err := s.lease(swarmMAC(refused), 1); err != nil {
			break
		}
	}
	got := l.status(t)
	if got.State != "degraded" || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Summary, "leases can't be made durable") {
		t.Errorf("with a full disk: %+v", got)
	}
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
	if _, err := s.lease(swarmMAC(refused), 10); err != nil {
		t.Error(err)
	}
	nettest.Eventually(t, 10*time.Second, func() error {
		if got := l.status(t); got.State != "ready" {
			return fmt.Errorf("with room again: %+v", got)
		}
		return nil
	})
}
