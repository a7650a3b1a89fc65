package dnsserver

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// questionSeeds are messages of every kind that the parser has a rule for.
func questionSeeds(f *testing.F) [][]byte {
	var all [][]byte
	for i, n := range []string{"vm1.lab.internal.", ".", "WwW.Example.ORG.", `a\.b.c\000d.lab.internal.`, strings.Repeat("a.", 127), strings.Repeat("l", 63) + "."} {
		m := new(dns.Msg).SetQuestion(n, dns.TypeA)
		all = append(all, packMsg(m))
		m.CheckingDisabled, m.AuthenticatedData, m.Zero = i%2 == 0, i%3 == 0, true
		optionsOf(f, "10 0102030405060708", "11 ", "3 ", "8 00010000", "65001 ab")(m)
		m.IsEdns0().SetDo(i%2 == 1)
		all = append(all, packMsg(m))
	}
	return append(all,
		unhex(f, "1234 0100 0001 0001 0000 0001"+vm1A+"c00c 0001 0001 00000001 0004 01020304 00 0029 04d0 00000000 0000"),
		unhex(f, "1234 0100 0001 0000 0000 0001"+vm1A+"00 00fa 00ff 00000000 0000"),
		unhex(f, "1234 0100 0000 0000 0000 0001 00 0029 04d0 00000000 000c 000a 0008 0102030405060708"),
		unhex(f, "1234 0100 0001 0000 0000 0000 c00c 0001 0001"))
}

// FuzzQuery holds our reading of a message against the library's, where that reads it.
func FuzzQuery(f *testing.F) {
	for _, packet := range questionSeeds(f) {
		f.Add(packet, false)
		f.Add(packet, true)
	}
	f.Fuzz(func(t *testing.T, packet []byte, tcp bool) {
		q, rcode, _, ok := parseQuery(packet, tcp)
		var m dns.Msg
		if m.Unpack(packet) != nil || m.Response {
			return
		}
		if !ok {
			t.Fatal("no answer to a message that the library reads")
		}
		if rcode != 0 || len(m.Question) != 1 {
			return
		}
		n, qtype, qclass := m.Question[0].Name, m.Question[0].Qtype, m.Question[0].Qclass
		wire := make([]byte, maxName+1)
		end, err := dns.PackDomainName(n, wire, 0, nil, false)
		if err != nil {
			t.Fatalf("a question is taken that the library can't write: %q: %v", n, err)
		}
		lower(wire[:end])
		if q.id != m.Id || string(q.name) != string(wire[:end]) || q.qtype != qtype || q.qclass != qclass || q.rd != m.RecursionDesired ||
			q.ad != m.AuthenticatedData || q.cd != m.CheckingDisabled {
			t.Fatalf("read as %+v, by the library as %v", q, &m)
		}
		// The library skips what is cut off behind the sections that it counts.
		if opt := m.IsEdns0(); opt != nil && (!q.edns || q.do != opt.Do() || q.size != opt.UDPSize() || q.version != opt.Version()) {
			t.Fatalf("OPT read as %+v, by the library as %v", q, opt)
		}
	})
}

// FuzzOptions holds the reading of an OPT's options against one that is written the plain way, and that what is answered can be read.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{
		"", "000a 0008 0102030405060708", "000a 0018 0102030405060708 010000005cf79f111f8130c3eee29480", "000a 0007 01020304050607",
		"000b 0000", "000b 0002 0064", "0003 0000 000a 0008 0102030405060708 000c 0004 00000000", "000a 0008 0102030405060708 000a 0000", "0001 ffff 00", "00",
	} {
		f.Add(unhex(f, s), true)
		f.Add(unhex(f, s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, tcp bool) {
		q := query{tcp: tcp, edns: true, idle: time.Second}
		ok := q.parseOptions(data)
		options, want := map[uint16][]byte{}, true
		rest := data
		for len(rest) > 0 && want {
			if want = len(rest) >= 4; !want {
				break
			}
			code, length := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
			if want = len(rest) >= 4+length; !want {
				break
			}
			value := rest[4 : 4+length]
			if _, seen := options[code]; !seen {
				options[code] = value
				if code == dns.EDNS0COOKIE {
					want = length == 8 || length >= 16 && length <= 40
				}
			}
			rest = rest[4+length:]
		}
		if ok != want {
			t.Fatalf("%x: %v, want %v", data, ok, want)
		}
		if !ok {
			return
		}
		cookie, cookied := options[dns.EDNS0COOKIE]
		_, keepalive := options[dns.EDNS0TCPKEEPALIVE]
		if q.cookied != cookied || q.asksIdle != (keepalive && tcp) || cookied && (!bytes.Equal(q.cookie[:8], cookie[:8]) || !bytes.Equal(q.presented, cookie[8:])) {
			t.Fatalf("%x: read as %+v", data, q)
		}
		out := q.appendOPT(make([]byte, headerSize), 0, dns.RcodeBadVers, explain(1, "why"), maxTCP)
		var m dns.Msg
		if err := m.Unpack(out); err != nil || m.IsEdns0() == nil {
			t.Fatalf("%x: %v", out, err)
		}
		if len(out) != headerSize+q.optRoom()+len(explain(1, "why")) {
			t.Fatalf("%d bytes, and room for %d", len(out), q.optRoom())
		}
	})
}

