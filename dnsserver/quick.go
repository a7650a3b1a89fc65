package dnsserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// quick makes of an upstream's answer what parseAnswer and distill make of it, from wire to wire, if it is of the common kinds: addresses,
// at once or behind a chain of CNAMEs, or a negative answer with its SOA; nothing else in it but an OPT. What it keeps is then
// a piece of the message as it stands, in which every compression pointer stays right. Anything else is left to them.
func quick(a *asked, m []byte, stay func(name) bool) (p *packed, ttl time.Duration, ok bool) {
	end := a.questionEnd()
	rcode := int(m[3] & 0x0f)
	answers, authority, additional := int(binary.BigEndian.Uint16(m[6:])), int(binary.BigEndian.Uint16(m[8:])), int(binary.BigEndian.Uint16(m[10:]))
	if a.do || rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError || additional > 1 || answers > maxQuick {
		return nil, 0, false
	}
	q := quickReader{message: m, at: end, limit: seconds(maxTTL), shortest: seconds(maxTTL), names: 1}
	q.areas[0] = area{headerSize, headerSize + len(a.name)}
	negative := answers == 0
	switch {
	case !negative && authority == 0 && rcode == dns.RcodeSuccess:
		ok = q.addresses(a, answers, stay)
	case negative && authority == 1 && (rcode == dns.RcodeNameError || m[2]&0x04 != 0 || m[3]&0x80 != 0):
		ok = q.denial(a)
	}
	kept := q.at
	if !ok || !q.plainOPT(additional == 1) || kept+2*q.records > maxTCP {
		return nil, 0, false
	}
	data := make([]byte, kept, kept+2*q.records)
	copy(data[4:], m[4:kept])
	data[10], data[11] = 0, 0
	for _, at := range q.ttls[:q.records] {
		data = binary.BigEndian.AppendUint16(data, at)
		// Bounded as lifetime does it.
		binary.BigEndian.PutUint32(data[at:], boundedTTL(binary.BigEndian.Uint32(data[at:]), q.limit))
	}
	p = &packed{data: data, head: head{
		wireEnd: uint16(kept), ttlsEnd: uint32(len(data)), rcode: uint16(rcode), ad: m[3]&0x20 != 0, negative: negative, why: forwarded,
	}}
	if negative {
		p.why = forwardedNegative
	}
	return p, time.Duration(q.shortest) * time.Second, true
}

// maxQuick is how many answer records are read that way.
const maxQuick = 32

type quickReader struct {
	message  []byte
	at       int
	records  int
	ttls     [maxQuick]uint16
	limit    uint32 // for TTLs
	shortest uint32
	names    int
	areas    [2*maxQuick + 1]area // of names
}

// area is where a name is, without what it points to.
type area struct{ from, to int }

// boundedTTL: RFC 2181 section 8.
func boundedTTL(ttl, limit uint32) uint32 {
	if ttl > 1<<31-1 {
		return 0
	}
	return min(ttl, limit)
}

// record reads the head of a record of class IN behind its owner's name, and notes its TTL. data is where its data is.
func (q *quickReader) record() (rtype uint16, data []byte, ok bool) {
	m, at := q.message, q.at
	if at+10 > len(m) || binary.BigEndian.Uint16(m[at+2:]) != dns.ClassINET {
		return 0, nil, false
	}
	q.at = at + 10 + int(binary.BigEndian.Uint16(m[at+8:]))
	if q.at > len(m) {
		return 0, nil, false
	}
	q.ttls[q.records] = uint16(at + 4)
	q.records++
	q.shortest = min(q.shortest, boundedTTL(binary.BigEndian.Uint32(m[at+4:]), q.limit))
	return binary.BigEndian.Uint16(m[at:]), m[at+10 : q.at], true
}

// name reads a name at q.at, and passes it. Only in lower case: what is kept of others is written anew.
func (q *quickReader) name(into *[maxName]byte) (n []byte, ok bool) {
	size := q.expand(into)
	if size < 0 || hasCapital(into[:size]) {
		return nil, false
	}
	return into[:size], true
}

