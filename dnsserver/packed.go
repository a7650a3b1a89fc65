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
	// data is the message, the offsets of its TTLs, and the options that its OPT gets: one piece of memory for an answer.
	data   []byte
	onward name // the chain goes on at this name; "" if the answer is complete
	head
}

// head is what an answer's bytes don't say.
type head struct {
	made     moment // the TTLs count from here; 0: they don't
	ttlsEnd  uint32
	wireEnd  uint16
	rcode    uint16
	aa, ad   bool
	negative bool
	why      reason
}

// wire returns the message.
func (p *packed) wire() []byte { return p.data[:p.wireEnd] }

// ttls returns the offsets of the TTLs in the message, two bytes each, big-endian.
func (p *packed) ttls() []byte { return p.data[p.wireEnd:p.ttlsEnd] }

// options returns what the OPT of an answer says beside the client's own: extended errors.
func (p *packed) options() []byte { return p.data[p.ttlsEnd:] }

// asks tells whether a message is about a name and type.
func asks(message []byte, n name, qtype uint16) bool {
	end := headerSize + len(n)
	return len(message) >= end+4 && string(message[headerSize:end]) == string(n) && binary.BigEndian.Uint16(message[end:]) == qtype
}

// newPacked makes an answer of a message, at most maxTCP long.
func newPacked(wire []byte, question int, rcode int, options []byte) (*packed, error) {
	records := int(binary.BigEndian.Uint16(wire[6:])) + int(binary.BigEndian.Uint16(wire[8:]))
	p := &packed{data: make([]byte, 0, len(wire)+2*records+len(options)), head: head{rcode: uint16(rcode), wireEnd: uint16(len(wire))}}
	p.data = append(p.data, wire...)
	at := headerSize + question
	for range records {
		at = skipName(wire, at)
		if at < 0 || at+10 > len(wire) {
			return nil, fmt.Errorf("record cut off")
		}
		p.data = binary.BigEndian.AppendUint16(p.data, uint16(at+4))
		at += 10 + int(binary.BigEndian.Uint16(wire[at+8:]))
	}
	p.ttlsEnd = uint32(len(p.data))
	p.data = append(p.data, options...)
	return p, nil
}

// pack makes an answer. The records are not changed, and may be shared.
func pack(n name, qtype uint16, rcode int, answer, authority []dns.RR, extended ...extendedError) (*packed, error) {
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
	p, err := newPacked(wire, len(n)+4, rcode, appendErrors(nil, extended))
	if err != nil {
		return nil, fmt.Errorf("packing an answer for %s: %w", n, err)
	}
	return p, nil
}

// failure makes an answer without records. options are those of its OPT.
func failure(n name, qtype uint16, rcode int, why reason, options []byte) *packed {
	wire := make([]byte, headerSize, headerSize+len(n)+4+len(options))
	wire[5] = 1
	wire = append(wire, n...)
	wire = binary.BigEndian.AppendUint16(wire, qtype)
	wire = binary.BigEndian.AppendUint16(wire, dns.ClassINET)
	end := len(wire)
	return &packed{data: append(wire, options...), head: head{wireEnd: uint16(end), ttlsEnd: uint32(end), rcode: uint16(rcode), why: why}}
}

// age is how many seconds the TTLs have counted down.
func (p *packed) age(now moment) uint32 {
	if p.made == 0 || now < p.made {
		return 0
	}
	return uint32((now - p.made) / moment(time.Second))
}

// records unpacks the answer and authority sections, TTLs counted down.
func (p *packed) records(now moment) (answer, authority []dns.RR, err error) {
	var m dns.Msg
	if err := m.Unpack(p.wire()); err != nil {
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

// extendedError is an EDNS option that tells more than the RCODE, RFC 8914.
type extendedError struct {
	code uint16
	text string
}

// appendErrors appends extended errors as EDNS options.
func appendErrors(out []byte, extended []extendedError) []byte {
	for _, e := range extended {
		out = binary.BigEndian.AppendUint16(out, dns.EDNS0EDE)
		out = binary.BigEndian.AppendUint16(out, uint16(2+len(e.text)))
		out = binary.BigEndian.AppendUint16(out, e.code)
		out = append(out, e.text...)
	}
	return out
}

// explain is the options of one extended error.
func explain(code uint16, text string) []byte {
	return appendErrors(nil, []extendedError{{code, text}})
}
