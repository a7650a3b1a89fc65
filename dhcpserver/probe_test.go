package dhcpserver

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"labnet/leases"
)

const (
	squatter = "\x52\x54\x00\x00\x66\x66"
	instant  = 0
)

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestOffersAreProven is which OFFERs wait for ARP, how long, and what comes of it.
func TestOffersAreProven(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(t *testing.T, x *station)
	}{
		{"an unknown address waits for silence", func(t *testing.T, x *station) {
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
			if n := x.air.timesAsked("10.0.0.120"); n != 2 {
				t.Errorf("asked %d times", n)
			}
		}},
		{"an address of the stock is offered at once", func(t *testing.T, x *station) {
			x.know(addrOf("10.0.0.120"))
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
		}},
		{"a machine that came in silence answers before the client can request", func(t *testing.T, x *station) {
			x.knowAll()
			time.Sleep(time.Minute)
			x.air.set("10.0.0.120", squatter)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
			time.Sleep(2 * time.Millisecond)
			x.want(selecting(macA, "10.0.0.120"), typeNak, ReasonNakInUse, "10.0.0.120", instant)
			o := x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferDerived, "", instant)
			x.want(selecting(macA, o.addr.String()), typeAck, ReasonAckSelecting, "", instant)
		}},
		{"what is known fades", func(t *testing.T, x *station) {
			x.know(addrOf("10.0.0.120"))
			time.Sleep(freeTime)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
		}},
		{"a machine that turns up ends what is known", func(t *testing.T, x *station) {
			x.know(addrOf("10.0.0.120"))
			x.probe.hear(sighting{mac: [6]byte([]byte(squatter)), addr: addrOf("10.0.0.120")}, false, time.Now())
			x.air.set("10.0.0.120", squatter)
			if o := x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferDerived, "", probeWait+time.Millisecond); o.addr == addrOf("10.0.0.120") {
				t.Error("offered all the same")
			}
		}},
		{"another machine's address rests, and the client gets another at once", func(t *testing.T, x *station) {
			x.knowAll()
			time.Sleep(time.Minute)
			x.probe.hear(sighting{mac: [6]byte([]byte(squatter)), addr: addrOf("10.0.0.120")}, false, time.Now())
			x.air.set("10.0.0.120", squatter)
			time.Sleep(time.Minute)
			if o := x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferDerived, "", time.Millisecond); o.addr == addrOf("10.0.0.120") {
				t.Error("offered all the same")
			}
			l, _ := x.table.ByAddr("lab", addrOf("10.0.0.120"))
			if l.State != leases.Declined || string(l.HWAddr) != squatter || !l.Expiry.After(time.Now()) {
				t.Errorf("its record is %+v", l)
			}
			if len(x.conflicts) != 1 || string(x.conflicts[0].by) != squatter || x.conflicts[0].client.HWAddr != macA {
				t.Errorf("conflicts %+v", x.conflicts)
			}
		}},
		{"the machine may have been heard and be gone", func(t *testing.T, x *station) {
			x.probe.hear(sighting{mac: [6]byte([]byte(squatter)), addr: addrOf("10.0.0.120")}, false, time.Now())
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
		}},
		{"the client's own voice is no conflict", func(t *testing.T, x *station) {
			x.air.set("10.0.0.120", macA)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", time.Millisecond)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferHold, "10.0.0.120", instant)
		}},
		{"who has a lease, an offer or a former address that it uses doesn't wait", func(t *testing.T, x *station) {
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferHold, "10.0.0.120", instant)
			x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			x.air.set("10.0.0.120", macA)
			x.probe.hear(sighting{mac: [6]byte([]byte(macA)), addr: addrOf("10.0.0.120")}, false, time.Now())
			x.want(discover(macA, ""), typeOffer, ReasonOfferBinding, "10.0.0.120", instant)
			x.send(release(macA, "10.0.0.120"))
			time.Sleep(time.Second)
			x.want(discover(macA, ""), typeOffer, ReasonOfferFormer, "10.0.0.120", instant)
		}},
		{"a released address is asked for before another gets it", func(t *testing.T, x *station) {
			x.know(addrOf("10.0.0.120"))
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
			x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			x.send(release(macA, "10.0.0.120"))
			x.want(discover(macB, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
		}},
		{"a machine that has left its address is no conflict", func(t *testing.T, x *station) {
			x.air.set("10.0.0.120", macA)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", time.Millisecond)
			x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			time.Sleep(5 * time.Second)
			x.probe.hear(sighting{mac: [6]byte([]byte(macA)), addr: addrOf("10.0.0.120")}, false, time.Now())
			x.send(release(macA, "10.0.0.120"))
			x.air.set("10.0.0.120", "")
			x.want(discover(macB, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
			x.want(selecting(macB, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		}},
		{"nor is one that has, when so many come that nobody waits", func(t *testing.T, x *station) {
			x.air.set("10.0.0.120", macA)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", time.Millisecond)
			x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			time.Sleep(5 * time.Second)
			x.send(release(macA, "10.0.0.120"))
			x.air.set("10.0.0.120", "")
			for range waitPerSecond {
				x.probe.waits.take(x.probe.since(time.Now()))
			}
			x.want(discover(macB, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
			x.want(selecting(macB, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		}},
		{"of a client that asks again only the newest message waits", func(t *testing.T, x *station) {
			first := x.send(discover(macA, "10.0.0.120"))
			time.Sleep(100 * time.Millisecond)
			o, after := x.exchange(discover(macA, "10.0.0.120"))
			if o.kind != typeOffer || after < 190*time.Millisecond || after > 205*time.Millisecond {
				t.Errorf("%+v after %v", o, after)
			}
			time.Sleep(time.Second)
			if o, ok := x.found(first); ok {
				t.Errorf("the first one is answered too: %+v", o)
			}
		}},
		{"two clients that wait for one address get one each", func(t *testing.T, x *station) {
			first, second := x.send(discover(macA, "10.0.0.120")), x.send(discover(macB, "10.0.0.120"))
			time.Sleep(time.Second)
			a, okA := x.found(first)
			b, okB := x.found(second)
			if !okA || !okB || a.kind != typeOffer || b.kind != typeOffer || a.addr == b.addr {
				t.Errorf("offered %+v and %+v", a, b)
			}
		}},
		{"a reserved address is of the stock", func(t *testing.T, x *station) {
			x.knowAll()
			x.want(discover(macDB, ""), typeOffer, ReasonOfferReservation, "10.0.0.50", instant)
		}},
		{"a reserved address that another uses: the client gets another", func(t *testing.T, x *station) {
			x.air.set("10.0.0.50", squatter)
			x.want(discover(macDB, ""), typeOffer, ReasonOfferDerived, "", probeWait+time.Millisecond)
			x.want(discover(macDB, ""), typeOffer, ReasonOfferHold, "", instant)
		}},
		{"a link that takes no probes delays, but stops nobody", func(t *testing.T, x *station) {
			x.air.breaks()
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
			if !x.probe.stale(addrOf("10.0.0.120"), time.Now()) {
				t.Error("the address counts as free though nobody was asked")
			}
		}},
		{"off: nobody is asked", func(t *testing.T, x *station) {
			x.settings = testSettings(t)
			x.air.set("10.0.0.120", squatter)
			x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
			x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			if n := x.air.timesAsked("10.0.0.120"); n != 0 {
				t.Errorf("asked %d times", n)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tc.play(t, newStation(t, nil, nil)) })
		})
	}
}

// TestRequestsAreProven is the same of REQUESTs for addresses that we have no record of.
func TestRequestsAreProven(t *testing.T) {
	for _, q := range []struct {
		name   string
		make   func(mac, addr string) request
		reason Reason
	}{
		{"21 SELECTING, forgotten offer", selecting, ReasonAckSelecting},
		{"33 INIT-REBOOT", initReboot, ReasonAckAdopted},
		{"46 REBIND", renew, ReasonAckAdopted},
	} {
		for _, tc := range []struct {
			name string
			play func(t *testing.T, x *station)
		}{
			{"nobody answers", func(t *testing.T, x *station) {
				x.want(q.make(macA, "10.0.0.120"), typeAck, q.reason, "10.0.0.120", probeWait)
			}},
			{"known to be free", func(t *testing.T, x *station) {
				x.know(addrOf("10.0.0.120"))
				x.want(q.make(macA, "10.0.0.120"), typeAck, q.reason, "10.0.0.120", instant)
				if !x.probe.stale(addrOf("10.0.0.120"), time.Now()) {
					t.Error("a leased address still counts as free")
				}
			}},
			{"the client itself answers", func(t *testing.T, x *station) {
				x.air.set("10.0.0.120", macA)
				x.want(q.make(macA, "10.0.0.120"), typeAck, q.reason, "10.0.0.120", time.Millisecond)
			}},
			{"another machine answers", func(t *testing.T, x *station) {
				x.air.set("10.0.0.120", squatter)
				x.want(q.make(macA, "10.0.0.120"), typeNak, ReasonNakInUse, "10.0.0.120", time.Millisecond)
				if l, _ := x.table.ByAddr("lab", addrOf("10.0.0.120")); l.State != leases.Declined || string(l.HWAddr) != squatter {
					t.Errorf("its record is %+v", l)
				}
				x.want(q.make(macB, "10.0.0.120"), typeNak, ReasonNakQuarantined, "10.0.0.120", instant)
				// Its user may become its client.
				x.want(q.make(squatter, "10.0.0.120"), typeAck, q.reason, "10.0.0.120", instant)
			}},
			{"leased to another: no question", func(t *testing.T, x *station) {
				x.know(addrOf("10.0.0.120"))
				x.want(selecting(macB, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
				x.air.set("10.0.0.120", macB)
				x.want(q.make(macA, "10.0.0.120"), typeNak, ReasonNakTaken, "10.0.0.120", instant)
			}},
			{"out of the pool: no question", func(t *testing.T, x *station) {
				x.want(q.make(macA, "10.0.0.20"), typeNak, ReasonNakOutOfPool, "10.0.0.20", instant)
			}},
		} {
			t.Run(q.name+", "+tc.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { tc.play(t, newStation(t, nil, nil)) })
			})
		}
	}
}

// TestRapidCommitsAreProven: an ACK without a REQUEST only for an address that is known to be free.
func TestRapidCommitsAreProven(t *testing.T) {
	rapid := func(mac, addr string) request { return with(discover(mac, addr), opt(optRapidCommit)) }
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, func(c *Config) { c.RapidCommit = true }, nil)
		x.want(rapid(macA, "10.0.0.120"), typeAck, ReasonAckRapid, "10.0.0.120", probeWait)
		x.want(rapid(macA, "10.0.0.120"), typeAck, ReasonAckRapid, "10.0.0.120", instant)
		x.know(addrOf("10.0.0.121"))
		x.want(rapid(macB, "10.0.0.121"), typeAck, ReasonAckRapid, "10.0.0.121", instant)
		if !x.probe.stale(addrOf("10.0.0.121"), time.Now()) {
			t.Error("a leased address still counts as free")
		}
		x.air.set("10.0.0.122", squatter)
		if o, _ := x.exchange(rapid(benchMAC(1), "10.0.0.122")); o.kind != typeAck || o.addr == addrOf("10.0.0.122") {
			t.Errorf("%+v", o)
		}
		for range waitPerSecond {
			x.probe.waits.take(x.probe.since(time.Now()))
		}
		x.want(rapid(benchMAC(2), "10.0.0.130"), typeOffer, ReasonOfferRequested, "10.0.0.130", instant)
	})
}

// TestAStormWaitsForNobody: then all but the first few get their OFFER at once; the addresses are asked for beside, and an
// answer that comes before the client's REQUEST refuses it.
func TestAStormWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := func(n *leases.Network) {
			n.Subnet = netip.MustParsePrefix("10.0.0.0/16")
			n.Ranges = []leases.Range{{Start: addrOf("10.0.4.0"), End: addrOf("10.0.250.0")}}
		}
		x := newStation(t, func(c *Config) { c.Address = netip.MustParsePrefix("10.0.0.1/16") }, big)
		x.air.set("10.0.9.9", squatter)
		start := time.Now()
		const newcomers = 1000
		var xids []uint32
		var at time.Time
		for i := range newcomers {
			xids = append(xids, x.send(discover(benchMAC(1000+i), "")))
			if i == 100 {
				at = x.want(discover(macA, "10.0.9.9"), typeOffer, ReasonOfferRequested, "10.0.9.9", instant).at
			}
		}
		if x.skipped < newcomers-maxParked || at != start {
			t.Errorf("%d did not wait", x.skipped)
		}
		time.Sleep(10 * time.Millisecond)
		x.want(selecting(macA, "10.0.9.9"), typeNak, ReasonNakInUse, "10.0.9.9", instant)
		time.Sleep(time.Second)
		waited := 0
		for _, xid := range xids {
			o, ok := x.found(xid)
			if !ok || o.kind != typeOffer {
				t.Fatalf("%d: %+v", xid, o)
			}
			if o.at != start {
				waited++
			}
		}
		if waited != maxParked {
			t.Errorf("%d waited", waited)
		}
		if total := x.air.probes(); total > asksPerSecond+2*maxParked {
			t.Errorf("%d probes", total)
		}
		if n := len(x.probe.parked) + len(x.probe.asked); n != 0 {
			t.Errorf("%d things are left", n)
		}
	})
}

// TestOneMachineAnswersForEverything: known clients and newcomers are served, and it is said who does it.
func TestOneMachineAnswersForEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, nil, func(n *leases.Network) {
			n.Reservations = nil
			n.Ranges = []leases.Range{{Start: addrOf("10.0.0.2"), End: addrOf("10.0.0.254")}}
		})
		x.know(addrOf("10.0.0.120"))
		x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
		x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		x.air.answerAll(squatter)
		x.knowAll()
		for i := range 60 {
			mac := benchMAC(1000 + i)
			o, after := x.exchange(discover(mac, ""))
			if o.kind != typeOffer || after > probeWait {
				t.Fatalf("newcomer %d: %+v after %v", i, o, after)
			}
			if o, after = x.exchange(selecting(mac, o.addr.String())); o.kind != typeAck || after > probeWait {
				t.Fatalf("newcomer %d: %+v after %v", i, o, after)
			}
			x.want(renew(macA, "10.0.0.120"), typeAck, ReasonAckRebind, "10.0.0.120", instant)
			time.Sleep(100 * time.Millisecond)
		}
		resting := 0
		for _, l := range x.table.Leases("lab") {
			if l.State == leases.Declined && l.Expiry.After(time.Now()) {
				resting++
			}
		}
		if resting == 0 || resting > 253/4 {
			t.Errorf("%d addresses rest", resting)
		}
		if len(x.ignored) == 0 || string(x.ignored[0].by) != squatter {
			t.Errorf("it isn't said who answers: %+v", x.ignored)
		}
	})
}

