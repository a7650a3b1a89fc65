package dhcpserver

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"labnet/internal/nettest"
)

// TestNobodyTakesALeaseByARP: a guest that knows a client's identifier, as everybody does who hears its broadcasts, and says by
// ARP that the client's address is its own doesn't get the lease of a client that is there.
func TestNobodyTakesALeaseByARP(t *testing.T) {
	id := opt(optClientID, 255, 1, 2, 3)
	addr := addrOf("10.0.0.120")
	forged := sighting{mac: [6]byte([]byte(squatter)), addr: addr, answer: true}
	for _, tc := range []struct {
		name string
		lie  func(x *station)
		ask  func(x *station) uint32
	}{
		{"an answer that nobody asked for", func(x *station) {
			x.probe.hear(forged, true, time.Now())
		}, func(x *station) uint32 {
			return x.send(with(discover(squatter, ""), id))
		}},
		{"an answer before the holder's", func(*station) {}, func(x *station) uint32 {
			xid := x.send(with(discover(squatter, ""), id))
			x.probe.hear(forged, true, time.Now())
			return xid
		}},
		{"all the time", func(x *station) {
			x.air.wg.Go(func() {
				for range 500 {
					x.probe.hear(forged, true, time.Now())
					time.Sleep(time.Millisecond)
				}
			})
		}, func(x *station) uint32 {
			time.Sleep(3 * time.Millisecond)
			return x.send(with(discover(squatter, ""), id))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newStation(t, nil, nil)
				x.know(addr)
				x.want(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
				x.air.set("10.0.0.120", macA)
				x.knowAll()
				time.Sleep(time.Minute)
				x.knowAll()
				tc.lie(x)
				xid := tc.ask(x)
				time.Sleep(2 * time.Second)
				if o, ok := x.found(xid); !ok || o.kind != typeOffer || o.addr == addr {
					t.Errorf("%+v", o)
				}
				x.want(with(renew(macA, "10.0.0.120"), id), typeAck, ReasonAckRebind, "10.0.0.120", instant)
			})
		})
	}
}

// TestInformsBlockNoRenewals: a guest that asks in the name of addresses that nobody has doesn't fill the queue that the ACKs of
// renewals go through.
func TestInformsBlockNoRenewals(t *testing.T) {
	l := newLab(t, nil, nil)
	go func() { // the answers come back to who asks
		for {
			select {
			case <-l.client.received:
			case <-l.client.done:
				return
			}
		}
	}()
	for i := range 16_000 {
		l.client.send(request{kind: typeInform, mac: macA, ciaddr: fmt.Sprintf("10.0.0.%d", 130+i%100)}, broadcastFrom)
	}
	nettest.Eventually(t, patience, func() error {
		if n := l.count(ReasonAckInform) + l.count(ReasonQueueOverflow) + l.count(ReasonShed); n < 16_000 {
			return fmt.Errorf("%d are served", n)
		}
		return nil
	})
	if n := l.count(ReasonSendFailed); n != 0 {
		t.Errorf("%d replies could not be sent", n)
	}
}

// TestAMessageThatWaitsIsCountedOnce as malformed.
func TestAMessageThatWaitsIsCountedOnce(t *testing.T) {
	l := newProbingLab(t, nil)
	l.forget()
	q := discover(macA, "10.0.0.120")
	q.noEnd = true
	l.client.send(q, broadcastFrom)
	if _, err := l.client.next(patience); err != nil {
		t.Fatal(err)
	}
	if waited, n := l.count(ReasonProbing), l.count(ReasonMalformedServed); waited != 1 || n != 1 {
		t.Errorf("waited %d times, malformed %d times", waited, n)
	}
}

// TestInventedRelaysBlockNoRenewals is the same for relays that aren't there.
func TestInventedRelaysBlockNoRenewals(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	p.lease(macB, "10.0.0.130") // so that it isn't shed
	nettest.Eventually(t, 4*patience, func() error {
		for i := range 4000 {
			q := request{kind: typeInform, mac: macB, ciaddr: "10.0.0.130", giaddr: fmt.Sprintf("10.0.0.%d", 131+i%100)}
			l.client.send(q, broadcastFrom)
		}
		if n := l.count(ReasonSendFailed); n == 0 {
			return errors.New("the queue isn't full")
		}
		return nil
	})
	// What they have sent is served to the end: the rest is counted reason by reason. A busy machine may leave the server without the processor for a while.
	var before uint64
	nettest.Eventually(t, 4*patience, func() error {
		time.Sleep(time.Second)
		now := l.count(ReasonAckInform) + l.count(ReasonSendFailed) + l.count(ReasonQueueOverflow)
		if before, now = now, before; now != before {
			return errors.New("they are still served")
		}
		return nil
	})
	p.lease(macA, "10.0.0.120")
	p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckRenew)
}
