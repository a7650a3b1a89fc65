package dhcpserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"labnet/internal/nettest"
)

// by is q as a relay hands it in, with sub-options of option 82.
func by(giaddr string, q request, agent ...byte) request {
	q.giaddr, q.hops = giaddr, 1
	if len(agent) > 0 {
		q = with(q, opt(optRelayAgent, agent...))
	}
	return q
}

func namesRelay(c *Config) { c.Relays = []netip.Addr{addrOf("10.0.0.9"), addrOf("192.0.2.7")} }

// linkSelection and override are sub-options of option 82.
func linkSelection(a string) []byte { return append([]byte{agentLink, 4}, ip4(a)...) }
func override(a string) []byte      { return append([]byte{agentServerID, 4}, ip4(a)...) }

// relayRows are the rows of the decision table that are about relays.
var relayRows = []row{
	{name: "relay: one that is named is served, another isn't", config: namesRelay, play: func(p *play) {
		p.answeredFrom(by("10.0.0.9", discover(macA, "10.0.0.130")), "10.0.0.9", typeOffer, ReasonOfferRequested)
		p.silentFrom(by("10.0.0.8", discover(macA, "10.0.0.130")), "10.0.0.8", ReasonForeignRelay)
		p.answered(discover(macA, "10.0.0.130"), typeOffer, ReasonOfferHold)
	}},
	{name: "relay: a named one off the subnet must ask for the subnet", config: namesRelay, play: func(p *play) {
		p.silentFrom(by("192.0.2.7", discover(macA, "10.0.0.130")), "10.0.0.9", ReasonForeignSubnet)
		p.silentFrom(by("192.0.2.7", discover(macA, "10.0.0.130"), linkSelection("192.0.2.0")...), "10.0.0.9", ReasonForeignSubnet)
		p.silentFrom(by("192.0.2.7", discover(macA, "10.0.0.130"), agentLink, 3, 10, 0, 0), "10.0.0.9", ReasonForeignSubnet)
	}},
	{name: "relay: link selection of our subnet, of another", play: func(p *play) {
		p.answeredFrom(by("10.0.0.9", discover(macA, "10.0.0.130"), linkSelection("10.0.0.0")...), "10.0.0.9", typeOffer, ReasonOfferRequested)
		p.silentFrom(by("10.0.0.9", discover(macA, "10.0.0.130"), linkSelection("192.0.2.0")...), "10.0.0.9", ReasonForeignSubnet)
	}},
	{name: "relay: subnet selection of our subnet is echoed, of another dropped", play: func(p *play) {
		ours := by("10.0.0.9", with(discover(macA, "10.0.0.130"), optIP(optSubnetSelection, "10.0.0.0")))
		if a := p.answeredFrom(ours, "10.0.0.9", typeOffer, ReasonOfferRequested); !bytes.Equal(a.get(optSubnetSelection), ip4("10.0.0.0")) {
			p.t.Errorf("option 118: %v", a.get(optSubnetSelection))
		}
		theirs := by("10.0.0.9", with(discover(macA, "10.0.0.130"), optIP(optSubnetSelection, "192.0.2.0")))
		p.silentFrom(theirs, "10.0.0.9", ReasonForeignSubnet)
	}},
	{name: "relay: link selection goes before subnet selection", play: func(p *play) {
		q := with(discover(macA, "10.0.0.130"), optIP(optSubnetSelection, "192.0.2.0"))
		p.answeredFrom(by("10.0.0.9", q, linkSelection("10.0.0.0")...), "10.0.0.9", typeOffer, ReasonOfferRequested)
		q = with(discover(macA, "10.0.0.130"), optIP(optSubnetSelection, "10.0.0.0"))
		p.silentFrom(by("10.0.0.9", q, linkSelection("192.0.2.0")...), "10.0.0.9", ReasonForeignSubnet)
	}},
	{name: "relay: without one, what a client says in its place counts for nothing", play: func(p *play) {
		q := with(discover(macA, "10.0.0.130"), optIP(optSubnetSelection, "192.0.2.0"), opt(optRelayAgent, append(linkSelection("192.0.2.0"), override("192.0.2.1")...)...))
		a := p.answered(q, typeOffer, ReasonOfferRequested)
		if a.get(optRelayAgent) != nil || a.get(optSubnetSelection) != nil || !bytes.Equal(a.get(optServerID), ip4(server)) {
			p.t.Errorf("options %v, server %v", a.codes, a.get(optServerID))
		}
		p.silent(with(request{kind: typeRequest, mac: macA}, optIP(optServerID, "192.0.2.1"), optIP(optRequestedAddr, "10.0.0.130"), opt(optRelayAgent, override("192.0.2.1")...)), ReasonChoseAnother)
	}},
	{name: "relay: it overrides the server identifier", play: func(p *play) {
		instead := override("10.0.0.9")
		id := func(a *answer) {
			p.t.Helper()
			if got := a.get(optServerID); !bytes.Equal(got, ip4("10.0.0.9")) {
				p.t.Errorf("type %d: server identifier %v", a.kind, got)
			}
		}
		named := func(kind messageType, ciaddr string, options ...Option) request {
			q := request{kind: kind, mac: macA, ciaddr: ciaddr, options: append([]Option{optIP(optServerID, "10.0.0.9")}, options...)}
			return by("10.0.0.9", q, instead...)
		}
		id(p.answeredFrom(by("10.0.0.9", discover(macA, "10.0.0.120"), instead...), "10.0.0.9", typeOffer, ReasonOfferRequested))
		id(p.answeredFrom(named(typeRequest, "", optIP(optRequestedAddr, "10.0.0.120")), "10.0.0.9", typeAck, ReasonAckSelecting))
		id(p.answeredFrom(by("10.0.0.9", initReboot(macA, "10.0.0.130"), instead...), "10.0.0.9", typeNak, ReasonNakOtherBinding))
		// One that was leased without the relay still says our own address.
		id(p.answeredFrom(by("10.0.0.9", selecting(macA, "10.0.0.120"), instead...), "10.0.0.9", typeAck, ReasonAckSelecting))
		p.silentFrom(named(typeRelease, "10.0.0.120"), "10.0.0.9", ReasonReleased)
		id(p.answeredFrom(named(typeRequest, "", optIP(optRequestedAddr, "10.0.0.120")), "10.0.0.9", typeAck, ReasonAckSelecting))
		p.silentFrom(named(typeDecline, "", optIP(optRequestedAddr, "10.0.0.120")), "10.0.0.9", ReasonDeclined)
	}},
	{name: "relay: a server identifier that it doesn't override is another's", play: func(p *play) {
		q := request{kind: typeRequest, mac: macA, options: []Option{optIP(optServerID, "10.0.0.9"), optIP(optRequestedAddr, "10.0.0.120")}}
		p.silentFrom(by("10.0.0.9", q), "10.0.0.9", ReasonChoseAnother)
		p.silentFrom(by("10.0.0.9", q, override("10.0.0.8")...), "10.0.0.9", ReasonChoseAnother)
		p.silentFrom(by("10.0.0.9", q, agentServerID, 3, 10, 0, 0), "10.0.0.9", ReasonChoseAnother)
	}},
	{name: "relay: it says that the client's message was unicast", config: humble, play: func(p *play) {
		p.silentFrom(by("10.0.0.9", renew(macA, "10.0.0.120")), "10.0.0.9", ReasonNotOurs)
		p.silentFrom(by("10.0.0.9", renew(macA, "10.0.0.120"), agentFlags, 1, 0), "10.0.0.9", ReasonNotOurs)
		p.answeredFrom(by("10.0.0.9", renew(macA, "10.0.0.120"), agentFlags, 1, agentUnicast), "10.0.0.9", typeNak, ReasonNakUnknown)
	}},
}

