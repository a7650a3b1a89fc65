package dnsserver

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"labnet/dnsserver/blocklist"
)

// What upstreams said is kept as they said it, and judged when it is used: so other rules hold at once, and leave the cache as it is. The answers that
// are given instead are kept too, as the configuration's own, and end with it.

// listed returns the answer to a question that leads to a blocked name, nil for another one.
func (l *lookup) listed() *packed {
	if len(l.snap.block.list) == 0 || l.exempt {
		return nil
	}
	switch verdict, at := l.snap.block.list.Match([]byte(l.target)); {
	case verdict == blocklist.Blocked && l.hops == 0:
		return l.blocked(at)
	case verdict == blocklist.Blocked:
		return l.blocked(0)
	case verdict == blocklist.Exempted && l.hops == 0:
		// Who lets a name through wants it to work, wherever it leads.
		l.exempt = true
	}
	return nil
}

// judge returns the answer in place of an upstream's that may not be passed on as it is, nil for one that may.
func (s *Server) judge(l *lookup, p *packed, now time.Time) *packed {
	wire := p.wire()
	inside := false
	at := skipName(wire, headerSize) + 4
	for range binary.BigEndian.Uint16(wire[6:]) {
		at = skipName(wire, at)
		data := at + 10
		switch binary.BigEndian.Uint16(wire[at:]) {
		case dns.TypeCNAME:
			if l.cloaks(wire, data) {
				return l.blocked(0)
			}
		case dns.TypeA:
			inside = inside || l.snap.rebind.inside(netip.AddrFrom4([4]byte(wire[data:])), stranger)
		case dns.TypeAAAA:
			inside = inside || l.snap.rebind.inside(netip.AddrFrom16([16]byte(wire[data:])), stranger)
		case dns.TypeHTTPS, dns.TypeSVCB:
			inside = true // perhaps: withhold looks into it
		}
		at = data + int(binary.BigEndian.Uint16(wire[at+8:]))
	}
	if !inside || l.snap.rebind.policy == RebindOff {
		return nil
	}
	return s.withhold(l, p, now)
}

// cloaks tells whether a CNAME leads to a blocked name, as a site's own name does that a tracker hides behind.
func (l *lookup) cloaks(wire []byte, target int) bool {
	if len(l.snap.block.list) == 0 || l.exempt {
		return false
	}
	var buffer [maxName]byte
	n := expand(wire, target, buffer[:0])
	lower(n)
	verdict, _ := l.snap.block.list.Match(n)
	return verdict == blocklist.Blocked
}

// expand appends a name of a message that is our own, and so well-formed, without compression.
func expand(wire []byte, at int, out []byte) []byte {
	for wire[at] != 0 {
		if wire[at] >= 0xc0 {
			at = int(binary.BigEndian.Uint16(wire[at:]) & 0x3fff)
			continue
		}
		end := at + 1 + int(wire[at])
		out = append(out, wire[at:end]...)
		at = end
	}
	return append(out, 0)
}

// withhold returns the answer without the records that point inside, where the names that lead there may not; nil if they may.
func (s *Server) withhold(l *lookup, p *packed, now time.Time) *packed {
	records, authority, err := p.records(s.cache.moment(now))
	if err != nil {
		return l.fail(upstreamFailure, dns.ExtendedErrorCodeOther, "unreadable answer")
	}
	a := l.asked()
	rest, addr := l.snap.rebind.withhold(records, max(l.whose, l.snap.standingOf(&a, records)))
	if !addr.IsValid() {
		return nil
	}
	// A signature is one of all records: who asks for it gets all or none.
	if l.do || !slices.ContainsFunc(rest, func(rr dns.RR) bool { return rr.Header().Rrtype == l.qtype }) {
		return s.withheld(l, addr)
	}
	part, err := pack(l.name, l.qtype, int(p.rcode), append(l.chain, rest...), authority, extendedError{dns.ExtendedErrorCodeBlocked, withheldText(addr)})
	if err != nil {
		return s.withheld(l, addr)
	}
	if l.client.trail == nil {
		s.rebound(l.name, addr)
	}
	l.why = rebind
	part.aa = l.local
	if p.made != 0 {
		// On the same second as the answer that it is a part of.
		part.made = p.made.add(time.Duration(p.age(s.cache.moment(now))) * time.Second)
	}
	return part
}

// withheld makes the answer in place of one that points inside: the name is there, and has no address.
func (s *Server) withheld(l *lookup, addr netip.Addr) *packed {
	if l.client.trail == nil {
		s.rebound(l.name, addr)
	}
	l.why = rebind
	return policyAnswer(l.name, l.qtype, dns.RcodeSuccess, explain(dns.ExtendedErrorCodeBlocked, withheldText(addr)), func(out []byte) ([]byte, int) {
		return appendSOA(out, headerSize, rebindTTL), authorityCount
	})
}

func withheldText(addr netip.Addr) string { return "rebinding: " + addr.String() + " is inside" }

// blocked makes the answer to a question that is blocked. at is where in the question's name the part begins that is on a list.
func (l *lookup) blocked(at int) *packed {
	l.why = blocked
	b := l.snap.block
	return policyAnswer(l.name, l.qtype, b.rcode(), blockedOptions, func(out []byte) ([]byte, int) {
		return b.appendBody(out, l.qtype, headerSize+at)
	})
}

// policyAnswer makes an answer that the configuration gives in place of another's. body is as appendBody's; its TTLs don't count down.
func policyAnswer(n name, qtype uint16, rcode int, options []byte, body func([]byte) ([]byte, int)) *packed {
	wire, count := body(failure(n, qtype, rcode, 0, nil).data)
	wire[count] = 1
	p, err := newPacked(wire, len(n)+4, rcode, options)
	if err != nil {
		panic("dnsserver: an answer of our own: " + err.Error())
	}
	p.negative = count == authorityCount
	return p
}