// FuzzName holds that names survive being written and read again, and what is asked of them.
func FuzzName(f *testing.F) {
	for _, s := range []string{"\x00", "\x03www\x07example\x03org\x00", "\x01*\x03a.b\x00", "\x04\x00\xff\\\"\x00", "\x3f" + strings.Repeat("x", 63) + "\x00", "\x01A\x01@\x00"} {
		f.Add([]byte(s), "www")
	}
	f.Fuzz(func(t *testing.T, wire []byte, label string) {
		end := skipName(wire, 0)
		if end < 0 || end > maxName {
			return
		}
		for at := 0; wire[at] != 0; at += 1 + int(wire[at]) {
			if wire[at] > 63 {
				return // a pointer
			}
		}
		lowered := bytes.Clone(wire[:end])
		lower(lowered)
		n := name(lowered)
		again, err := parseName(n.String())
		if err != nil || again != n {
			t.Fatalf("%x is %s, which is %x, %v", wire[:end], n, again, err)
		}
		if !n.under(root) || !n.under(n) || n != root && (n.parent().under(n) || !n.under(n.parent())) {
			t.Fatalf("%s: under", n)
		}
		if s, err := parseLabel(label); err == nil {
			child, ok := n.child(s)
			if ok && (child.parent() != n || child.label() != s || !child.under(n) || len(child) > maxName) || ok != (len(n)+1+len(s) <= maxName) {
				t.Fatalf("%q below %s is %q", s, n, child)
			}
		}
		_, _ = arpaAddr(lowered)
		_, _ = reversePrefix(n)
	})
}

// FuzzAnswer is FuzzDistill for the question that the answer itself has, of any name and type.
func FuzzAnswer(f *testing.F) {
	for _, lines := range [][]string{
		{"d.example.org. 300 DNAME t.example.org.", "www.d.example.org. 300 CNAME www.t.example.org.", "www.t.example.org. 4294967295 A 192.0.2.1"},
		{"www.d.example.org. 300 MX 10 mail.example.org.", "www.d.example.org. 300 RRSIG MX 13 3 300 20371231000000 20200101000000 1 example.org. ZmFrZQ=="},
		{"www.d.example.org. 300 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1", `+. 0 TXT "x"`},
		{"!example.org. 300 NSEC x.example.org. A", "!example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"},
	} {
		for i, qtype := range []uint16{dns.TypeA, dns.TypeMX, dns.TypeHTTPS, dns.TypeDNAME, dns.TypeCNAME, dns.TypeANY} {
			x := exchange{query: new(dns.Msg).SetQuestion("www.d.example.org.", qtype)}
			f.Add(packMsg(x.reply(i%2*dns.RcodeNameError, lines...)), i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, do bool) {
		var q query
		if len(raw) < headerSize || binary.BigEndian.Uint16(raw[4:]) != 1 {
			return
		}
		end, ok := q.parseQuestion(raw)
		if !ok || q.qclass != dns.ClassINET || q.qtype == dns.TypeOPT || q.qtype == dns.TypeNone {
			return
		}
		copy(raw[headerSize:end], q.name) // as restore leaves it
		m, err := parseAnswer(raw)
		if err != nil {
			return
		}
		p, ttl := distill(&asked{name: q.name, qtype: q.qtype, do: do}, m, func(name) bool { return true })
		if !asks(p.data, q.name, q.qtype) || ttl < 0 || ttl > maxTTL {
			t.Fatalf("kept for %v: %x", ttl, p.wire())
		}
		p.made = 1
		for _, age := range []moment{1, 1 + moment(time.Hour)} {
			answer, authority, err := p.records(age)
			if err != nil {
				t.Fatalf("%x: %v", p.wire(), err)
			}
			for _, rr := range append(answer, authority...) {
				if rr.Header().Ttl > seconds(maxTTL) || rr.Header().Rrtype == dns.TypeOPT {
					t.Fatalf("%s", rr)
				}
			}
		}
		q.edns, q.do, q.question = true, do, raw[headerSize:end]
		for _, limit := range []int{plainSize, ednsSize, maxTCP} {
			reply, cut := q.appendReply(nil, p, 2, limit)
			var answer dns.Msg
			if err := answer.Unpack(reply); err != nil || len(reply) > limit || answer.Truncated != cut {
				t.Fatalf("%d bytes, cut %v: %v\n%x", len(reply), cut, err, reply)
			}
		}
	})
}
