package dhcpserver

import "time"

// identityRows are about what tells a client from another.
var identityRows = []row{
	{name: "identity by hardware address: the identifier doesn't matter", config: func(c *Config) { c.Identity = IdentityMAC }, play: func(p *play) {
		p.answered(with(selecting(macA, "10.0.0.120"), opt(optClientID, 1, 'a')), typeAck, ReasonAckSelecting)
		p.answered(with(initReboot(macA, "10.0.0.120"), opt(optClientID, 1, 'b')), typeAck, ReasonAckInitReboot)
		p.silent(with(request{kind: typeDiscover, noHardware: true}, opt(optClientID, 1, 'b')), ReasonNoIdentity)
	}},
	{name: "identity by identifier: the hardware address doesn't matter", config: func(c *Config) { c.Identity = IdentityClientID }, play: func(p *play) {
		id := opt(optClientID, 1, 'a')
		p.answered(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting)
		p.address(p.answered(with(discover(macB, ""), id), typeOffer, ReasonOfferBinding), "10.0.0.120")
	}},
	{name: "identity auto: clones get an address each, and keep it", play: func(p *play) {
		id := opt(optClientID, 255, 1, 2, 3)
		p.answered(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting)
		a, _ := p.exchange(p.t, with(discover(macB, ""), id), broadcastFrom)
		if a == nil || a.yiaddr.String() == "10.0.0.120" {
			p.t.Fatalf("the clone is offered %+v", a)
		}
		addr := a.yiaddr.String()
		p.answered(with(selecting(macB, addr), id), typeAck, ReasonAckSelecting)
		p.answeredFrom(with(renew(macA, "10.0.0.120"), id), "10.0.0.120", typeAck, ReasonAckRenew)
		p.answeredFrom(with(renew(macB, addr), id), addr, typeAck, ReasonAckRenew)
		p.silentFrom(with(release(macA, "10.0.0.120"), id), "10.0.0.120", ReasonReleased)
		p.answeredFrom(with(renew(macB, addr), id), addr, typeAck, ReasonAckRenew)
	}},
	{name: "identity auto: clones that start together don't get one address", play: func(p *play) {
		id := opt(optClientID, 255, 1, 2, 3)
		a := p.answered(with(discover(macA, ""), id), typeOffer, ReasonOfferDerived)
		addr := a.yiaddr.String()
		p.exchange(p.t, with(discover(macB, ""), id), broadcastFrom)
		p.answered(with(selecting(macA, addr), id), typeAck, ReasonAckSelecting)
		p.answered(with(selecting(macB, addr), id), typeNak, ReasonNakTaken)
	}},
	{name: "identity auto: a holder about to renew is alive", slow: true, play: func(p *play) {
		id := opt(optClientID, 255, 1, 2, 3)
		p.answered(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting)
		p.wait(31 * time.Minute) // T1 is up to 31.5 minutes
		a, _ := p.exchange(p.t, with(discover(macB, ""), id), broadcastFrom)
		if a == nil || a.yiaddr.String() == "10.0.0.120" {
			p.t.Fatalf("the clone is offered %+v", a)
		}
		p.answeredFrom(with(renew(macA, "10.0.0.120"), id), "10.0.0.120", typeAck, ReasonAckRenew)
	}},
	{name: "identity auto: a new card in the old machine gets its address", slow: true, play: func(p *play) {
		id := opt(optClientID, 255, 1, 2, 3)
		p.answered(with(selecting(macA, "10.0.0.120"), id), typeAck, ReasonAckSelecting)
		p.wait(45 * time.Minute) // three quarters of a lease without a sign of life
		p.address(p.answered(with(discover(macB, ""), id), typeOffer, ReasonOfferBinding), "10.0.0.120")
	}},
}
