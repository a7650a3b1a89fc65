package dhcpserver

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"labnet/internal/nettest"
	"labnet/leases"
)

func rapid(c *Config) { c.RapidCommit = true }

func rapidDiscover(mac, requested string) request {
	return with(discover(mac, requested), opt(optRapidCommit))
}

// rapidRows are row 10 of the decision table (RFC 4039).
var rapidRows = []row{
	{name: "10 DISCOVER with rapid commit: ACK at once", config: rapid, play: func(p *play) {
		a := p.answered(rapidDiscover(macA, "10.0.0.120"), typeAck, ReasonAckRapid)
		p.address(a, "10.0.0.120")
		if data, ok := a.options.get(optRapidCommit); !ok || len(data) != 0 || a.seconds(51) != 3600 {
			p.t.Errorf("option 80 %v, lease time %d", data, a.seconds(51))
		}
		p.address(p.answered(discover(macA, ""), typeOffer, ReasonOfferBinding), "10.0.0.120")
		p.address(p.answered(rapidDiscover(macA, ""), typeAck, ReasonAckRapid), "10.0.0.120")
		a = p.answeredFrom(with(renew(macA, "10.0.0.120"), opt(optRapidCommit)), "10.0.0.120", typeAck, ReasonAckRenew)
		if _, ok := a.options.get(optRapidCommit); ok {
			p.t.Error("option 80 in the answer to a REQUEST")
		}
	}},
	{name: "10 to a client with a parameter request list too", config: rapid, play: func(p *play) {
		a := p.answered(with(rapidDiscover(macA, ""), opt(optParameterList, 1, 3)), typeAck, ReasonAckRapid)
		if _, ok := a.options.get(optRapidCommit); !ok {
			p.t.Errorf("options %v", a.codes)
		}
	}},
	{name: "10 not enabled: OFFER as ever", play: func(p *play) {
		a := p.answered(rapidDiscover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested)
		if _, ok := a.options.get(optRapidCommit); ok {
			p.t.Error("option 80 in an OFFER")
		}
	}},
	{name: "10 not asked for: OFFER", config: rapid, play: func(p *play) {
		p.answered(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested)
	}},
	{name: "10 with ciaddr: not sent there, ciaddr 0", config: rapid, play: func(p *play) {
		q := rapidDiscover(macA, "10.0.0.120")
		q.ciaddr = "10.0.0.140"
		if a := p.answered(q, typeAck, ReasonAckRapid); !a.ciaddr.IsUnspecified() {
			p.t.Errorf("ciaddr %v", a.ciaddr)
		}
	}},
	{name: "10 nothing free: silence", config: rapid, network: oneAddress, play: func(p *play) {
		p.answered(rapidDiscover(macA, ""), typeAck, ReasonAckRapid)
		p.silent(rapidDiscover(macB, ""), ReasonExhausted)
	}},
	{name: "10 with a server identifier: silence", config: rapid, play: func(p *play) {
		p.silent(with(rapidDiscover(macA, ""), optIP(optServerID, server)), ReasonDiscoverServer)
	}},
	{name: "10 unknown clients are denied", config: func(c *Config) { c.RapidCommit, c.UnknownDenied = true, true }, play: func(p *play) {
		p.silent(rapidDiscover(macA, ""), ReasonDenied)
		p.address(p.answered(rapidDiscover(macDB, ""), typeAck, ReasonAckRapid), "10.0.0.50")
	}},
	{name: "10 through a relay: ACK to the relay", config: rapid, play: func(p *play) {
		p.answeredFrom(by("10.0.0.9", rapidDiscover(macA, ""), 1, 1, 7), "10.0.0.9", typeAck, ReasonAckRapid)
	}},
}

// TestNoRapidAckWithoutDurability: row 10 commits first.
func TestNoRapidAckWithoutDurability(t *testing.T) {
	l := newLab(t, rapid, withMarker(nil))
	p := play{t: t, world: l}
	l.bindMarker(t)
	l.store.FailWith(func([]leases.Lease) error { return errors.New("no space left on device") })
	l.client.send(rapidDiscover(macA, "10.0.0.120"), broadcastFrom)
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonCommitFailed)] != 1 {
			return errors.New("no failed commit counted")
		}
		return nil
	})
	l.store.FailWith(nil)
	p.address(p.answered(rapidDiscover(macA, "10.0.0.120"), typeAck, ReasonAckRapid), "10.0.0.120")
	if len(l.client.received) != 0 {
		t.Error("an answer before the lease was durable")
	}
}

// TestRapidCommitIsNotPromisedUnderOverload: like a REQUEST, it needs the disk.
func TestRapidCommitIsNotPromisedUnderOverload(t *testing.T) {
	l := newLab(t, rapid, withMarker(nil))
	l.bindMarker(t)
	l.server.underway.Add(maxUnderway)
	l.client.send(rapidDiscover(markerMAC, ""), broadcastFrom)
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonOverload)] != 1 {
			return errors.New("no overload counted")
		}
		return nil
	})
	l.server.underway.Add(-maxUnderway)
	(&play{t: t, world: l}).answered(rapidDiscover(markerMAC, ""), typeAck, ReasonAckRapid)
}

// TestRapidCommitIsProven: an address is acknowledged at once only if nobody else is known to use it.
func TestRapidCommitIsProven(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(t *testing.T, x *station)
	}{
		{"an unknown address waits for silence", func(t *testing.T, x *station) {
			x.want(rapidDiscover(macA, "10.0.0.120"), typeAck, ReasonAckRapid, "10.0.0.120", probeWait)
			x.want(rapidDiscover(macA, "10.0.0.120"), typeAck, ReasonAckRapid, "10.0.0.120", instant)
		}},
		{"one of the stock doesn't", func(t *testing.T, x *station) {
			x.know(addrOf("10.0.0.120"))
			x.want(rapidDiscover(macA, "10.0.0.120"), typeAck, ReasonAckRapid, "10.0.0.120", instant)
		}},
		{"one that another machine uses rests", func(t *testing.T, x *station) {
			x.air.set("10.0.0.120", squatter)
			o := x.want(rapidDiscover(macA, "10.0.0.120"), typeAck, ReasonAckRapid, "", probeWait+time.Millisecond)
			if o.addr == addrOf("10.0.0.120") || len(x.conflicts) != 1 {
				t.Errorf("leased %v, conflicts %+v", o.addr, x.conflicts)
			}
		}},
		{"one whose user answered lately is only offered, when nobody can wait", func(t *testing.T, x *station) {
			x.air.set("10.0.0.120", squatter)
			x.know(addrOf("10.0.0.120"))
			time.Sleep(convictTime)
			x.probe.mu.Lock()
			x.probe.waits = allowance{}
			x.probe.mu.Unlock()
			x.want(rapidDiscover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested, "10.0.0.120", instant)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tc.play(t, newStation(t, rapid, nil)) })
		})
	}
}
