package dhcpserver

import (
	"net/netip"
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

// TestClonesBehindARelay: ARP says nothing of machines on another link.
func TestClonesBehindARelay(t *testing.T) {
	const relay = "192.0.2.9"
	id := opt(optClientID, 255, 1, 2, 3)
	relayed := func(q request) request {
		q.giaddr = relay
		return with(q, id, opt(optRelayAgent, append([]byte{agentLink, 4}, ip4("10.0.0.0")...)...))
	}
	synctest.Test(t, func(t *testing.T) {
		x := newStation(t, func(c *Config) { c.Relays = []netip.Addr{addrOf(relay)} }, nil)
		x.know(addrOf("10.0.0.120"))
		x.want(relayed(selecting(macA, "10.0.0.120")), typeAck, ReasonAckSelecting, "10.0.0.120", instant)
		time.Sleep(10 * time.Minute)
		x.knowAll()
		o, _ := x.exchange(relayed(discover(macB, "")))
		if o.kind != typeOffer || o.addr == addrOf("10.0.0.120") || x.clones != 1 {
			t.Errorf("%+v, %d warnings", o, x.clones)
		}
		x.want(relayed(renew(macA, "10.0.0.120")), typeAck, ReasonAckRebind, "10.0.0.120", instant)
	})
}
