package dnsserver

import "encoding/binary"

// appendReply appends the answer p to q, as q's client takes it. limit bounds its length; what doesn't fit is sent
// without records and with TC, never with a part of an RRset.
func (q *query) appendReply(out []byte, p *packed, now moment, limit int) (reply []byte, cut bool) {
	start := len(out)
	body := p.wire()
	if len(body)+q.optRoom() > limit {
		cut = true
		body = body[:headerSize+len(q.question)]
	}
	out = append(out, body...)
	m := out[start:]
	q.header(m, int(p.rcode))
	m[5] = 1
	copy(m[headerSize:], q.question)
	if cut {
		m[2] |= 0x02
		clear(m[6:10])
	} else if age := p.age(now); age > 0 {
		for ttls := p.ttls(); len(ttls) >= 2; ttls = ttls[2:] {
			at := int(binary.BigEndian.Uint16(ttls))
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
		out = q.appendOPT(out, start, int(p.rcode), p.options(), limit)
	}
	return out, cut
}

// appendError appends an answer without records to a query that may not even have been understood.
func (q *query) appendError(out []byte, rcode int, options []byte) []byte {
	start := len(out)
	out = append(out, make([]byte, headerSize)...)
	m := out[start:]
	q.header(m, rcode)
	if q.question != nil {
		m[5] = 1
		out = append(out, q.question...)
	}
	if q.edns {
		out = q.appendOPT(out, start, rcode, options, plainSize)
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
