package dhcpserver

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"labnet/leases"
)

// world is where the rows of the decision table are played: without sockets in fake time, and in network namespaces with
// real ones. Both run the same settings, table, decisions and codec.
type world interface {
	// exchange sends a message; unicast ones go to the server's address from from. It returns the answer, or nil if there
	// is none, and the reason.
	exchange(t *testing.T, q request, from string) (*answer, Reason)
	// wait lets time pass.
	wait(d time.Duration)
}

// row is one row of the decision table, or a variant of it.
type row struct {
	name    string
	config  func(*Config)
	network func(*leases.Network)
	slow    bool // takes longer than a test with real sockets should
	play    func(p *play)
}

// play is a row being played: every step checks kind and reason.
type play struct {
	t *testing.T
	world
}

const (
	broadcastFrom = "" // to everyone, as a client without an address does
	macA          = "\x52\x54\x00\x00\x00\x0a"
	macB          = "\x52\x54\x00\x00\x00\x0b"
	macDB         = "\x52\x54\x00\x00\x00\xdb" // has a reservation at 10.0.0.50
	server        = "10.0.0.1"
)

// answered sends q by broadcast and wants a reply of a kind.
func (p *play) answered(q request, kind messageType, reason Reason) *answer {
	p.t.Helper()
	return p.answeredFrom(q, broadcastFrom, kind, reason)
}

func (p *play) answeredFrom(q request, from string, kind messageType, reason Reason) *answer {
	p.t.Helper()
	a, got := p.exchange(p.t, q, from)
	if got != reason {
		p.t.Errorf("reason %q, want %q", got, reason)
	}
	if a == nil {
		p.t.Fatalf("no answer, want type %d", kind)
	}
	if a.kind != kind {
		p.t.Fatalf("answer of type %d, want %d", a.kind, kind)
	}
	if kind == typeNak && !slices.Equal(a.codes[:3], []uint8{53, 54, 56}) {
		p.t.Errorf("a NAK with options %v", a.codes)
	}
	return a
}

func (p *play) silent(q request, reason Reason) {
	p.t.Helper()
	p.silentFrom(q, broadcastFrom, reason)
}

func (p *play) silentFrom(q request, from string, reason Reason) {
	p.t.Helper()
	a, got := p.exchange(p.t, q, from)
	if got != reason {
		p.t.Errorf("reason %q, want %q", got, reason)
	}
	if a != nil {
		p.t.Errorf("an answer of type %d, want silence", a.kind)
	}
}

// address wants the answer to give addr.
func (p *play) address(a *answer, addr string) {
	p.t.Helper()
	if a.yiaddr.String() != addr {
		p.t.Errorf("address %v, want %v", a.yiaddr, addr)
	}
}

// lease makes a client bound to an address that it asks for, "" for any.
func (p *play) lease(mac, addr string) netip.Addr {
	p.t.Helper()
	a, _ := p.exchange(p.t, discover(mac, addr), broadcastFrom)
	if a == nil || a.kind != typeOffer {
		p.t.Fatalf("no OFFER: %+v", a)
	}
	if a, _ = p.exchange(p.t, selecting(mac, a.yiaddr.String()), broadcastFrom); a == nil || a.kind != typeAck {
		p.t.Fatalf("no ACK: %+v", a)
	}
	if addr != "" {
		p.address(a, addr)
	}
	return a.yiaddr
}

func discover(mac, requested string) request {
	q := request{kind: typeDiscover, mac: mac}
	if requested != "" {
		q.options = append(q.options, optIP(optRequestedAddr, requested))
	}
	return q
}

func selecting(mac, addr string) request {
	return request{kind: typeRequest, mac: mac, options: []Option{optIP(optServerID, server), optIP(optRequestedAddr, addr)}}
}

func initReboot(mac, addr string) request {
	return request{kind: typeRequest, mac: mac, options: []Option{optIP(optRequestedAddr, addr)}}
}

// renew is a renewal when it is sent from the address, and a rebind when it is broadcast.
func renew(mac, addr string) request {
	return request{kind: typeRequest, mac: mac, ciaddr: addr}
}

func release(mac, addr string) request {
	return request{kind: typeRelease, mac: mac, ciaddr: addr, options: []Option{optIP(optServerID, server)}}
}

func decline(mac, addr string) request {
	return request{kind: typeDecline, mac: mac, options: []Option{optIP(optServerID, server), optIP(optRequestedAddr, addr)}}
}

