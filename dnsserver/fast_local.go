package dnsserver

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"
)

// zoneAbove returns the zone of a name that is one label below the view's own domain: what guests ask of each other.
func (v *view) zoneAbove(n []byte) *zone {
	if first := 1 + int(n[0]); first > 1 && string(n[first:]) == string(v.domain) {
		return v.zone
	}
	return nil
}

// plainType tells the types that a record can have: the others are refused, or answered in their own way.
func plainType(t uint16) bool { return t != dns.TypeNone && t != dns.TypeOPT && (t < 128 || t > 255) }

// local answers for a name right below the view's domain that a lease holds, or nobody.
func (h *hot) local(q *query, z *zone, n, out []byte) ([]byte, bool) {
	if !plainType(q.qtype) || z.cut && h.snap.exists(name(n)) {
		return out, false
	}
	// What the configuration says of a name comes from the cache, or goes together with leases in ways that serve knows.
	if _, exists := z.nodes[name(n)]; exists || z.hosts.has(n) {
		return out, false
	}
	label := n[1 : 1+n[0]]
	if addr, remaining, ok := z.leases.names.AddrOf(z.leases.network, label, h.clock); ok {
		if q.qtype == dns.TypeA && addr.Is4() {
			a := addr.As4()
			h.tally.count(q.qtype, localLease, dns.RcodeSuccess)
			return q.appendRecord(out, z.leases.ttl(remaining), a[:]), true
		}
		if addr.Is4() {
			return h.negative(q, z, len(label), localNoData, out)
		}
		return out, false
	}
	if z.wild {
		return out, false
	}
	return h.negative(q, z, len(label), localNXDomain, out)
}

// reverse answers for an address of the view's network that has a lease.
func (h *hot) reverse(q *query, addr netip.Addr, n, out []byte) ([]byte, bool) {
	for above := n[1+n[0]:]; len(above) > 1; above = above[1+above[0]:] {
		z := h.snap.zones[name(above)]
		if z == nil {
			continue
		}
		if _, exists := z.nodes[name(n)]; exists || len(z.hosts) > 0 {
			return out, false
		}
		v := h.view.zone.leases
		label, remaining, ok := v.names.NameOf(v.network, addr, h.clock)
		if !ok || len(label) > 63 || strings.IndexByte(label, '.') >= 0 || 1+len(label)+len(v.domain) > maxName {
			return out, false
		}
		var target [maxName + 1]byte
		target[0] = byte(len(label))
		size := 1 + copy(target[1:], label)
		lower(target[1:size])
		size += copy(target[size:], v.domain)
		h.tally.count(q.qtype, localLease, dns.RcodeSuccess)
		return q.appendRecord(out, v.ttl(remaining), target[:size]), true
	}
	return out, false
}

// negatives are a zone's answers for what isn't there, made when first wanted: they depend on nothing but the length of the label that
// the question has before the zone's name.
type negatives [2][64]atomic.Pointer[packed]

func (h *hot) negative(q *query, z *zone, length int, why reason, out []byte) ([]byte, bool) {
	kind, rcode := 0, dns.RcodeSuccess
	if why == localNXDomain {
		kind, rcode = 1, dns.RcodeNameError
	}
	p := z.negatives[kind][length].Load()
	if p == nil {
		n, ok := z.origin.child(strings.Repeat("x", length))
		if !ok {
			return out, false
		}
		var err error
		if p, err = pack(n, dns.TypeA, rcode, nil, []dns.RR{z.soa}); err != nil {
			return out, false
		}
		p.aa = true
		z.negatives[kind][length].Store(p)
	}
	return h.answer(q, p, why, plainSize, out)
}

// appendRecord appends an authoritative answer of one record of the question's name and type.
func (q *query) appendRecord(out []byte, ttl uint32, rdata []byte) []byte {
	start := len(out)
	var header [headerSize]byte
	out = append(out, header[:]...)
	m := out[start:]
	q.header(m, dns.RcodeSuccess)
	m[2] |= 0x04
	m[5], m[7] = 1, 1
	out = append(out, q.question...)
	out = append(out, 0xc0, headerSize)
	out = binary.BigEndian.AppendUint16(out, q.qtype)
	out = binary.BigEndian.AppendUint16(out, dns.ClassINET)
	out = binary.BigEndian.AppendUint32(out, ttl)
	out = binary.BigEndian.AppendUint16(out, uint16(len(rdata)))
	out = append(out, rdata...)
	if q.edns {
		out = q.appendOPT(out, start, dns.RcodeSuccess, nil, plainSize)
	}
	return out
}

// arpaAddr reads the reverse name of an IPv4 address, in lower case.
func arpaAddr(n []byte) (netip.Addr, bool) {
	var bytes [4]byte
	for i := range bytes {
		length := int(n[0])
		if length < 1 || length > 3 || len(n) < 1+length+len(arpa4) {
			return netip.Addr{}, false
		}
		value := 0
		for _, c := range n[1 : 1+length] {
			if c < '0' || c > '9' {
				return netip.Addr{}, false
			}
			value = 10*value + int(c-'0')
		}
		// One way to write a number: without leading zeros.
		if value > 255 || length > 1 && n[1] == '0' {
			return netip.Addr{}, false
		}
		bytes[3-i] = byte(value)
		n = n[1+length:]
	}
	return netip.AddrFrom4(bytes), string(n) == string(arpa4)
}