// TestConflictsAreFew: a guest that invents clients and answers for all their addresses makes no flood of commits.
func TestConflictsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, nil, nil)
		x.air.answerAll(squatter)
		x.knowAll()
		for i := range 2000 {
			x.send(discover(benchMAC(1000+i), ""))
		}
		time.Sleep(time.Second)
		if n := len(x.conflicts); n == 0 || n > 2*convictionsPerSecond {
			t.Errorf("%d conflicts", n)
		}
	})
}

// TestAClockThatJumpsGivesNoGuestsAddressAway: the lease is over by the clock, but its guest is there.
func TestAClockThatJumpsGivesNoGuestsAddressAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, nil, nil)
		x.want(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
		x.want(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		x.air.set("10.0.0.120", macA)
		synctest.Wait() // it is committed
		// What the table does in a moment of another time.
		n := testNetwork()
		if err := x.table.Configure(leases.Config{Networks: []leases.Network{n}}, time.Now().Add(48*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if l, _ := x.table.ByAddr("lab", addrOf("10.0.0.120")); l.State != leases.Expired {
			t.Fatalf("the lease is %v", l.State)
		}
		for i, q := range []request{discover(macB, "10.0.0.120"), initReboot(benchMAC(7), "10.0.0.120")} {
			if o, _ := x.exchange(q); o.kind == typeAck || o.kind == typeOffer && o.addr == addrOf("10.0.0.120") {
				t.Errorf("message %d: %+v", i, o)
			}
		}
		x.want(renew(macA, "10.0.0.120"), typeAck, ReasonAckAdopted, "10.0.0.120", instant)
	})
}

// TestClonesAreAsked: whether a second machine with the identifier of an active lease is a clone is asked of the holder.
func TestClonesAreAsked(t *testing.T) {
	id := opt(optClientID, 255, 1, 2, 3)
	lease := func(x *station) {
		x.know(addrOf("10.0.0.120"))
		x.want(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		x.air.set("10.0.0.120", macA)
		time.Sleep(settleTime)
		x.knowAll()
	}
	for _, tc := range []struct {
		name string
		play func(t *testing.T, x *station)
	}{
		{"both alive: two addresses", func(t *testing.T, x *station) {
			lease(x)
			time.Sleep(50 * time.Minute) // longer than the rule without ARP would take it for alive
			x.knowAll()
			o := x.want(with(discover(macB, ""), id), typeOffer, ReasonOfferDerived, "", time.Millisecond)
			if o.addr == addrOf("10.0.0.120") {
				t.Error("the clone is offered the holder's address")
			}
			addr := o.addr.String()
			x.want(with(selecting(macB, addr), id), typeAck, ReasonAckSelecting, addr, instant)
			x.want(with(renew(macA, "10.0.0.120"), id), typeAck, ReasonAckRebind, "10.0.0.120", instant)
			x.want(with(renew(macB, addr), id), typeAck, ReasonAckRebind, addr, instant)
			if x.clones != 1 {
				t.Errorf("%d warnings", x.clones)
			}
		}},
		{"both alive, a moment after the address was found free", func(t *testing.T, x *station) {
			x.want(with(discover(macA, "10.0.0.120"), id), typeOffer, ReasonOfferRequested, "10.0.0.120", probeWait)
			x.want(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			x.air.set("10.0.0.120", macA)
			if o, _ := x.exchange(with(discover(macB, ""), id)); o.kind != typeOffer || o.addr == addrOf("10.0.0.120") || x.clones != 1 {
				t.Errorf("%+v, %d warnings", o, x.clones)
			}
		}},
		{"silence: a new card in the old machine gets its lease back", func(t *testing.T, x *station) {
			lease(x)
			x.air.set("10.0.0.120", "")
			x.want(with(discover(macB, ""), id), typeOffer, ReasonOfferBinding, "10.0.0.120", probeWait)
			x.want(with(selecting(macB, "10.0.0.120"), id), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
			if x.clones != 0 {
				t.Errorf("%d warnings", x.clones)
			}
		}},
		{"a new card, with the address configured already", func(t *testing.T, x *station) {
			lease(x)
			x.air.set("10.0.0.120", macB)
			x.want(with(initReboot(macB, "10.0.0.120"), id), typeAck, ReasonAckInitReboot, "10.0.0.120", probeWait)
		}},
		{"the link takes no probes: by time", func(t *testing.T, x *station) {
			lease(x)
			x.air.breaks()
			o, _ := x.exchange(with(discover(macB, ""), id))
			if o.kind != typeOffer || o.addr == addrOf("10.0.0.120") || x.clones != 1 {
				t.Errorf("%+v, %d warnings", o, x.clones)
			}
		}},
		{"a storm: by time", func(t *testing.T, x *station) {
			lease(x)
			for range waitPerSecond {
				x.probe.waits.take(x.probe.since(time.Now()))
			}
			o, after := x.exchange(with(discover(macB, ""), id))
			if o.kind != typeOffer || o.addr == addrOf("10.0.0.120") || after != 0 {
				t.Errorf("%+v after %v", o, after)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tc.play(t, newStation(t, nil, nil)) })
		})
	}
}

// TestKnowledgeIsBounded: whatever is heard, so much is remembered.
func TestKnowledgeIsBounded(t *testing.T) {
	p := newProber(func(netip.Addr, [6]byte) error { return nil })
	now := time.Now()
	for i := range 5 * maxKnown {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p.hear(sighting{mac: [6]byte{2, byte(i)}, addr: a}, false, now)
		p.askBeside(a, now)
	}
	if n := len(p.users.young) + len(p.users.old); n > 2*maxKnown {
		t.Errorf("%d users are remembered", n)
	}
	if len(p.asked) > maxAsked || len(p.unsent) > maxAsked {
		t.Errorf("%d questions, %d to be sent", len(p.asked), len(p.unsent))
	}
	for i := range 5 * maxReparked {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		c := leases.Client{ID: leases.ClientID(fmt.Sprint(i))}
		if v, _ := p.vet(a, "", false, true, now); v == toWait {
			p.park(c, datagram{data: make([]byte, 300)}, waiting{addr: a, to: broadcastMAC}, now)
		}
	}
	if len(p.parked) > maxReparked {
		t.Errorf("%d messages wait", len(p.parked))
	}
}
