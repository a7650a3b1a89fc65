package dnsserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// parseOptions reads the options of an OPT: false if they don't fill it exactly, or one that we know isn't as it must be. What we don't know
// is ignored, RFC 6891 section 6.1.2.
func (q *query) parseOptions(data []byte) bool {
	for len(data) > 0 {
		if len(data) < 4 {
			return false
		}
		code, length := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
		if 4+length > len(data) {
			return false
		}
		value := data[4 : 4+length]
		switch code {
		case dns.EDNS0COOKIE:
			// Of several the first counts, RFC 7873 section 5.2.
			if !q.cookied && !q.parseCookie(value) {
				return false
			}
		case dns.EDNS0TCPKEEPALIVE:
			// RFC 7828 section 3.3: over UDP the option means nothing. A client isn't to name a time; one that does is heard all the same.
			q.asksIdle = q.tcp
		}
		data = data[4+length:]
	}
	return true
}

// parseCookie reads the value of a cookie option: false if it isn't as long as RFC 7873 section 5.2.2 wants it.
func (q *query) parseCookie(value []byte) bool {
	server := len(value) - clientCookie
	if server != 0 && (server < minServerCookie || server > maxServerCookie) {
		return false
	}
	q.cookied = true
	copy(q.cookie[:clientCookie], value)
	q.presented = value[clientCookie:]
	return true
}

// optSize is an OPT without options, RFC 6891 section 6.1.2.
const optSize = 11

// optRoom is how much of the answer the client's own OPT takes: extended errors are put in only where there is room.
func (q *query) optRoom() int {
	if !q.edns {
		return 0
	}
	room := optSize
	if q.cookied {
		room += 4 + len(q.cookie)
	}
	if q.asksIdle {
		room += 4 + 2
	}
	return room
}

// appendOPT completes the message that starts at start by an OPT, RFC 6891, with what the client asked for, and those of the options that
// fit.
func (q *query) appendOPT(out []byte, start, rcode int, options []byte, limit int) []byte {
	out[start+11] = 1
	var do byte
	if q.do {
		do = 0x80
	}
	out = append(out, 0, 0, byte(dns.TypeOPT), ednsSize>>8, ednsSize&0xff, byte(rcode>>4), 0, do, 0, 0, 0)
	data := len(out)
	if q.cookied {
		out = append(out, 0, dns.EDNS0COOKIE, 0, byte(len(q.cookie)))
		out = append(out, q.cookie[:]...)
	}
	if q.asksIdle {
		out = append(out, 0, dns.EDNS0TCPKEEPALIVE, 0, 2)
		out = binary.BigEndian.AppendUint16(out, uint16(q.idle/(100*time.Millisecond)))
	}
	for len(options) > 0 {
		size := 4 + int(binary.BigEndian.Uint16(options[2:]))
		if len(out)-start+size > limit {
			break
		}
		out = append(out, options[:size]...)
		options = options[size:]
	}
	binary.BigEndian.PutUint16(out[data-2:], uint16(len(out)-data))
	return out
}
