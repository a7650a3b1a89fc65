package e2e

import (
	bigend "encoding/binary"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// oracleQuestion is one message for every server.
type oracleQuestion struct {
	id   string // what docs/dns-differences.md calls it: name, type and variant
	wire []byte
	tcp  bool
	odd  bool // a message that no resolver library sends, and that some don't answer
}

// oracleNames is what is asked: a name and its types.
var oracleNames = []struct {
	name  string
	types string
	every bool // in every variant
}{
	{"www.example.org.", "A AAAA HTTPS TXT TYPE64000", true},
	{"alias.example.org.", "A MX CNAME", true},
	{"missing.example.org.", "A", true},
	{"v4.example.org.", "AAAA", true},
	{"example.org.", "SOA NS MX", true},
	{"medium.odd.example.", "TXT", true},
	{"big.odd.example.", "TXT", true},
	{"www.signed.example.", "A MX", true},
	{"missing.signed.example.", "A", true},
	{"servfail.rcode.example.", "A", true},
	{"refused.rcode.example.", "A", true},
	{"WwW.ExAmPlE.oRg.", "A MX", false},
	{"mixed.case.example.org.", "A", false},
	{"v6.example.org.", "A AAAA", false},
	{"chain1.example.org.", "A AAAA CNAME MX", false},
	{"tov4.example.org.", "A AAAA", false},
	{"dangling.example.org.", "A CNAME", false},
	{"away.example.org.", "A AAAA", false},
	{"loop1.example.org.", "A", false},
	{"self.example.org.", "A", false},
	{"www.d.example.org.", "A DNAME", false},
	{"d.example.org.", "DNAME A", false},
	{"x.wild.example.org.", "A TXT MX", false},
	{"wild.example.org.", "A", false},
	{"*.wild.example.org.", "A", false},
	{"example.org.", "A AAAA TXT CAA DS DNSKEY RRSIG NSEC TYPE999", false},
	{"_sip._tcp.example.org.", "SRV A", false},
	{"_tcp.example.org.", "A", false},
	{"svcb.example.org.", "SVCB", false},
	{"tlsa.example.org.", "TLSA", false},
	{"sshfp.example.org.", "SSHFP", false},
	{"naptr.example.org.", "NAPTR", false},
	{"loc.example.org.", "LOC", false},
	{"hinfo.example.org.", "HINFO", false},
	{"uri.example.org.", "URI", false},
	{"rp.example.org.", "RP", false},
	{"unknown.example.org.", "TYPE65280 TYPE731", false},
	{"empty.example.org.", "TXT", false},
	{"quoted.example.org.", "TXT", false},
	{"_under.score.example.org.", "TXT", false},
	{"h.example.org.", "A", false},
	{"g.h.example.org.", "A", false},
	{"a.b.c.d.e.f.g.h.example.org.", "A", false},
	{`dot\.ted.example.org.`, "TXT", false},
	{`bin\000\200.example.org.`, "TXT", false},
	{`no\000\255such.example.org.`, "TXT", false},
	{strings.Repeat("a.", 121) + "example.org.", "A", false},
	{strings.Repeat(strings.Repeat("l", 60)+".", 3) + "example.org.", "A", false},
	{"34.216.184.93.in-addr.arpa.", "PTR A", false},
	{"35.216.184.93.in-addr.arpa.", "PTR", false},
	{"formerr.rcode.example.", "A", false},
	{"notimp.rcode.example.", "A", false},
	{"notauth.rcode.example.", "A", false},
	{"yxdomain.rcode.example.", "A", false},
	{"nosoa.odd.example.", "A", false},
	{"nxnosoa.odd.example.", "A", false},
	{"others.odd.example.", "A", false},
	{"twice.odd.example.", "A", false},
	{"signed.example.", "DNSKEY DS SOA", false},
	{"nowhere.zzexample.", "A", false},
	{".", "NS SOA A", false},
	{"www.example.org.", "ANY", false},
	{"example.org.", "AXFR IXFR MAILB MAILA", false},
	{"localhost.", "A AAAA MX", false},
	{"x.localhost.", "A", false},
	{"1.0.0.127.in-addr.arpa.", "PTR", false},
	{"x.invalid.", "A", false},
	{"x.onion.", "A", false},
	{"x.test.", "A", false},
	{"x.local.", "A", false},
	{"x.home.arpa.", "A", false},
	{"x.alt.", "A", false},
	{"x.internal.", "A", false},
	{"5.1.168.192.in-addr.arpa.", "PTR", false},
	{"5.1.1.10.in-addr.arpa.", "PTR", false},
	{"_dns.resolver.arpa.", "SVCB", false},
	{"single.", "A DS", false},
	// Each server's own, with the same data in all of them: lab.internal.
	{"gateway.lab.internal.", "A AAAA MX", true},
	{"builder.lab.internal.", "A AAAA TXT", true},
	{"missing.lab.internal.", "A MX", true},
	{"nick.lab.internal.", "A AAAA CNAME", false},
	{"lab.internal.", "SOA NS MX A", false},
	{"text.lab.internal.", "TXT A", false},
	{"_web._tcp.lab.internal.", "SRV", false},
	{"10.0.0.10.in-addr.arpa.", "PTR A", false},
	{"200.0.0.10.in-addr.arpa.", "PTR", false},
}

// oracleVariants are the ways to ask.
var oracleVariants = []struct {
	name   string
	tcp    bool
	change func(*dns.Msg)
}{
	{"plain", false, func(*dns.Msg) {}},
	{"edns", false, func(m *dns.Msg) { m.SetEdns0(1232, false) }},
	{"do", false, func(m *dns.Msg) { m.SetEdns0(1232, true) }},
	{"do+cd", false, func(m *dns.Msg) { m.SetEdns0(1232, true); m.CheckingDisabled = true }},
	{"ad", false, func(m *dns.Msg) { m.AuthenticatedData = true }},
	{"cd", false, func(m *dns.Msg) { m.CheckingDisabled = true }},
	{"norec", false, func(m *dns.Msg) { m.RecursionDesired = false }},
	{"z", false, func(m *dns.Msg) { m.Zero = true }},
	{"aa+ra+tc", false, func(m *dns.Msg) { m.Authoritative, m.RecursionAvailable, m.Truncated = true, true, true }},
	{"size512", false, func(m *dns.Msg) { m.SetEdns0(512, false) }},
	{"size100", false, func(m *dns.Msg) { m.SetEdns0(100, false) }},
	{"size65535", false, func(m *dns.Msg) { m.SetEdns0(65535, false) }},
	{"tcp", true, func(*dns.Msg) {}},
	{"tcp+do", true, func(m *dns.Msg) { m.SetEdns0(1232, true) }},
	{"again", false, func(m *dns.Msg) { m.SetEdns0(1232, false) }},
}

// oracleQuestions are all of them.
func oracleQuestions() []oracleQuestion {
	var all []oracleQuestion
	for _, n := range oracleNames {
		for t := range strings.FieldsSeq(n.types) {
			qtype, ok := dns.StringToType[t]
			if !ok {
				_, _ = fmt.Sscanf(t, "TYPE%d", &qtype)
			}
			for i, v := range oracleVariants {
				if !n.every && i > 1 {
					break
				}
				// How long a failure is remembered is each server's own affair.
				if v.name == "norec" && strings.Contains(n.name, ".rcode.") {
					continue
				}
				m := new(dns.Msg).SetQuestion(n.name, qtype)
				v.change(m)
				wire, err := m.Pack()
				if err != nil {
					panic(n.name + ": " + err.Error())
				}
				all = append(all, oracleQuestion{id: n.name + " " + t + " " + v.name, wire: wire, tcp: v.tcp})
			}
		}
	}
	fresh := new(dns.Msg).SetQuestion("sip.example.org.", dns.TypeA)
	fresh.RecursionDesired = false
	return append(append(all, packed("sip.example.org. A norec", fresh)), oddQuestions()...)
}

func packed(id string, m *dns.Msg) oracleQuestion {
	wire, err := m.Pack()
	if err != nil {
		panic(id + ": " + err.Error())
	}
	return oracleQuestion{id: id, wire: wire}
}

// oddQuestions are messages that no resolver library sends.
func oddQuestions() []oracleQuestion {
	ask := func() *dns.Msg { return new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA) }
	var all []oracleQuestion
	odd := func(id string, tcp bool, m *dns.Msg, change func([]byte) []byte) {
		q := packed("odd "+id, m)
		q.tcp, q.odd = tcp, true
		if change != nil {
			q.wire = change(q.wire)
		}
		all = append(all, q)
	}
	class := func(n string, qtype, qclass uint16) *dns.Msg {
		m := new(dns.Msg).SetQuestion(n, qtype)
		m.Question[0].Qclass = qclass
		return m
	}
	odd("version.bind", false, class("version.bind.", dns.TypeTXT, dns.ClassCHAOS), nil)
	odd("hostname.bind", false, class("hostname.bind.", dns.TypeTXT, dns.ClassCHAOS), nil)
	odd("id.server", false, class("id.server.", dns.TypeTXT, dns.ClassCHAOS), nil)
	odd("class HS", false, class("www.example.org.", dns.TypeA, dns.ClassHESIOD), nil)
	odd("class NONE", false, class("www.example.org.", dns.TypeA, dns.ClassNONE), nil)
	odd("class ANY", false, class("www.example.org.", dns.TypeA, dns.ClassANY), nil)
	odd("class 300", false, class("www.example.org.", dns.TypeA, 300), nil)
	for _, qtype := range []uint16{0, dns.TypeOPT, dns.TypeTSIG, dns.TypeTKEY, 128, 200} {
		odd(fmt.Sprintf("type %d", qtype), false, class("www.example.org.", qtype, dns.ClassINET), nil)
	}
	for opcode := 1; opcode < 16; opcode++ {
		m := ask()
		m.Opcode = opcode
		odd(fmt.Sprintf("opcode %d", opcode), false, m, nil)
	}
	odd("response", false, ask(), func(b []byte) []byte { b[2] |= 0x80; return b })
	odd("rcode set", false, ask(), func(b []byte) []byte { b[3] |= 5; return b })
	odd("no question", false, ask(), func(b []byte) []byte { b[5] = 0; return b[:12] })
	odd("two questions", false, ask(), func(b []byte) []byte { b[5] = 2; return append(b, b[12:]...) })
	odd("header alone", false, ask(), func(b []byte) []byte { return b[:12] })
	odd("eleven bytes", false, ask(), func(b []byte) []byte { return b[:11] })
	odd("cut in the name", false, ask(), func(b []byte) []byte { return b[:20] })
	odd("cut in the type", false, ask(), func(b []byte) []byte { return b[:len(b)-3] })
	odd("garbage behind", false, ask(), func(b []byte) []byte { return append(b, 1, 2, 3) })
	odd("pointer to itself", false, ask(), func(b []byte) []byte { return append(b[:12], 0xc0, 12, 0, 1, 0, 1) })
	odd("pointer forward", false, ask(), func(b []byte) []byte { return append(b[:12], 0xc0, 18, 0, 1, 0, 1, 0) })
	odd("label of 64", false, ask(), func(b []byte) []byte {
		return append(append(append(b[:12], 64), strings.Repeat("a", 64)...), 0, 0, 1, 0, 1)
	})
	odd("name of 256", false, ask(), func(b []byte) []byte {
		return append(append(b[:12], strings.Repeat("\x01a", 127)+"\x00\x00"...), 0, 1, 0, 1)
	})
	edns := func(change func(*dns.OPT)) *dns.Msg {
		m := ask().SetEdns0(1232, false)
		change(m.IsEdns0())
		return m
	}
	local := func(code uint16, data ...byte) func(*dns.OPT) {
		return func(o *dns.OPT) { o.Option = append(o.Option, &dns.EDNS0_LOCAL{Code: code, Data: data}) }
	}
	odd("edns version 1", false, edns(func(o *dns.OPT) { o.SetVersion(1) }), nil)
	odd("edns version 255", false, edns(func(o *dns.OPT) { o.SetVersion(255) }), nil)
	odd("edns flags", false, edns(func(o *dns.OPT) { o.Hdr.Ttl |= 0x40 }), nil)
	odd("edns option 100", false, edns(local(100, 1, 2, 3)), nil)
	odd("edns nsid", false, edns(local(dns.EDNS0NSID)), nil)
	odd("edns client subnet", false, edns(local(dns.EDNS0SUBNET, 0, 1, 24, 0, 192, 0, 2)), nil)
	odd("edns client subnet bad", false, edns(local(dns.EDNS0SUBNET, 0, 1, 99, 0, 192, 0, 2)), nil)
	odd("edns cookie", false, edns(local(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7, 8)), nil)
	odd("edns cookie with a bad server part", false, edns(local(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)), nil)
	odd("edns cookie of 7 bytes", false, edns(local(dns.EDNS0COOKIE, 1, 2, 3, 4, 5, 6, 7)), nil)
	odd("edns padding", false, edns(local(dns.EDNS0PADDING, make([]byte, 200)...)), nil)
	odd("edns keepalive", true, edns(local(dns.EDNS0TCPKEEPALIVE)), nil)
	odd("edns keepalive over udp", false, edns(local(dns.EDNS0TCPKEEPALIVE)), nil)
	odd("edns keepalive with a time", true, edns(local(dns.EDNS0TCPKEEPALIVE, 0, 9)), nil)
	odd("edns option cut off", false, edns(local(100, 1, 2, 3)), func(b []byte) []byte { b[len(b)-4] = 9; return b })
	odd("edns owner", false, ask(), func(b []byte) []byte {
		b[11] = 1
		return append(b, 1, 'x', 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0)
	})
	odd("edns twice", false, ask(), func(b []byte) []byte {
		bigend.BigEndian.PutUint16(b[10:], 2)
		opt := []byte{0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0}
		return append(append(b, opt...), opt...)
	})
	odd("edns missing", false, ask(), func(b []byte) []byte { b[11] = 1; return b })
	odd("record in the answer section", false, ask(), func(b []byte) []byte {
		b[7] = 1
		return append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66)
	})
	tsig := ask().SetTsig("key.example.", dns.HmacSHA256, 300, 0)
	if t := tsig.IsTsig(); t != nil {
		t.MAC, t.MACSize, t.OrigId = "00", 1, tsig.Id
	}
	odd("tsig", false, tsig, nil)
	update := new(dns.Msg).SetUpdate("lab.internal.")
	update.Insert([]dns.RR{record("new.lab.internal. 60 A 192.0.2.66")})
	odd("update of a local zone", false, update, nil)
	odd("notify of a local zone", false, new(dns.Msg).SetNotify("lab.internal."), nil)
	odd("zone transfer of a local zone", true, new(dns.Msg).SetAxfr("lab.internal."), nil)
	return all
}
