package dhcpserver

import (
	"testing"
	"testing/synctest"
	"time"
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
