package dhcpserver

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"labnet/leases"
)

// TestAnAllowanceIsUsedInAFlood: who asks for too much gets what is allowed, not nothing, unless there is a debt.
func TestAnAllowanceIsUsedInAFlood(t *testing.T) {
	flood := func(a allowance) (n int) {
		for i := range 10_000 { // ten seconds
			if a.take(time.Duration(i) * time.Millisecond) {
				n++
			}
		}
		return n
	}
	if n := flood(allowance{perSecond: 50}); n < 540 || n > 560 {
		t.Errorf("%d of 550 without a debt", n)
	}
	if n := flood(allowance{perSecond: 50, debt: 50}); n > 60 {
		t.Errorf("%d with a debt", n)
	}
}

// TestAConflictIsFoundInAFlood: newcomers without number don't keep the address of a client from being asked for.
func TestAConflictIsFoundInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, func(c *Config) { c.Address = netip.MustParsePrefix("10.0.0.1/16") }, func(n *leases.Network) {
			n.Subnet = netip.MustParsePrefix("10.0.0.0/16")
			n.Ranges = []leases.Range{{Start: addrOf("10.0.4.0"), End: addrOf("10.0.250.0")}}
		})
		mac := 1000
		for range 3000 {
			mac++
			x.send(discover(benchMAC(mac), ""))
			time.Sleep(time.Millisecond)
		}
		before := x.air.probes()
		for range 2000 {
			mac++
			x.send(discover(benchMAC(mac), ""))
			time.Sleep(time.Millisecond)
		}
		if asked := x.air.probes() - before; asked < asksPerSecond || asked > 3*asksPerSecond {
			t.Errorf("%d addresses were asked for in two seconds", asked)
		}
	})
}