func with(q request, options ...Option) request {
	q.options = append(slices.Clone(q.options), options...)
	return q
}

func humble(c *Config) { c.Authoritative = false }

// oneAddress is a pool of one.
func oneAddress(n *leases.Network) {
	n.Ranges = []leases.Range{{Start: netip.MustParseAddr("10.0.0.100"), End: netip.MustParseAddr("10.0.0.100")}}
}

// allRows are the decision table and its variants.
func allRows() []row {
	return slices.Concat(rows, identityRows, rapidRows, relayRows, bootRows, invariantRows)
}

var rows = []row{
	{name: "1 DISCOVER with an active binding: it is offered", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.address(p.answered(discover(macA, "10.0.0.130"), typeOffer, ReasonOfferBinding), "10.0.0.120")
	}},
	{name: "2 DISCOVER with a former binding that is free: it is offered", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.silentFrom(release(macA, "10.0.0.120"), "10.0.0.120", ReasonReleased)
		p.address(p.answered(discover(macA, ""), typeOffer, ReasonOfferFormer), "10.0.0.120")
	}},
	{name: "3 DISCOVER requests a free address: it is offered", play: func(p *play) {
		p.address(p.answered(discover(macA, "10.0.0.130"), typeOffer, ReasonOfferRequested), "10.0.0.130")
	}},
	{name: "4 DISCOVER requests an address that it can't have: another is offered", play: func(p *play) {
		p.lease(macB, "10.0.0.120")
		for i, requested := range []string{"192.0.2.9", "10.0.0.120", "10.0.0.50", "10.0.0.1", "10.0.0.20"} {
			mac := "\x52\x54\x00\x00\x04" + string(rune('0'+i))
			a, reason := p.exchange(p.t, discover(mac, requested), broadcastFrom)
			if a == nil || a.kind != typeOffer || reason != ReasonOfferDerived && reason != ReasonOfferOldest {
				p.t.Fatalf("%s: answer %+v, reason %s", requested, a, reason)
			}
			if a.yiaddr.String() == requested || a.yiaddr.Compare(netip.MustParseAddr("10.0.0.100")) < 0 {
				p.t.Errorf("%s: offered %v", requested, a.yiaddr)
			}
		}
	}},
	{name: "4 DISCOVER of one that has a reservation: that is offered", play: func(p *play) {
		p.address(p.answered(discover(macDB, "10.0.0.130"), typeOffer, ReasonOfferReservation), "10.0.0.50")
	}},
	{name: "5 DISCOVER when nothing is free: silence", network: oneAddress, play: func(p *play) {
		p.lease(macA, "10.0.0.100")
		p.silent(discover(macB, ""), ReasonExhausted)
	}},
	{name: "5 DISCOVER from a relay of an unknown subnet: silence", play: func(p *play) {
		q := discover(macA, "")
		q.giaddr = "192.0.2.1"
		p.silentFrom(q, "10.0.0.9", ReasonForeignRelay)
	}},
	{name: "5 DISCOVER from a relay that claims to be us or everyone: silence", play: func(p *play) {
		for _, giaddr := range []string{server, "10.0.0.255", "10.0.0.0"} {
			q := discover(macA, "")
			q.giaddr = giaddr
			p.silentFrom(q, "10.0.0.9", ReasonForeignRelay)
		}
	}},
	{name: "6 DISCOVER with a server identifier: silence", play: func(p *play) {
		p.silent(with(discover(macA, ""), optIP(optServerID, server)), ReasonDiscoverServer)
	}},
	{name: "7 DISCOVER with ciaddr: OFFER with ciaddr 0", play: func(p *play) {
		q := discover(macA, "10.0.0.130")
		q.ciaddr = "10.0.0.140"
		a := p.answered(q, typeOffer, ReasonOfferRequested)
		if !a.ciaddr.IsUnspecified() {
			p.t.Errorf("ciaddr %v", a.ciaddr)
		}
	}},
	{name: "8 DISCOVER again: the same OFFER", play: func(p *play) {
		first := p.answered(discover(macA, ""), typeOffer, ReasonOfferDerived)
		p.address(p.answered(discover(macA, ""), typeOffer, ReasonOfferHold), first.yiaddr.String())
		p.address(p.answered(discover(macA, ""), typeOffer, ReasonOfferHold), first.yiaddr.String())
	}},
	{name: "9 two clients for one address: the holder of the lease keeps it", network: oneAddress, play: func(p *play) {
		p.answered(discover(macA, "10.0.0.100"), typeOffer, ReasonOfferRequested)
		p.answered(selecting(macA, "10.0.0.100"), typeAck, ReasonAckSelecting)
		p.silent(discover(macB, "10.0.0.100"), ReasonExhausted)
		p.answered(selecting(macB, "10.0.0.100"), typeNak, ReasonNakTaken)
	}},
	{name: "9 two clients are offered one free address: the first to request it has it", network: oneAddress, play: func(p *play) {
		p.answered(discover(macA, ""), typeOffer, ReasonOfferDerived)
		p.answered(discover(macB, ""), typeOffer, ReasonOfferTakenBack)
		p.answered(selecting(macA, "10.0.0.100"), typeAck, ReasonAckSelecting)
		p.answered(selecting(macB, "10.0.0.100"), typeNak, ReasonNakTaken)
	}},
	{name: "11 neither identifier nor address: silence", play: func(p *play) {
		p.silent(request{kind: typeDiscover, noHardware: true}, ReasonNoIdentity)
		p.silent(request{kind: typeRequest, noHardware: true, options: []Option{optIP(optRequestedAddr, "192.0.2.1")}}, ReasonNoIdentity)
	}},
	{name: "11 an identifier alone is enough", play: func(p *play) {
		q := discover(macA, "10.0.0.130")
		q.noHardware = true
		p.answered(with(q, opt(optClientID, 0, 'i', 'd')), typeOffer, ReasonOfferRequested)
	}},
	{name: "20 SELECTING our offer: ACK", play: func(p *play) {
		a := p.answered(discover(macA, ""), typeOffer, ReasonOfferDerived)
		addr := a.yiaddr.String()
		ack := p.answered(selecting(macA, addr), typeAck, ReasonAckSelecting)
		p.address(ack, addr)
		if ack.seconds(51) != 3600 || ack.get(3) == nil {
			p.t.Errorf("lease time %d, routers %v", ack.seconds(51), ack.get(3))
		}
	}},
	{name: "20 the ACK again for the same REQUEST", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.address(p.answered(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting), "10.0.0.120")
	}},
	{name: "20 with a ciaddr that it isn't given: not sent there", play: func(p *play) {
		for _, ciaddr := range []string{"192.0.2.92", "10.0.0.130"} {
			q := selecting(macA, "10.0.0.120")
			q.ciaddr = ciaddr
			p.address(p.answered(q, typeAck, ReasonAckSelecting), "10.0.0.120")
		}
	}},
	{name: "21 SELECTING an offer that we have forgotten: ACK", play: func(p *play) {
		p.address(p.answered(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting), "10.0.0.120")
	}},
	{name: "22 SELECTING what is taken, reserved, or not in the pool: NAK", play: func(p *play) {
		p.lease(macB, "10.0.0.120")
		p.answered(selecting(macA, "10.0.0.120"), typeNak, ReasonNakTaken)
		p.answered(selecting(macA, "10.0.0.50"), typeNak, ReasonNakReserved)
		p.answered(selecting(macA, "10.0.0.20"), typeNak, ReasonNakOutOfPool)
		p.answered(selecting(macA, "192.0.2.20"), typeNak, ReasonNakOffLink)
		p.answered(selecting(macA, server), typeNak, ReasonNakOffLink)
		p.answered(selecting(macDB, "10.0.0.120"), typeNak, ReasonNakMoved)
	}},
	{name: "23 SELECTING another server: our hold ends", network: oneAddress, play: func(p *play) {
		p.answered(discover(macA, ""), typeOffer, ReasonOfferDerived)
		other := request{kind: typeRequest, mac: macA, options: []Option{optIP(optServerID, "10.0.0.2"), optIP(optRequestedAddr, "10.0.0.77")}}
		p.silent(other, ReasonChoseAnother)
		a, reason := p.exchange(p.t, discover(macB, ""), broadcastFrom)
		if a == nil || reason == ReasonOfferTakenBack {
			p.t.Errorf("the hold is still there: %s", reason)
		}
	}},
	{name: "23 SELECTING another server: a binding stays", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		other := request{kind: typeRequest, mac: macA, options: []Option{optIP(optServerID, "10.0.0.2"), optIP(optRequestedAddr, "10.0.0.77")}}
		p.silent(other, ReasonChoseAnother)
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckRenew)
	}},
	{name: "23 a server identifier that is none", play: func(p *play) {
		p.silent(request{kind: typeRequest, mac: macA, options: []Option{opt(optServerID, 10, 0), optIP(optRequestedAddr, "10.0.0.120")}}, ReasonChoseAnother)
	}},
	{name: "24 REQUEST of no address: NAK", play: func(p *play) {
		p.answered(request{kind: typeRequest, mac: macA}, typeNak, ReasonNakNoAddress)
		p.answered(request{kind: typeRequest, mac: macA, options: []Option{optIP(optServerID, server)}}, typeNak, ReasonNakNoAddress)
		p.answered(request{kind: typeRequest, mac: macA, options: []Option{opt(optRequestedAddr, 10, 0, 0)}}, typeNak, ReasonNakNoAddress)
	}},
	{name: "30 INIT-REBOOT with its binding: ACK", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.address(p.answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckInitReboot), "10.0.0.120")
	}},
	{name: "30 not authoritative: ACK", config: humble, play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckInitReboot)
	}},
	{name: "31 INIT-REBOOT, but it holds another: NAK", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.answered(initReboot(macA, "10.0.0.130"), typeNak, ReasonNakOtherBinding)
	}},
	{name: "31 not authoritative: NAK", config: humble, play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.answered(initReboot(macA, "10.0.0.130"), typeNak, ReasonNakOtherBinding)
	}},
	{name: "32 INIT-REBOOT of another subnet: NAK", play: func(p *play) {
		p.answered(initReboot(macA, "192.168.1.5"), typeNak, ReasonNakOffLink)
	}},
	{name: "32 not authoritative: silence", config: humble, play: func(p *play) {
		p.silent(initReboot(macA, "192.168.1.5"), ReasonNotOurs)
	}},
	{name: "33 INIT-REBOOT without record, free: ACK", play: func(p *play) {
		p.address(p.answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckAdopted), "10.0.0.120")
	}},
	{name: "33 taken or not in the pool: NAK", play: func(p *play) {
		p.lease(macB, "10.0.0.120")
		p.answered(initReboot(macA, "10.0.0.120"), typeNak, ReasonNakTaken)
		p.answered(initReboot(macA, "10.0.0.20"), typeNak, ReasonNakOutOfPool)
	}},
	{name: "33 not authoritative: silence", config: humble, play: func(p *play) {
		p.silent(initReboot(macA, "10.0.0.120"), ReasonNotOurs)
	}},
	{name: "34 INIT-REBOOT, but its reservation is elsewhere: NAK", play: func(p *play) {
		p.answered(initReboot(macDB, "10.0.0.120"), typeNak, ReasonNakMoved)
	}},
	{name: "40 RENEW: ACK", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		a := p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckRenew)
		p.address(a, "10.0.0.120")
		if a.ciaddr.String() != "10.0.0.120" {
			p.t.Errorf("ciaddr %v", a.ciaddr)
		}
	}},
	{name: "40 with more in it than the RFC allows: ACK", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.answeredFrom(with(renew(macA, "10.0.0.120"), optIP(optRequestedAddr, "10.0.0.120")), "10.0.0.120", typeAck, ReasonAckRenew)
		p.answeredFrom(with(renew(macA, "10.0.0.120"), optIP(optServerID, server)), "10.0.0.120", typeAck, ReasonAckSelecting)
	}},
	{name: "41 RENEW without record, free: ACK", play: func(p *play) {
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckAdopted)
	}},
	{name: "41 RENEW of another's: NAK", play: func(p *play) {
		p.lease(macB, "10.0.0.120")
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeNak, ReasonNakTaken)
		p.lease(macA, "10.0.0.130")
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeNak, ReasonNakOtherBinding)
	}},
	{name: "41 not authoritative: NAK", config: humble, play: func(p *play) {
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeNak, ReasonNakUnknown)
	}},
	{name: "42 RENEW of what isn't given out, or is reserved for another: NAK", play: func(p *play) {
		p.answeredFrom(renew(macA, "10.0.0.20"), "10.0.0.20", typeNak, ReasonNakOutOfPool)
		p.answeredFrom(renew(macA, "10.0.0.50"), "10.0.0.50", typeNak, ReasonNakReserved)
	}},
	{name: "45 REBIND: ACK", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.address(p.answered(renew(macA, "10.0.0.120"), typeAck, ReasonAckRebind), "10.0.0.120")
	}},
	{name: "45 of an expired binding that is free: ACK", slow: true, play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.wait(2 * time.Hour)
		p.address(p.answered(renew(macA, "10.0.0.120"), typeAck, ReasonAckRebind), "10.0.0.120")
	}},
	{name: "45 of an expired binding that another has: NAK", slow: true, play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.wait(2 * time.Hour)
		p.lease(macB, "10.0.0.120")
		p.answered(renew(macA, "10.0.0.120"), typeNak, ReasonNakTaken)
	}},
	{name: "45 through a relay: ACK to the relay", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		q := renew(macA, "10.0.0.120")
		q.giaddr = "10.0.0.9"
		p.answeredFrom(with(q, opt(optRelayAgent, 1, 1, 7)), "10.0.0.9", typeAck, ReasonAckRebind)
	}},
	{name: "46 REBIND without record: as 33", play: func(p *play) {
		p.answered(renew(macA, "10.0.0.120"), typeAck, ReasonAckAdopted)
		p.answered(renew(macB, "10.0.0.120"), typeNak, ReasonNakTaken)
		p.answered(renew(macB, "192.168.1.5"), typeNak, ReasonNakOffLink)
	}},
	{name: "46 not authoritative: silence", config: humble, play: func(p *play) {
		p.silent(renew(macA, "10.0.0.120"), ReasonNotOurs)
		p.silent(renew(macA, "192.168.1.5"), ReasonNotOurs)
	}},
	{name: "50 DECLINE of its own: another is offered, nobody gets it", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.silent(decline(macA, "10.0.0.120"), ReasonDeclined)
		a, _ := p.exchange(p.t, discover(macA, "10.0.0.120"), broadcastFrom)
		if a == nil || a.yiaddr.String() == "10.0.0.120" {
			p.t.Errorf("offered %+v", a)
		}
		p.answered(initReboot(macB, "10.0.0.120"), typeNak, ReasonNakQuarantined)
	}},
	{name: "51 DECLINE of anything else: ignored", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.silent(decline(macB, "10.0.0.120"), ReasonIgnoredDecline)
		p.silent(request{kind: typeDecline, mac: macA, options: []Option{optIP(optRequestedAddr, "10.0.0.120")}}, ReasonIgnoredDecline)
		p.silent(request{kind: typeDecline, mac: macA, options: []Option{optIP(optServerID, "10.0.0.2"), optIP(optRequestedAddr, "10.0.0.120")}}, ReasonIgnoredDecline)
		p.silent(request{kind: typeDecline, mac: macA, options: []Option{optIP(optServerID, server)}}, ReasonIgnoredDecline)
		p.answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckInitReboot)
	}},
	{name: "60 RELEASE: freed, and remembered", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.silentFrom(release(macA, "10.0.0.120"), "10.0.0.120", ReasonReleased)
		p.address(p.answered(discover(macA, ""), typeOffer, ReasonOfferFormer), "10.0.0.120")
	}},
	{name: "60 RELEASE that names no server, but is sent to us alone: systemd-networkd's", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.silentFrom(request{kind: typeRelease, mac: macB, ciaddr: "10.0.0.120"}, "10.0.0.120", ReasonIgnoredRelease)
		p.silentFrom(request{kind: typeRelease, mac: macA, ciaddr: "10.0.0.120"}, "10.0.0.120", ReasonReleased)
	}},
	{name: "61 RELEASE of another's, of another server's, of nothing: ignored", play: func(p *play) {
		p.lease(macA, "10.0.0.120")
		p.silentFrom(release(macB, "10.0.0.120"), "10.0.0.120", ReasonIgnoredRelease)
		p.silentFrom(request{kind: typeRelease, mac: macA, ciaddr: "10.0.0.120", options: []Option{optIP(optServerID, "10.0.0.2")}}, "10.0.0.120", ReasonIgnoredRelease)
		p.silent(request{kind: typeRelease, mac: macA, ciaddr: "10.0.0.120"}, ReasonIgnoredRelease)
		p.silent(request{kind: typeRelease, mac: macA, options: []Option{optIP(optServerID, server)}}, ReasonIgnoredRelease)
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckRenew)
	}},
	{name: "61 RELEASE by one who has the identifier but not the address: ignored", config: func(c *Config) { c.Identity = IdentityClientID }, play: func(p *play) {
		id := opt(optClientID, 0, 'i', 'd')
		p.answered(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting)
		p.silentFrom(with(release(macB, "10.0.0.120"), id), "10.0.0.120", ReasonIgnoredRelease)
		p.silentFrom(with(release(macA, "10.0.0.120"), id), "10.0.0.120", ReasonReleased)
	}},
	{name: "70 INFORM: options without times", play: func(p *play) {
		a := p.answeredFrom(request{kind: typeInform, mac: macA, ciaddr: "10.0.0.30"}, "10.0.0.30", typeAck, ReasonAckInform)
		if a.get(51) != nil || a.get(58) != nil || a.get(59) != nil || !a.yiaddr.IsUnspecified() {
			p.t.Errorf("yiaddr %v, options %v", a.yiaddr, a.codes)
		}
		if a.get(6) == nil || a.ciaddr.String() != "10.0.0.30" {
			p.t.Errorf("ciaddr %v, options %v", a.ciaddr, a.codes)
		}
	}},
	{name: "70 INFORM for an address that isn't on the link: silence", play: func(p *play) {
		for _, ciaddr := range []string{"192.0.2.9", server, "10.0.0.255"} {
			p.silentFrom(request{kind: typeInform, mac: macA, ciaddr: ciaddr}, "10.0.0.30", ReasonInformNowhere)
		}
	}},
	{name: "71 INFORM without ciaddr: to where it came from", play: func(p *play) {
		p.answeredFrom(request{kind: typeInform, mac: macA}, "10.0.0.30", typeAck, ReasonAckInform)
	}},
	{name: "71 INFORM from nowhere: silence", play: func(p *play) {
		p.silent(request{kind: typeInform, mac: macA}, ReasonInformNowhere)
	}},
	{name: "80 what is no client's message: silence", play: func(p *play) {
		p.silent(request{kind: typeOffer, mac: macA}, ReasonServerMessage)
		p.silent(request{kind: typeAck, mac: macA}, ReasonServerMessage)
		p.silent(request{kind: 10, mac: macA}, ReasonUnknownType)
		p.silent(request{mac: macA}, ReasonNoType)
		p.silent(request{kind: typeDiscover, mac: macA, op: opReply}, ReasonNotRequest)
		p.silent(request{kind: typeDiscover, mac: macA, badCookie: true}, ReasonBadCookie)
	}},
	{name: "unknown clients are denied", config: func(c *Config) { c.UnknownDenied = true }, play: func(p *play) {
		p.silent(discover(macA, ""), ReasonDenied)
		p.silentFrom(request{kind: typeInform, mac: macA, ciaddr: "10.0.0.30"}, "10.0.0.30", ReasonDenied)
		p.answered(selecting(macA, "10.0.0.120"), typeNak, ReasonNakDenied)
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeNak, ReasonNakDenied)
		p.answered(initReboot(macA, "10.0.0.120"), typeNak, ReasonNakDenied)
		p.address(p.answered(discover(macDB, ""), typeOffer, ReasonOfferReservation), "10.0.0.50")
		p.answered(selecting(macDB, "10.0.0.50"), typeAck, ReasonAckSelecting)
	}},
	{name: "unknown clients are denied, not authoritative", config: func(c *Config) { c.UnknownDenied, c.Authoritative = true, false }, play: func(p *play) {
		p.silent(initReboot(macA, "10.0.0.120"), ReasonDenied)
		p.silent(renew(macA, "10.0.0.120"), ReasonDenied)
		p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeNak, ReasonNakDenied)
	}},
	{name: "a host's own options and lease time", config: func(c *Config) {
		c.Hosts = []HostOptions{{Host: "db", LeaseTime: 10 * time.Minute, Options: []Option{optIP(6, "192.0.2.53")}}}
	}, play: func(p *play) {
		p.answered(discover(macDB, ""), typeOffer, ReasonOfferReservation)
		a := p.answered(selecting(macDB, "10.0.0.50"), typeAck, ReasonAckSelecting)
		if a.seconds(51) != 600 || string(a.get(6)) != "\xc0\x00\x02\x35" || a.get(3) == nil {
			p.t.Errorf("lease time %d, DNS %v", a.seconds(51), a.get(6))
		}
		p.lease(macA, "10.0.0.120")
		if a = p.answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckInitReboot); a.seconds(51) != 3600 || a.get(6)[0] != 10 {
			p.t.Errorf("the other client's: lease time %d, DNS %v", a.seconds(51), a.get(6))
		}
	}},
}
