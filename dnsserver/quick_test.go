package dnsserver

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// read is what is left of an answer when it is passed on.
type read struct {
	Reply        string
	TTL          string
	Negative, AD bool
	Onward       name
	Why          reason
}

func readBack(t *testing.T, a *asked, p *packed, ttl string) read {
	t.Helper()
	question := []byte(strings.ToUpper(string(a.name)))
	question = append(question, byte(a.qtype>>8), byte(a.qtype), 0, dns.ClassINET)
	q := query{edns: true, ad: true, name: a.name, qtype: a.qtype, question: question}
	wire, cut := q.appendReply(nil, p, p.made, maxTCP)
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil || cut {
		t.Fatalf("the answer can't be read: %v, cut %v", err, cut)
	}
	// Once more after ten seconds, and as records: the TTLs and the counts are where they should be.
	aged := *p
	aged.made = 1
	answer, authority, err := aged.records(moment(11e9))
	if err != nil {
		t.Fatal(err)
	}
	text := brief(m) + " | "
	for _, rr := range append(answer, authority...) {
		text += rr.String() + "; "
	}
	// The case of what points to the question is the client's; of what is written out, it is ours.
	return read{strings.ToLower(text), ttl, p.negative, p.ad, p.onward, p.why}
}

// compareQuick holds that quick, if it makes anything of an answer, makes what the other way makes of it.
func compareQuick(t *testing.T, a *asked, raw []byte, stay func(name) bool) bool {
	t.Helper()
	p, ttl, ok := quick(a, raw, stay)
	if !ok {
		return false
	}
	m, err := parseAnswer(raw)
	if err != nil {
		t.Fatalf("quick took %x, which is refused: %v", raw, err)
	}
	if !decides(m) {
		t.Fatalf("quick took %x, which another server may better", raw)
	}
	want, wantTTL := distill(a, m, stay)
	if diff := cmp.Diff(readBack(t, a, want, wantTTL.String()), readBack(t, a, p, ttl.String())); diff != "" {
		t.Fatalf("%x: the quick way (+) differs:\n%s", raw, diff)
	}
	return true
}

