package dnsserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// appendReply appends the answer p to q, as q's client takes it. limit bounds its length; what doesn't fit is sent
// without records and with TC, never with a part of an RRset.
func (q *query) appendReply(out []byte, p *packed, now time.Time, limit int) (reply []byte, cut bool) {
	start := len(out)
	opt := 0
	if q.edns {
		opt = 11
	}
	body := p.wire
	if len(body)+opt > limit {
		cut = true
		body = body[:headerSize+len(q.question)]
	}
	out = append(out, body...)
	m := out[start:]
	q.header(m, p.rcode)
	m[5] = 1
	copy(m[headerSize:], q.question)
	if cut {
		m[2] |= 0x02
		clear(m[6:10])
	} else {
		age := p.age(now)
		for _, at := range p.ttls {
			ttl := m[at : at+4]
			binary.BigEndian.PutUint32(ttl, countDown(binary.BigEndian.Uint32(ttl), age))
		}
	}
	if p.aa {
		m[2] |= 0x04
	}
	// RFC 6840 section 5.8: only to who asked for it.
	if p.ad && (q.ad || q.do) {
		m[3] |= 0x20
	}
	if q.edns {
		out = q.appendOPT(out, start, p.rcode, p.extended, limit)
	}
	return out, cut
}

// appendError appends an answer without records to a query that may not even have been understood.
func (q *query) appendError(out []byte, rcode int, extended ...extendedError) []byte {
	start := len(out)
	out = append(out, make([]byte, headerSize)...)
	m := out[start:]
	q.header(m, rcode)
	if q.question != nil {
		m[5] = 1
		out = append(out, q.question...)
	}
	if q.edns {
		out = q.appendOPT(out, start, rcode, extended, plainSize)
	}
	return out
}

func (q *query) header(m []byte, rcode int) {
	binary.BigEndian.PutUint16(m, q.id)
	m[2] = 0x80 | q.opcode<<3
	if q.rd {
		m[2] |= 0x01
	}
	m[3] = 0x80 | byte(rcode)&0xf // RA
	if q.cd {                     // RFC 4035 section 3.2.2
		m[3] |= 0x10
	}
	clear(m[10:12])
}

// appendOPT completes the message that starts at start by an OPT, RFC 6891, with those extended errors that fit.
func (q *query) appendOPT(out []byte, start, rcode int, extended []extendedError, limit int) []byte {
	out[start+11] = 1
	out = append(out, 0)
	out = binary.BigEndian.AppendUint16(out, dns.TypeOPT)
	out = binary.BigEndian.AppendUint16(out, ednsSize)
	var do byte
	if q.do {
		do = 0x80
	}
	out = append(out, byte(rcode>>4), 0, do, 0)
	out = append(out, 0, 0)
	data := len(out)
	for _, e := range extended {
		if len(out)-start+6+len(e.text) > limit {
			break
		}
		out = binary.BigEndian.AppendUint16(out, dns.EDNS0EDE)
		out = binary.BigEndian.AppendUint16(out, uint16(2+len(e.text)))
		out = binary.BigEndian.AppendUint16(out, e.code)
		out = append(out, e.text...)
	}
	binary.BigEndian.PutUint16(out[data-2:], uint16(len(out)-data))
	return out
}
