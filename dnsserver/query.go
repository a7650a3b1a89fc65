package dnsserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

const (
	headerSize = 12
	// ednsSize is what we offer and the most we send over UDP: it fits every path unfragmented, RFC 9715.
	ednsSize  = 1232
	plainSize = 512 // RFC 1035 section 2.3.4
	maxTCP    = 65535
)

// query is the part of a client's message that matters, read without the DNS library: parsing is the first thing that
// a hostile packet meets.
type query struct {
	id         uint16
	opcode     uint8
	rd, ad, cd bool
	tcp        bool // how the message came, set before it is read
	edns, do   bool
	signed     bool
	version    uint8
	size       uint16 // of UDP answers, as the client wrote it
	// The cookie option: of the answer, and the server's part that came, in the packet.
	cookied   bool
	cookie    [clientCookie + serverCookie]byte
	presented []byte
	// The client asks how long its connection may be idle, RFC 7828, and is told.
	asksIdle bool
	idle     time.Duration
	name     name
	qtype    uint16
	qclass   uint16
	question []byte // name, type and class in the client's own letter case; nil if there is none, or none that was understood
}

// parseQuery reads a message. With ok false there is nothing to answer; else rcode is the header's, or 0 to go on. Without a question
// it goes on where the client wants no more than a cookie.
func parseQuery(packet []byte, tcp bool) (q query, rcode int, why reason, ok bool) {
	q.tcp = tcp
	if len(packet) < headerSize || packet[2]&0x80 != 0 {
		return q, 0, ignored, false
	}
	q.id = binary.BigEndian.Uint16(packet)
	q.opcode = packet[2] >> 3 & 0xf
	q.rd, q.ad, q.cd = packet[2]&1 != 0, packet[3]&0x20 != 0, packet[3]&0x10 != 0
	if q.opcode != dns.OpcodeQuery {
		return q, dns.RcodeNotImplemented, notImplemented, true
	}
	end, valid := headerSize, true
	// RFC 9619: a QUERY has exactly one question, or none, see below.
	switch binary.BigEndian.Uint16(packet[4:]) {
	case 0:
	case 1:
		end, valid = q.parseQuestion(packet)
	default:
		valid = false
	}
	if !valid || !q.parseRecords(packet, end) {
		return q, dns.RcodeFormatError, formatError, true
	}
	switch {
	case q.edns && q.version > 0: // RFC 6891 section 6.1.3
		return q, dns.RcodeBadVers, badVersion, true
	case q.signed:
		return q, dns.RcodeRefused, refusedSigned, true
	case q.question == nil && !q.cookied: // RFC 7873 section 5.4
		return q, dns.RcodeFormatError, formatError, true
	}
	return q, 0, 0, true
}

func (q *query) parseQuestion(packet []byte) (end int, ok bool) {
	var scratch [maxName]byte
	at := headerSize
	for {
		if at >= len(packet) {
			return 0, false
		}
		length := int(packet[at])
		// Nothing stands before a question for a pointer to point to.
		if length > 63 {
			return 0, false
		}
		at += 1 + length
		if at-headerSize > maxName || at > len(packet) {
			return 0, false
		}
		if length == 0 {
			break
		}
	}
	if at+4 > len(packet) {
		return 0, false
	}
	n := copy(scratch[:], packet[headerSize:at])
	lower(scratch[:n])
	q.name = name(scratch[:n])
	q.qtype, q.qclass = binary.BigEndian.Uint16(packet[at:]), binary.BigEndian.Uint16(packet[at+2:])
	q.question = packet[headerSize : at+4]
	return at + 4, true
}

// parseRecords walks what follows the question for OPT and TSIG; other records mean nothing in a query and are skipped.
func (q *query) parseRecords(packet []byte, at int) bool {
	before := int(binary.BigEndian.Uint16(packet[6:])) + int(binary.BigEndian.Uint16(packet[8:]))
	total := before + int(binary.BigEndian.Uint16(packet[10:]))
	for i := range total {
		owner := at
		at = skipName(packet, at)
		if at < 0 || at+10 > len(packet) {
			return false
		}
		rtype := binary.BigEndian.Uint16(packet[at:])
		data := at + 10
		next := data + int(binary.BigEndian.Uint16(packet[at+8:]))
		if next > len(packet) {
			return false
		}
		switch {
		case rtype == dns.TypeOPT:
			// RFC 6891 section 6.1.1: one, owned by the root, in the additional section.
			if q.edns || i < before || packet[owner] != 0 {
				return false
			}
			q.edns = true
			q.size = binary.BigEndian.Uint16(packet[at+2:])
			q.version = packet[at+5]
			q.do = packet[at+6]&0x80 != 0
			// Of another version nothing but its number is known: RFC 6891 section 6.1.3.
			if q.version == 0 && !q.parseOptions(packet[data:next]) {
				return false
			}
		case rtype == dns.TypeTSIG && i >= before:
			q.signed = true
		}
		at = next
	}
	return true
}

// skipName returns the offset after the name at at, without following its pointer, or -1.
func skipName(packet []byte, at int) int {
	for at < len(packet) {
		length := int(packet[at])
		switch {
		case length == 0:
			return at + 1
		case length >= 0xc0:
			if at+2 > len(packet) {
				return -1
			}
			return at + 2
		case length > 63:
			return -1
		}
		at += 1 + length
	}
	return -1
}

// limit is the largest answer that the client takes.
func (q *query) limit(tcp bool) int {
	switch {
	case tcp:
		return maxTCP
	case !q.edns:
		return plainSize
	}
	return min(max(int(q.size), plainSize), ednsSize)
}
