//go:build long

package e2e

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// TestTheClockIsSet sets the clock of an emulated machine while guests hold leases: none ends, what is shown moves with the clock, they
// renew, and a restart right afterwards keeps them.
func TestTheClockIsSet(t *testing.T) {
	nettest.NeedRoot(t)
	const clients, day = 20, 24 * time.Hour
	m := newCommanded(t, crowdConfig, newVolatileDisk(emptyFileSystem(t)))
	s := newSwarm(t, m.place)
	m.on(t)
	m.serve(t)
	s.all(0, clients, func(i int) {
		if _, err := s.lease(swarmMAC(i), 30); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	for _, c := range []struct {
		name string
		step time.Duration
		// How it is ended as soon as the clock is set; "" for SIGKILL when a client has renewed.
		atOnce string
	}{
		{"six years forward", 6 * 365 * day, ""},
		{"a day back", -day, ""},
		{"six years forward, and stopped", 6 * 365 * day, "kill $daemon; wait $daemon"},
		{"a day back, and stopped", -day, "kill $daemon; wait $daemon"},
		// The kernel tells; a second is for an emulated machine to wake up and write.
		{"six years forward, and killed", 6 * 365 * day, "sleep 1; kill -9 $daemon; wait $daemon || true"},
		{"a day back, and killed", -day, "sleep 1; kill -9 $daemon; wait $daemon || true"},
	} {
		before := m.ahead(t)
		m.do(t, fmt.Sprintf("date -s @$(($(date +%%s) + %d))", int(c.step.Seconds())))
		ahead := m.ahead(t)
		if moved := ahead - before; (moved - c.step).Abs() > time.Hour {
			t.Fatalf("%s: the clock moves by %v", c.name, moved)
		}
		if c.atOnce != "" {
			m.do(t, c.atOnce)
			m.serve(t)
		}
		m.kept(t, s, c.name, ahead)
		s.all(0, clients, func(i int) {
			held, _ := s.holds(swarmMAC(i))
			reply, err := s.reboot(swarmMAC(i), held.addr, 30)
			if err != nil || reply.MessageType() != dhcpv4.MessageTypeAck || reply.YourIPAddr.String() != held.addr.String() || reply.IPAddressLeaseTime(0) != 12*time.Hour {
				t.Errorf("%s: client %d renews %v: %v %v", c.name, i, held.addr, reply, err)
			}
		})
		if c.atOnce == "" {
			// An ACK of after the step says that the store has the new times.
			m.do(t, "kill -9 $daemon; wait $daemon || true")
			m.serve(t)
		}
		m.kept(t, s, c.name+", and started again", ahead)
		if t.Failed() {
			t.Fatalf("the daemon's log:\n%s", m.do(t, "tail -n 100 /tmp/log"))
		}
		t.Logf("%s: %d leases are kept", c.name, clients)
	}
}

// kept waits until what labnet shows is what clients were granted, by the machine's clock, which is ahead of ours by that.
func (m *commanded) kept(t *testing.T, s *swarm, when string, ahead time.Duration) {
	t.Helper()
	// The clock is read in seconds, and steps are taken in whole ones.
	const tolerance = 5 * time.Second
	granted := s.record()
	for mac, promise := range maps.Clone(granted) {
		granted[mac] = acked{promise.addr, promise.until.Add(ahead - tolerance)}
	}
	// Who asks nothing sees a step within half a minute.
	nettest.Eventually(t, bootLimit, func() error {
		leases := m.leases(t)
		if faults := append(breaches(leases, granted), s.broken()...); len(faults) > 0 {
			return fmt.Errorf("%s: %v", when, faults)
		}
		for _, one := range leases {
			if promise, ok := granted[one.MAC]; ok && one.Expires.After(promise.until.Add(time.Hour)) {
				return fmt.Errorf("%s: %s was granted %v until %v by the machine's clock, and has it until %v", when, one.MAC, promise.addr, promise.until, one.Expires)
			}
		}
		return nil
	})
}