func TestQuickIsTheSame(t *testing.T) {
	const soa = "!example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"
	for _, c := range []struct {
		name  string
		qtype uint16
		rcode int
		lines []string
		quick bool
		more  func(*dns.Msg)
	}{
		{"address", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1"}, true, nil},
		{"addresses", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1", "www.example.org. 200 A 192.0.2.2"}, true, nil},
		{"IPv6", dns.TypeAAAA, 0, []string{"www.example.org. 300 AAAA 2001:db8::1"}, true, nil},
		{"validated", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1"}, true, func(m *dns.Msg) { m.AuthenticatedData = true }},
		{"without EDNS", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1"}, true, func(m *dns.Msg) { m.Extra = nil }},
		{"uncompressed", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1"}, true, func(m *dns.Msg) { m.Compress = false }},
		{"chain", dns.TypeA, 0, []string{"www.example.org. 300 CNAME a.example.org.", "a.example.org. 20 CNAME b.example.net.", "b.example.net. 30 A 192.0.2.1", "b.example.net. 30 A 192.0.2.2"}, true, nil},
		{"long TTL", dns.TypeA, 0, []string{"www.example.org. 2000000000 A 192.0.2.1"}, true, nil},
		{"negative TTL", dns.TypeA, 0, []string{"www.example.org. 2147483648 A 192.0.2.1"}, true, nil},
		{"no TTL", dns.TypeA, 0, []string{"www.example.org. 0 A 192.0.2.1"}, true, nil},
		{"no such name", dns.TypeA, dns.RcodeNameError, []string{soa}, true, nil},
		{"no such type", dns.TypeMX, 0, []string{soa}, true, nil},
		{"SOA of the root", dns.TypeA, dns.RcodeNameError, []string{"!. 86400 SOA a.root-servers.net. nstld.verisign-grs.com. 2026 1800 900 604800 86400"}, true, nil},
		{"long minimum", dns.TypeA, dns.RcodeNameError, []string{"!example.org. 90000 SOA ns.example.org. host.example.org. 1 3600 600 86400 90000"}, true, nil},
		{"twice the same", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1", "www.example.org. 300 A 192.0.2.1"}, false, nil},
		{"an unrelated record", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1", "evil.example.org. 300 A 192.0.2.6"}, false, nil},
		{"a chain out of order", dns.TypeA, 0, []string{"a.example.org. 30 A 192.0.2.1", "www.example.org. 300 CNAME a.example.org."}, false, nil},
		{"a loop", dns.TypeA, 0, []string{"www.example.org. 300 CNAME a.example.org.", "a.example.org. 300 CNAME www.example.org.", "www.example.org. 1 A 192.0.2.1"}, false, nil},
		{"a chain to nowhere", dns.TypeA, 0, []string{"www.example.org. 300 CNAME a.example.org."}, false, nil},
		{"a chain that leaves", dns.TypeA, 0, []string{"www.example.org. 300 CNAME vm.lab.internal.", "vm.lab.internal. 300 A 192.0.2.1"}, false, nil},
		{"authority", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1", "!example.org. 300 NS ns.example.org."}, false, nil},
		{"additional", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1", "+ns.example.org. 300 A 192.0.2.53"}, false, nil},
		{"capitals", dns.TypeA, 0, []string{"www.example.org. 300 CNAME A.example.org.", "A.example.org. 300 A 192.0.2.1"}, false, nil},
		{"SOA of another zone", dns.TypeA, dns.RcodeNameError, []string{"!example.net. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"}, false, nil},
		{"two SOAs", dns.TypeA, dns.RcodeNameError, []string{soa, soa}, false, nil},
		{"no SOA", dns.TypeA, dns.RcodeNameError, nil, false, nil},
		{"a referral", dns.TypeA, 0, []string{soa}, false, func(m *dns.Msg) { m.RecursionAvailable = false }},
		{"another type", dns.TypeTXT, 0, []string{`www.example.org. 300 TXT "x"`}, false, nil},
		{"failure", dns.TypeA, dns.RcodeServerFailure, nil, false, nil},
		{"explained", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1"}, false, func(m *dns.Msg) {
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 4}}
		}},
		{"extended RCODE", dns.TypeA, 0, []string{"www.example.org. 300 A 192.0.2.1"}, false, func(m *dns.Msg) { m.Rcode = dns.RcodeBadVers }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := testQuestion(t, "www")
			a.qtype = c.qtype
			x := exchange{query: new(dns.Msg).SetQuestion("www.example.org.", c.qtype)}
			m := x.reply(c.rcode, c.lines...)
			m.SetEdns0(1232, false)
			if c.more != nil {
				c.more(m)
			}
			raw := packMsg(m)
			if got := compareQuick(t, a, raw, func(n name) bool { return !strings.HasSuffix(n.String(), ".internal.") }); got != c.quick {
				t.Errorf("read the quick way: %v, want %v", got, c.quick)
			}
			// Cut off anywhere, it is never taken for whole.
			for end := a.questionEnd(); end < len(raw); end++ {
				if _, _, ok := quick(a, raw[:end:end], func(name) bool { return true }); ok {
					t.Errorf("%d of %d bytes were taken for an answer", end, len(raw))
				}
			}
		})
	}
}

// FuzzQuick holds the quick way and the other equal, whatever an upstream sends.
func FuzzQuick(f *testing.F) {
	for _, lines := range [][]string{
		{"www.example.org. 300 A 192.0.2.1"},
		{"www.example.org. 300 CNAME a.example.org.", "a.example.org. 300 CNAME b.example.org.", "b.example.org. 1 A 192.0.2.1", "b.example.org. 1 A 192.0.2.2"},
		{"!example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"},
	} {
		x := exchange{query: new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)}
		m := x.reply(dns.RcodeSuccess, lines...)
		m.SetEdns0(1232, false)
		f.Add(packMsg(m), dns.TypeA)
		m.Rcode = dns.RcodeNameError
		f.Add(packMsg(m), dns.TypeAAAA)
	}
	f.Fuzz(func(t *testing.T, raw []byte, qtype uint16) {
		a := testQuestion(t, "www")
		a.qtype = qtype
		question := append([]byte(a.name), byte(qtype>>8), byte(qtype), 0, dns.ClassINET)
		if len(raw) < a.questionEnd() || raw[4] != 0 || raw[5] != 1 {
			return // what check never lets through
		}
		raw[2] = raw[2]&^0x02 | 0x80
		copy(raw[headerSize:], question)
		compareQuick(t, a, raw, func(n name) bool { return len(n)%7 != 0 })
	})
}
