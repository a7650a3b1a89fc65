package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestNATOutlivesTheDaemon has a guest talk to the LAN while the daemon is dead.
func TestNATOutlivesTheDaemon(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	before := g.leased(t)
	_, pings := g.Start(t, "ping", "-i", "0.05", "-O", lanAddr)
	nettest.Eventually(t, 5*time.Second, func() error { return contains(pings(), "icmp_seq=3 ") })

	l.stop(t, d, syscall.SIGKILL)
	g.Run(t, "ping", "-c3", "-i", "0.1", "-W2", lanAddr)
	l.start(t)
	g.Run(t, "ping", "-c3", "-i", "0.1", "-W2", lanAddr)
	if strings.Contains(pings(), "no answer yet") {
		t.Errorf("pings were lost while the daemon was killed and started again:\n%s", pings())
	}
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("the plan after kill -9 and start isn't empty:\n%s", plan)
	}
	found := l.leases(t)
	if len(found) != 1 || found[0].Address != before["address"] || found[0].Name != "guest" {
		t.Errorf("after the restart the leases are %+v, want %v", found, before)
	}
}

func contains(text, want string) error {
	if !strings.Contains(text, want) {
		return fmt.Errorf("no %q in %q", want, text)
	}
	return nil
}

// TestSyncedBeforeAcknowledged watches the daemon's system calls: between the write that holds a lease and the sending of its ACK a
// sync of the store's log has returned.
func TestSyncedBeforeAcknowledged(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	// Attached, and past its first messages.
	if _, err := s.lease(swarmMAC(0), 10); err != nil {
		t.Fatal(err)
	}

	trace := filepath.Join(t.TempDir(), "trace")
	// In the test's own process namespace, where the daemon's pid is valid.
	strace := exec.Command("strace", "-f", "-y", "-ttt", "-s", "400", "-x", "-e", "trace=sendmmsg,sendto,sendmsg,write,pwrite64,fdatasync,fsync", "-o", trace,
		"-p", strconv.Itoa(l.pid(t)))
	var straceSays strings.Builder
	strace.Stderr = &straceSays
	if err := strace.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = strace.Wait(); close(ended) }()
	end := func() {
		_ = strace.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	t.Cleanup(end)
	nettest.Eventually(t, 10*time.Second, func() error {
		// A question of the control socket shows that it traces.
		l.status(t)
		return nonEmpty(trace)
	})

	const clients = 20
	for i := 1; i <= clients; i++ {
		if _, err := s.lease(swarmMAC(i), 5); err != nil {
			t.Fatal(err)
		}
	}
	nettest.Eventually(t, limit, func() error {
		if got := len(dhcpAck.FindAllString(read(t, trace), -1)); got < clients {
			return fmt.Errorf("%d of %d ACKs are in the trace", got, clients)
		}
		return nil
	})
	end()
	acks, syncs := checkOrder(t, read(t, trace))
	if acks < clients {
		t.Fatalf("only %d ACKs of %d found in the trace: the check looks at the wrong calls\n%s", acks, clients, tail(read(t, trace), 40))
	}
	t.Logf("%d ACKs, each after one of %d syncs", acks, syncs)
}

// DHCPACK on the wire: the magic cookie, then option 53 of length 1 with value 5 (strace -x writes strings with such bytes so).
var dhcpAck = regexp.MustCompile(`\\x63\\x82\\x53\\x63\\x35\\x01\\x05`)

// checkOrder reads a trace and fails the test for each ACK that is sent before a sync of the store's log, called after the ACK
// before it, has returned. One client asks at a time, so each ACK needs a sync of its own.
func checkOrder(t *testing.T, trace string) (acks, syncs int) {
	t.Helper()
	pending := map[string]bool{} // threads in a sync of the log
	syncedSince := false
	sending := map[string]bool{} // threads in a send, and whether a sync had returned when it was called
	for line := range strings.Lines(trace) {
		thread, _, _ := strings.Cut(line, " ")
		call := strings.Contains(line, "fdatasync(") || strings.Contains(line, "fsync(")
		resumed := strings.Contains(line, "fdatasync resumed") || strings.Contains(line, "fsync resumed")
		switch {
		case call && strings.Contains(line, "leases.db-redo") && strings.Contains(line, "<unfinished"):
			pending[thread] = true
		case call && strings.Contains(line, "leases.db-redo") && strings.Contains(line, "= 0"),
			resumed && pending[thread] && strings.Contains(line, "= 0"):
			delete(pending, thread)
			syncedSince = true
			syncs++
		case strings.Contains(line, "sendmmsg(") && strings.Contains(line, "<unfinished"):
			sending[thread] = syncedSince
		case strings.Contains(line, "sendmmsg") && dhcpAck.MatchString(line):
			acks++
			synced := syncedSince
			if strings.Contains(line, "sendmmsg resumed") {
				// Its data is printed at the end, but it counts when it began.
				synced = sending[thread]
			}
			if !synced {
				t.Errorf("an ACK is sent before a sync has returned: %s", line[:min(len(line), 200)])
			}
			syncedSince = false
		}
	}
	return acks, syncs
}
