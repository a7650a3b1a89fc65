//go:build long

package e2e

import (
	"net"
	"os"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// TestROMThenSystemOfDhcpcd is TestROMThenSystem for a client that takes its time.
func TestROMThenSystemOfDhcpcd(t *testing.T) { romThenSystem(t, systems()[2:]) }

// TestROMThenSystemWithoutReservation: two identifiers are two clients, each with an address of its own, and the same one at
// each boot.
func TestROMThenSystemWithoutReservation(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, strings.Replace(bootConfig, "aa:00:09", "aa:00:ff", 1))
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	mac, err := net.ParseMAC(strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address")))
	if err != nil {
		t.Fatal(err)
	}
	s := newSwarm(t, g.Host)
	addrs := map[string]string{}
	for range 2 {
		ack, err := rom{}.boot(s, mac)
		if err != nil {
			t.Fatal(err)
		}
		kill := systems()[0].start(t, g)
		for who, got := range map[string]string{"ROM": ack.YourIPAddr.String(), "system": g.leased(t)["address"]} {
			if before := addrs[who]; before != "" && before != got {
				t.Errorf("the %s gets %s, and had %s", who, got, before)
			}
			addrs[who] = got
		}
		kill()
		g.Run(t, "ip", "address", "flush", "dev", "eth0")
		if err := os.Remove(g.leaseFile); err != nil {
			t.Fatal(err)
		}
	}
	if addrs["ROM"] == addrs["system"] {
		t.Errorf("two clients have %v", addrs)
	}
	if c := l.counters(t); c.sum("nak_") != 0 {
		t.Errorf("refused: %v", c)
	}
}
