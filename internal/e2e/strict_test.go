package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

const strictConfig = `
network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
    guard  = "strict"
  }
  dhcp { conflict_probe = false }
  host "fixed" {
    mac     = %q
    address = "10.0.0.9"
  }
}
`

// TestStrictGuard lets a guest try to be another one: by its address, by its MAC address, and by both, DHCP included.
func TestStrictGuard(t *testing.T) {
	l := newLabWithoutDNS(t)
	alice, mallory, fixed := l.newGuest(t, "alice", "vm1"), l.newGuest(t, "mallory", "vm2"), l.newGuest(t, "fixed", "vm3")
	l.configure(t, fmt.Sprintf(strictConfig, macAddress(t, fixed.Host)))
	d, _ := l.start(t)
	for _, port := range []string{"vm1", "vm2", "vm3"} {
		l.attached(t, port)
	}
	pings := func(g *guest, from, to string) error {
		out, err := g.Try("ping", "-n", "-c1", "-W1", "-I", from, to)
		if err != nil {
			return fmt.Errorf("%s, as %s, doesn't reach %s: %s", g.name, from, to, out)
		}
		return nil
	}
	reaches := func(g *guest, from, to string) {
		t.Helper()
		nettest.Eventually(t, 20*time.Second, func() error { return pings(g, from, to) })
	}
	alice.udhcpc(t)
	mallory.udhcpc(t)
	a, m := alice.leased(t)["address"], mallory.leased(t)["address"]
	// A fresh lease is good for the first packet.
	if err := pings(alice, a, "10.0.0.1"); err != nil {
		t.Error(err)
	}
	reaches(alice, a, m)
	fixed.Run(t, "ip", "address", "add", "10.0.0.9/24", "dev", "eth0")
	reaches(fixed, "10.0.0.9", a)
	l.strictPort(t, "vm1", macAddress(t, alice.Host))
	l.strictPort(t, "vm3", macAddress(t, fixed.Host))

	heard := l.dropped(t, "impostor")
	mustNot := func(what, from, to string) {
		t.Helper()
		// What is still asked for the one before must not answer for this one.
		mallory.Run(t, "ip", "neigh", "flush", "dev", "eth0")
		if err := pings(mallory, from, to); err == nil {
			t.Errorf("%s: mallory reaches %s", what, to)
		}
		if now := l.dropped(t, "impostor"); now == heard {
			t.Errorf("%s: nothing is counted", what)
		} else {
			heard = now
		}
		if err := pings(alice, a, "10.0.0.1"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	mallory.Run(t, "ip", "address", "add", "10.0.0.77/24", "dev", "eth0")
	mustNot("an address that nobody has", "10.0.0.77", "10.0.0.1")
	mallory.Run(t, "ip", "address", "add", a+"/24", "dev", "eth0")
	mustNot("another's address", a, "10.0.0.1")
	own := macAddress(t, mallory.Host)
	disguise := func(mac string) {
		mallory.Run(t, "sh", "-c", "ip link set eth0 down; ip link set eth0 address "+mac+"; ip link set eth0 up; ip neigh flush dev eth0")
	}
	disguise(macAddress(t, alice.Host))
	mustNot("another's MAC address", m, "10.0.0.1")
	mustNot("another's address and MAC address", a, "10.0.0.1")
	if out, err := mallory.Try("udhcpc", "-n", "-q", "-f", "-i", "eth0", "-s", "/bin/true", "-t", "3", "-T", "1"); err == nil {
		t.Errorf("a lease for another's MAC address: %s", out)
	}
	disguise(own)
	reaches(mallory, m, "10.0.0.1")
	mallory.Run(t, "ip", "address", "del", a+"/24", "dev", "eth0")

	// What is known outlives the daemon, and plan has nothing against it.
	l.stop(t, d, syscall.SIGKILL)
	if err := pings(alice, a, "10.0.0.1"); err != nil {
		t.Errorf("without the daemon: %v", err)
	}
	l.start(t)
	if err := pings(alice, a, "10.0.0.1"); err != nil {
		t.Errorf("with the next daemon: %v", err)
	}
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("the plan isn't empty:\n%s", plan)
	}

	// An ended lease is worth nothing.
	l.labnet(t, "leases", "release", "--force", m)
	nettest.Eventually(t, 20*time.Second, func() error {
		if pings(mallory, m, "10.0.0.1") == nil {
			return fmt.Errorf("%s goes on to be used", m)
		}
		return nil
	})

	// A guest's MAC address is free for another port once its own is gone.
	mac := macAddress(t, alice.Host)
	l.router.Run(t, "ip", "link", "del", "vm1")
	moved := l.newGuest(t, "alice", "vm4")
	moved.Run(t, "sh", "-c", "ip link set eth0 down; ip link set eth0 address "+mac+"; ip link set eth0 up")
	l.attached(t, "vm4")
	moved.udhcpc(t)
	if got := moved.leased(t)["address"]; got != a {
		t.Errorf("alice comes back with %s, not %s", got, a)
	}
	reaches(moved, a, "10.0.0.1")
	l.strictPort(t, "vm4", mac)
}

// strictPort waits until a guest's MAC address belongs to a port.
func (l *lab) strictPort(t *testing.T, port, mac string) {
	t.Helper()
	nettest.Eventually(t, 20*time.Second, func() error {
		out := l.router.Run(t, "nft", "list", "set", "bridge", "labnet", "stations_lab")
		if !strings.Contains(out, fmt.Sprintf("%q . %s", port, mac)) {
			return fmt.Errorf("%s isn't at %s: %s", mac, port, out)
		}
		return nil
	})
}
