package dhcpserver

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// checkInvariants holds an answer to q against what is so of every reply. Every row of the decision table is played by it.
func checkInvariants(t *testing.T, q request, a *answer) {
	t.Helper()
	raw := q.bytes()
	flags := a.flags
	if a.kind == typeNak && q.giaddr != "" {
		flags = q.flags // the broadcast flag is for the relay
	}
	clear(raw[offsetChaddr+int(raw[2]) : offsetSname]) // what is behind the address is nobody's
	if a.xid != q.xid || flags != q.flags || !bytes.Equal(a.raw[1:3], raw[1:3]) || !bytes.Equal(a.raw[offsetGiaddr:offsetSname], raw[offsetGiaddr:offsetSname]) {
		t.Errorf("xid, flags, htype, hlen, giaddr or chaddr is not the request's: %x, asked by %x", a.raw[:offsetSname], raw[:offsetSname])
	}
	if a.raw[3] != 0 || a.raw[8] != 0 || a.raw[9] != 0 {
		t.Errorf("hops and secs: %x", a.raw[:offsetFlags])
	}
	if n := len(a.raw); n < minReply || n > minDatagram-ipv4HeaderLen-udpHeaderLen && q.get(optMaxMessageSize) == nil {
		t.Errorf("%d bytes", n)
	}
	for i, code := range a.codes {
		// The pieces of a long one lie behind each other.
		if first := slices.Index(a.codes, code); first != i && (a.codes[i-1] != code || len(a.get(code)) <= 255) {
			t.Errorf("option %d is there twice: %v", code, a.codes)
		}
	}
	if !bytes.Equal(a.get(optClientID), q.get(optClientID)) {
		t.Errorf("client identifier %x, want %x", a.get(optClientID), q.get(optClientID))
	}
	if q.giaddr == "" && a.get(optRelayAgent) != nil || q.giaddr != "" && !bytes.Equal(a.get(optRelayAgent), q.get(optRelayAgent)) {
		t.Errorf("option 82 is %x", a.get(optRelayAgent))
	}
	if i := slices.Index(a.codes, optRelayAgent); i >= 0 && i != len(a.codes)-1 {
		t.Errorf("option 82 is not the last: %v", a.codes)
	}
	if mask, routers := slices.Index(a.codes, optSubnetMask), slices.Index(a.codes, optRouters); routers >= 0 && routers < mask {
		t.Errorf("the mask is behind the routers: %v", a.codes)
	}
	times := []uint8{optLeaseTime, optRenewal, optRebinding}
	switch {
	case a.kind == typeNak:
		rest := slices.DeleteFunc(slices.Clone(a.codes[3:]), func(c uint8) bool { return c == optClientID || c == optRelayAgent })
		if !slices.Equal(a.codes[:3], []uint8{optMessageType, optServerID, optText}) || len(rest) > 0 || !a.yiaddr.IsUnspecified() || !a.ciaddr.IsUnspecified() {
			t.Errorf("a NAK with options %v, yiaddr %v, ciaddr %v", a.codes, a.yiaddr, a.ciaddr)
		}
	case q.kind == typeInform:
		if slices.ContainsFunc(a.codes, func(c uint8) bool { return slices.Contains(times, c) }) || !a.yiaddr.IsUnspecified() {
			t.Errorf("times %v or an address %v for INFORM", a.codes, a.yiaddr)
		}
	default:
		if lease, t1, t2 := a.seconds(optLeaseTime), a.seconds(optRenewal), a.seconds(optRebinding); t1+1 < lease*475/1000 || t1 > lease*525/1000+1 ||
			t2 < lease*831/1000 || t2 > lease*919/1000+1 || len(a.get(optServerID)) != 4 {
			t.Errorf("times %d, %d, %d; server %v", lease, t1, t2, a.get(optServerID))
		}
	}
}

// get is an option's data, nil if it isn't there.
func (q request) get(code uint8) []byte {
	for _, o := range q.options {
		if o.Code == code {
			return o.Data
		}
	}
	return nil
}

// twelveOptions is a configuration whose options just fit into 576 bytes, with those in file and sname.
func twelveOptions(c *Config) {
	for code := range uint8(12) {
		c.Options = append(c.Options, optString(200+code, strings.Repeat("x", 28)))
	}
}

func hasTwelve(t *testing.T, a *answer) {
	t.Helper()
	for code := range uint8(12) {
		if len(a.get(200+code)) != 28 {
			t.Errorf("option %d is %q", 200+code, a.get(200+code))
		}
	}
}

// invariantRows are about what every reply and every request may be like: size, overload, pieces.
var invariantRows = []row{
	{name: "size: what a client takes unasked, with options in file and sname", config: twelveOptions, play: func(p *play) {
		a := p.answered(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested)
		if !bytes.Equal(a.get(optOverload), []byte{overloadFile | overloadSname}) {
			p.t.Errorf("overload %v", a.get(optOverload))
		}
		hasTwelve(p.t, a)
	}},
	{name: "size: what it says that it takes", config: twelveOptions, play: func(p *play) {
		a := p.answered(with(discover(macA, "10.0.0.120"), opt(optMaxMessageSize, 4, 0)), typeOffer, ReasonOfferRequested)
		if a.get(optOverload) != nil || len(a.raw) <= 548 {
			p.t.Errorf("overload %v in %d bytes", a.get(optOverload), len(a.raw))
		}
		hasTwelve(p.t, a)
	}},
	{name: "size: at most the link's", config: func(c *Config) {
		c.Options = append(c.Options, optString(200, strings.Repeat("x", 1600)), optString(201, "y"))
	}, play: func(p *play) {
		// What doesn't fit is missing, the rest is there; the reason is counted beside the decision's.
		m := with(discover(macA, "10.0.0.120"), opt(optMaxMessageSize, 255, 255), opt(optParameterList, 201, 3))
		if a := p.answered(m, typeOffer, ReasonOfferRequested); string(a.get(201)) != "y" || a.get(3) == nil {
			p.t.Errorf("options %v", a.codes)
		}
	}},
	{name: "a long option comes in pieces", config: func(c *Config) {
		c.Options = append(c.Options, optString(200, strings.Repeat("x", 300)))
	}, play: func(p *play) {
		q := with(discover(macA, "10.0.0.120"), opt(optMaxMessageSize, 4, 0), opt(optParameterList, 200))
		a, _ := p.exchange(p.t, q, broadcastFrom)
		if a == nil || len(a.get(200)) != 300 {
			p.t.Errorf("answer %+v", a)
		}
	}},
	{name: "a request in pieces, and with options in file and sname", play: func(p *play) {
		q := request{kind: typeRequest, mac: macA, options: []Option{opt(optOverload, 3), opt(optParameterList, 3), opt(optParameterList, 6)}}
		q.file = append(append([]byte{optRequestedAddr, 4}, ip4("10.0.0.120")...), optEnd)
		q.sname = append(append([]byte{optServerID, 4}, ip4(server)...), optEnd)
		a := p.answered(q, typeAck, ReasonAckSelecting)
		p.address(a, "10.0.0.120")
		if !slices.Equal(a.codes[6:], []uint8{3, 6}) {
			p.t.Errorf("options %v", a.codes)
		}
	}},
	{name: "a request whose options don't end", play: func(p *play) {
		q := with(discover(macA, "10.0.0.120"), opt(optClientID, 1, 2, 3))
		q.noEnd = true
		a, _ := p.exchange(p.t, q, broadcastFrom)
		if a == nil || a.kind != typeOffer {
			p.t.Errorf("answer %+v", a)
		}
	}},
}
