package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"labnet/internal/nettest"
)

// programGuests is how many guests a program makes at once.
const programGuests = 50

// TestALabMadeByAProgram has a program reserve for fifty guests and make their TAPs, all at once and twice, as one that is started again after it was
// ended half way; wait for all; and clean up, twice too.
func TestALabMadeByAProgram(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	guests := l.newGuest(t, "swarm", "vm1")
	swarm := newSwarm(t, guests.Host)
	each := func(args func(i int) string) []string {
		t.Helper()
		out := make([]string, programGuests)
		errs := make([]error, programGuests)
		var all sync.WaitGroup
		for i := range programGuests {
			all.Go(func() { out[i], errs[i] = l.tryLabnet(t, strings.Fields(args(i))...) })
		}
		all.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("%s: %v\n%s", args(i), err, out[i])
			}
		}
		return out
	}
	mac := func(i int) string { return swarmMAC(i).String() }
	address := func(i int) string { return fmt.Sprintf("10.0.0.%d", 100+i) }
	for range 2 {
		each(func(i int) string {
			return fmt.Sprintf("leases reserve %s --address %s --name vm%d", mac(i), address(i), i)
		})
		for i, out := range each(func(i int) string { return fmt.Sprintf("taps add tap-p%d --host vm%d --exist-ok", i, i) }) {
			if !strings.Contains(out, "mac="+mac(i)) {
				t.Errorf("the TAP of guest %d: %s", i, out)
			}
		}
	}
	for i := range programGuests {
		if _, err := swarm.lease(swarmMAC(i), 10); err != nil {
			t.Fatal(err)
		}
	}
	for i, out := range each(func(i int) string { return fmt.Sprintf("leases wait vm%d --timeout 20s", i) }) {
		if strings.TrimSpace(out) != address(i) {
			t.Errorf("guest %d has %q", i, out)
		}
	}
	for range 2 {
		each(func(i int) string { return fmt.Sprintf("taps del tap-p%d --missing-ok", i) })
		each(func(i int) string { return fmt.Sprintf("leases unreserve vm%d --missing-ok", i) })
		each(func(i int) string { return fmt.Sprintf("leases release %s --force --missing-ok", address(i)) })
	}
	if found := l.reservations(t); len(found) > 0 {
		t.Errorf("reservations are left: %+v", found)
	}
	for _, lease := range l.leases(t) {
		if lease.State != "released" {
			t.Errorf("a lease is left: %+v", lease)
		}
	}
	if out := l.router.Run(t, "ip", "-o", "link"); strings.Contains(out, "tap-p") {
		t.Errorf("TAPs are left:\n%s", out)
	}
}
