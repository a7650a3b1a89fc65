package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

const strictTAPsConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    guard = "strict"
  }
  dhcp { conflict_probe = false }
  host "web" {
    mac     = "52:54:00:aa:00:10"
    address = "10.0.0.10"
  }
  host "db" {
    mac     = "52:54:00:aa:00:11"
    address = "10.0.0.11"
  }
  tap "tap-web" {
    host = "web"
  }
  tap "tap-db" {
    host = "db"
  }
  tap "tap-any" {
    owner = 65432
  }
}
`

// TestStrictGuardOnTAPs: under a strict guard the guest of a TAP that says its MAC address has that and what is given to it, and nobody else has, also
// before it was ever heard. What who isn't root makes says it always.
func TestStrictGuardOnTAPs(t *testing.T) {
	nettest.NeedRoot(t)
	const web, db, nobody = "52:54:00:aa:00:10", "52:54:00:aa:00:11", "52:54:00:aa:00:12"
	l := newLabWithoutDNS(t)
	l.configure(t, strictTAPsConfig)
	p := newPeople(t, l)
	d, _ := l.start(t)
	// denied waits until a machine was refused a few times, and ends it.
	denied := func(what string, line ...string) {
		t.Helper()
		before := l.dropped(t, "impostor")
		cmd, said := l.router.Start(t, line...)
		nettest.Eventually(t, limit, func() error {
			if n := l.dropped(t, "impostor") - before; n < 5 {
				return fmt.Errorf("%s: %d messages are dropped; it says: %s", what, n, said())
			}
			return nil
		})
		if strings.Contains(said(), "leased") {
			t.Errorf("%s: %s", what, said())
		}
		_ = cmd.Process.Kill()
		gone(t, what, cmd.Process)
	}
	member := []int{membersGroup}
	run := func(tap string, args ...string) []string {
		return p.as(bob, member, p.labnet(t, l, append([]string{"taps", "run", tap, "--", p.machine()}, args...)...)...)
	}
	// The first to say it isn't the one to have it, as it is without a TAP that does.
	denied("web's place, from another TAP", p.as(alice, nil, p.machine(), "tap-any", web, "thief")...)
	denied("web's place, from a member's TAP", run("tap-bob", "{fd}", web, "thief")...)
	denied("anybody's place, from a member's TAP", run("tap-bob2", "{fd}", nobody, "thief")...)
	denied("db's place, from web's TAP", p.machine(), "tap-web", db, "thief")
	denied("a newcomer on web's TAP", p.machine(), "tap-web", nobody, "newcomer")
	_, said := l.router.Start(t, run("tap-bob3", "{fd}", "{mac}", "bob")...)
	says(t, said, "leased 10.0.0.")
	_, said = l.router.Start(t, p.as(alice, nil, p.machine(), "tap-any", nobody, "any")...)
	says(t, said, "leased 10.0.0.")

	// A guest with a system of its own.
	g := l.newTAPGuest(t, "web", "tap-web")
	wears := func(mac string) {
		t.Helper()
		g.Run(t, "sh", "-ec", "ip link set eth0 down; ip link set eth0 address "+mac+"; ip link set eth0 up; ip neigh flush dev eth0")
	}
	wears(web)
	g.udhcpc(t)
	if addr := g.leased(t)["address"]; addr != "10.0.0.10" {
		t.Errorf("web leases %s", addr)
	}
	pings := func(from string) error {
		out, err := g.Try("ping", "-n", "-c1", "-W1", "-I", from, "10.0.0.1")
		if err != nil {
			return errorOf(out)
		}
		return nil
	}
	passes := func(when string) {
		t.Helper()
		nettest.Eventually(t, limit, func() error {
			if err := pings("10.0.0.10"); err != nil {
				return fmt.Errorf("%s: %w", when, err)
			}
			return nil
		})
	}
	passes("with its lease")
	g.Run(t, "ip", "address", "add", "10.0.0.11/24", "dev", "eth0")
	mustNot := func(what, from string) {
		t.Helper()
		g.Run(t, "ip", "neigh", "flush", "dev", "eth0") // what is still asked for the one before must not answer for this one
		before := l.dropped(t, "impostor")
		if err := pings(from); err == nil {
			t.Errorf("%s: the gateway answers", what)
		}
		if l.dropped(t, "impostor") == before {
			t.Errorf("%s: nothing is counted", what)
		}
	}
	mustNot("db's address", "10.0.0.11")
	wears(db)
	mustNot("all of db's", "10.0.0.11")
	wears(nobody)
	mustNot("its address with another card", "10.0.0.10")
	wears(web)
	passes("as itself again")

	// The kernel remembers it without the daemon, and the next daemon finds nothing to do.
	l.stop(t, d, syscall.SIGKILL)
	passes("without the daemon")
	l.start(t)
	passes("with the next daemon")
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("the plan isn't empty:\n%s", plan)
	}
	denied("db's place, from a member's TAP", run("tap-bob4", "{fd}", db, "thief")...)
}