func hasCapital(n []byte) bool {
	for _, c := range n {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

// addresses reads an answer of address records, behind a chain of CNAMEs or not.
func (q *quickReader) addresses(a *asked, answers int, stay func(name) bool) bool {
	size := 4
	switch a.qtype {
	case dns.TypeA:
	case dns.TypeAAAA:
		size = 16
	default:
		return false
	}
	var scratch [maxName]byte
	var chain [maxChain]name
	links, first := 0, 0
	at := a.name
	for i := range answers {
		owner, ok := q.name(&scratch)
		if !ok || string(owner) != string(at) {
			return false
		}
		rtype, data, ok := q.record()
		switch {
		case !ok:
			return false
		case rtype == a.qtype && len(data) == size:
			if i == links {
				first = i
			}
			if q.repeats(data, first, i) {
				return false
			}
		case rtype == dns.TypeCNAME && i == links && links < maxChain-1:
			target, ok := q.target(len(data), &scratch)
			if !ok {
				return false
			}
			chain[links] = at
			links++
			at = name(target)
			for _, before := range chain[:links] {
				if before == at {
					return false
				}
			}
			if !stay(at) {
				return false
			}
		default:
			return false
		}
	}
	return answers > links
}

// target reads the name that the data just passed, of a length, is.
func (q *quickReader) target(length int, into *[maxName]byte) ([]byte, bool) {
	end := q.at
	q.at -= length
	target, ok := q.name(into)
	return target, ok && q.at == end
}

// repeats tells whether one of the records from first on has the same data as the one after them.
func (q *quickReader) repeats(data []byte, first, last int) bool {
	for _, ttl := range q.ttls[first:last] {
		if string(q.message[ttl+6:int(ttl)+6+len(data)]) == string(data) {
			return true
		}
	}
	return false
}

// denial reads a negative answer's SOA.
func (q *quickReader) denial(a *asked) bool {
	var scratch [maxName]byte
	origin, ok := q.name(&scratch)
	if !ok || !a.name.under(name(origin)) {
		return false
	}
	rtype, data, ok := q.record()
	if !ok || rtype != dns.TypeSOA {
		return false
	}
	end := q.at
	q.at -= len(data)
	for range 2 {
		if q.expand(&scratch) < 0 {
			return false
		}
	}
	if q.at+20 != end {
		return false
	}
	q.at = end
	minimum := binary.BigEndian.Uint32(q.message[end-4:])
	q.limit = min(minimum, seconds(maxNegativeTTL))
	q.shortest = min(q.shortest, q.limit)
	return true
}

// plainOPT passes the OPT record, if there is to be one, and tells whether the message ends there.
func (q *quickReader) plainOPT(there bool) bool {
	opt := q.message[q.at:]
	if !there {
		return len(opt) == 0
	}
	// Without options, and without a part of the RCODE.
	return len(opt) == optSize && opt[0] == 0 && binary.BigEndian.Uint16(opt[1:]) == dns.TypeOPT && opt[5] == 0 && opt[9] == 0 && opt[10] == 0
}

// expand reads the name at q.at without compression, and passes it. A length of -1: it isn't one. Pointers may only go backwards, so that
// it ends (RFC 1035 section 4.1.4), and only into other names: what is between them, as TTLs, doesn't stay.
func (q *quickReader) expand(into *[maxName]byte) (size int) {
	m, at, next, limit := q.message, q.at, -1, q.at
	for {
		if at >= len(m) {
			return -1
		}
		length := int(m[at])
		if length >= 0xc0 {
			if at+2 > len(m) {
				return -1
			}
			if next < 0 {
				next = at + 2
			}
			to := int(binary.BigEndian.Uint16(m[at:]) & 0x3fff)
			if to >= limit {
				return -1
			}
			at, limit = to, to
			continue
		}
		end := at + 1 + length
		if length > 63 || end > len(m) || size+1+length > maxName || next >= 0 && !q.inName(at, end) {
			return -1
		}
		copy(into[size:], m[at:end])
		size += 1 + length
		at = end
		if length == 0 {
			if next < 0 {
				next = at
			}
			if q.names == len(q.areas) {
				return -1
			}
			q.areas[q.names] = area{q.at, next}
			q.names++
			q.at = next
			return size
		}
	}
}

// inName tells whether a label is in a name that has been read.
func (q *quickReader) inName(at, end int) bool {
	for _, n := range q.areas[:q.names] {
		if n.from <= at && end <= n.to {
			return true
		}
	}
	return false
}
