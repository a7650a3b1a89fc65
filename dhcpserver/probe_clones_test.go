package dhcpserver

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestClonesThatBootTogether: a client that checks its new address by ARP itself (RFC 5227) doesn't answer for it yet, but has
// just spoken to us.
func TestClonesThatBootTogether(t *testing.T) {
	id := opt(optClientID, 255, 1, 2, 3)
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, nil, nil)
		x.knowAll()
		x.want(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		time.Sleep(6 * time.Second)
		o, _ := x.exchange(with(discover(macB, ""), id))
		if o.kind != typeOffer || o.addr == addrOf("10.0.0.120") || x.clones != 1 {
			t.Errorf("%+v, %d warnings", o, x.clones)
		}
	})
}