// TestARelayElsewhereIsAnsweredByTheKernelsRoute: the next hop on the link gets the reply.
func TestARelayElsewhereIsAnsweredByTheKernelsRoute(t *testing.T) {
	l := newLab(t, namesRelay, withMarker(nil))
	l.router.Run(t, "ip", "route", "add", "192.0.2.0/24", "via", "10.0.0.9", "dev", "br0")
	const hop = "\x52\x54\x00\x00\x00\x99"
	l.client.claim("10.0.0.9", hop)
	q := by("192.0.2.7", discover(macA, "10.0.0.120"), linkSelection("10.0.0.77")...)
	q.xid = 7
	to := destination{to: netip.MustParseAddrPort("10.0.0.1:67"), mac: l.client.server}
	l.client.transmit(clientFrame(q.bytes(), to, [6]byte([]byte(hop)), addrOf("192.0.2.7"), serverPort))
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatalf("%v\n%s", err, l.log)
	}
	if a := readAnswer(t, h.payload); a.xid != 7 || a.kind != typeOffer || a.yiaddr != testAddr {
		t.Errorf("answer %+v", a)
	}
	if h.dst.String() != "192.0.2.7:67" || h.dstMAC != [6]byte([]byte(hop)) || h.src.String() != "10.0.0.1:67" {
		t.Errorf("from %v to %v at %x", h.src, h.dst, h.dstMAC)
	}
	// To its own port, if it asks for that.
	q = by("192.0.2.7", q, append([]byte{agentPort, 0}, linkSelection("10.0.0.77")...)...)
	q.options = q.options[len(q.options)-1:]
	l.client.transmit(clientFrame(q.bytes(), to, [6]byte([]byte(hop)), addrOf("192.0.2.7"), 6767))
	if h, err = l.client.next(patience); err != nil || h.dst.String() != "192.0.2.7:6767" {
		t.Errorf("to %v: %v", h.dst, err)
	}
	nettest.Eventually(t, patience, func() error {
		if n := l.server.Stats()[string(ReasonSendFailed)]; n != 0 {
			return fmt.Errorf("%d replies could not be sent", n)
		}
		if l.server.Stats()[string(ReasonOfferHold)] != 1 {
			return errors.New("the second OFFER isn't counted")
		}
		return nil
	})
}
