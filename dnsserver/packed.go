package dnsserver

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// packed is an answer ready for the wire: a whole message without OPT, asked in lower case. A client's own question has
// the same length, so that it can be laid over the question here and every compression pointer stays right. Immutable.
type packed struct {
	wire     []byte
	ttls     []uint16 // offsets of the TTLs in wire
	rcode    int
	aa, ad   bool
	negative bool
	next     name // the chain goes on at this name; "" if the answer is complete
	extended []extendedError
	made     time.Time // the TTLs count from here
	why      reason
}

// extendedError is an EDNS option that tells more than the RCODE, RFC 8914.
type extendedError struct {
	code uint16
	text string
}

// pack makes an answer. The records are not changed, and may be shared.
func pack(n name, qtype uint16, rcode int, answer, authority []dns.RR) (*packed, error) {
	m := dns.Msg{Compress: true, Answer: answer, Ns: authority}
	m.Question = []dns.Question{{Name: n.String(), Qtype: qtype, Qclass: dns.ClassINET}}
	wire, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing an answer for %s: %w", n, err)
	}
	// Twice the length of the name: an escape in the owner's text could have made another question of it.
	if len(wire) > maxTCP || len(wire) < headerSize+len(n)+4 || string(wire[headerSize:headerSize+len(n)]) != string(n) {
		return nil, fmt.Errorf("packing an answer for %s: it doesn't fit a message", n)
	}
	p := &packed{wire: wire, rcode: rcode}
	if p.ttls, err = ttlOffsets(wire, headerSize+len(n)+4); err != nil {
		return nil, fmt.Errorf("packing an answer for %s: %w", n, err)
	}
	return p, nil
}

// failure makes an answer without records.
func failure(n name, qtype uint16, rcode int, why reason, extended ...extendedError) *packed {
	wire := make([]byte, headerSize, headerSize+len(n)+4)
	wire[5] = 1
	wire = append(wire, n...)
	wire = binary.BigEndian.AppendUint16(wire, qtype)
	wire = binary.BigEndian.AppendUint16(wire, dns.ClassINET)
	return &packed{wire: wire, rcode: rcode, why: why, extended: extended}
}

func ttlOffsets(wire []byte, at int) ([]uint16, error) {
	records := int(binary.BigEndian.Uint16(wire[6:])) + int(binary.BigEndian.Uint16(wire[8:]))
	offsets := make([]uint16, 0, records)
	for range records {
		at = skipName(wire, at)
		if at < 0 || at+10 > len(wire) {
			return nil, fmt.Errorf("record cut off")
		}
		offsets = append(offsets, uint16(at+4))
		at += 10 + int(binary.BigEndian.Uint16(wire[at+8:]))
	}
	return offsets, nil
}

// age is how many seconds the TTLs have counted down.
func (p *packed) age(now time.Time) uint32 {
	if p.made.IsZero() || now.Before(p.made) {
		return 0
	}
	return uint32(now.Sub(p.made) / time.Second)
}

// records unpacks the answer and authority sections, TTLs counted down.
func (p *packed) records(now time.Time) (answer, authority []dns.RR, err error) {
	var m dns.Msg
	if err := m.Unpack(p.wire); err != nil {
		return nil, nil, fmt.Errorf("unpacking a cached answer: %w", err)
	}
	age := p.age(now)
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			rr.Header().Ttl = countDown(rr.Header().Ttl, age)
		}
	}
	return m.Answer, m.Ns, nil
}

func countDown(ttl, age uint32) uint32 {
	if ttl <= age {
		return min(ttl, 1)
	}
	return ttl - age
}
