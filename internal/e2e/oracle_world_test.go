package e2e

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// worldZone is what the scripted upstream knows of example.org, as a zone file; names without records there don't exist.
const worldZone = `$ORIGIN example.org.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
@ NS ns2.example.net.
@ MX 10 mail
@ MX 20 mail.example.net.
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.example.net"
ns A 192.0.2.1
www A 192.0.2.80
www A 192.0.2.81
www AAAA 2001:db8::80
www HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.80
v4 A 192.0.2.4
v6 AAAA 2001:db8::6
mail A 192.0.2.25
alias CNAME www
chain1 CNAME chain2
chain2 CNAME chain3
chain3 CNAME chain4
chain4 CNAME www
tov4 CNAME v4
dangling CNAME missing
away CNAME www.example.net.
loop1 CNAME loop2
loop2 CNAME loop1
self CNAME self
_sip._tcp SRV 10 60 5060 sip
_sip._tcp SRV 20 0 5060 .
sip A 192.0.2.60
svcb SVCB 0 www
tlsa TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
sshfp SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
naptr NAPTR 100 10 "S" "SIP+D2U" "!^.*$!sip:info@example.org!" _sip._udp
loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
hinfo HINFO "CPU" "OS"
uri URI 10 1 "https://example.org/"
rp RP hostmaster txt
unknown TYPE65280 \# 4 0a0b0c0d
unknown TYPE731 \# 0
empty TXT ""
quoted TXT "a \"quote\" and \\ and \007" "second"
zero A 192.0.2.10
*.wild A 192.0.2.99
*.wild TXT "wild"
mixed.Case A 192.0.2.77
_under.score TXT "underscore"
a.b.c.d.e.f.g.h A 192.0.2.100
x--y A 192.0.2.101
dot\.ted TXT "a dot in a label"
bin\000\200 TXT "bytes"
d DNAME t
www.t A 192.0.2.55
`

// netZone is the world outside example.org.
const netZone = `$ORIGIN example.net.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
ns2 A 192.0.2.1
www A 192.0.2.180
mail A 192.0.2.125
`

// signedZone stands for a validated zone: its answers have AD, and signatures for who sets DO.
const signedZone = `$ORIGIN signed.example.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
@ DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
www A 192.0.2.88
www AAAA 2001:db8::88
`

// world is the whole of what the upstream says.
type world struct {
	zones map[string]map[string][]dns.RR // by origin, by lower case owner
	names map[string]bool                // that exist, empty non-terminals too
}

func newWorld() (*world, error) {
	w := &world{zones: map[string]map[string][]dns.RR{}, names: map[string]bool{}}
	for origin, text := range map[string]string{"example.org.": worldZone, "example.net.": netZone, "signed.example.": signedZone, "34.216.184.93.in-addr.arpa.": "34.216.184.93.in-addr.arpa. 3600 PTR www.example.org.\n34.216.184.93.in-addr.arpa. 3600 SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60\n"} {
		owners := map[string][]dns.RR{}
		parser := dns.NewZoneParser(strings.NewReader(text), origin, "")
		for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
			owner := strings.ToLower(rr.Header().Name)
			owners[owner] = append(owners[owner], rr)
			for ; owner != origin && owner != "."; owner = parent(owner) {
				w.names[owner] = true
			}
			w.names[origin] = true
		}
		if err := parser.Err(); err != nil {
			return nil, err
		}
		w.zones[origin] = owners
	}
	return w, nil
}

func parent(n string) string {
	at, end := dns.NextLabel(n, 0)
	if end {
		return "."
	}
	return n[at:]
}

// answer is the script.
func (w *world) answer(q *dns.Msg, tcp bool) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	if len(q.Question) != 1 {
		return m.SetRcode(q, dns.RcodeFormatError)
	}
	n, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	if rcode, ok := dns.StringToRcode[strings.ToUpper(strings.TrimSuffix(n, ".rcode.example."))]; ok {
		m.Rcode = rcode
		return m
	}
	switch n {
	case ".":
		m.Ns = []dns.RR{record(". 3600 SOA a.root-servers.net. nstld.example. 1 1800 900 604800 60")}
		return m
	case "nosoa.odd.example.":
		return m
	case "nxnosoa.odd.example.":
		return m.SetRcode(q, dns.RcodeNameError)
	case "big.odd.example.", "medium.odd.example.":
		count := map[bool]int{true: 40, false: 12}[n[0] == 'b']
		for i := range count {
			m.Answer = append(m.Answer, record(fmt.Sprintf("%s 3600 TXT %q", n, fmt.Sprintf("%02d %050d", i, i))))
		}
		return m
	case "others.odd.example.":
		// Records that nobody asked for.
		m.Answer = []dns.RR{record(n + " 3600 A 192.0.2.7"), record("victim.odd.example. 3600 A 192.0.2.66"), record(n + " 3600 TXT \"unasked\"")}
		m.Ns = []dns.RR{record("odd.example. 3600 NS ns.odd.example."), record("example.net. 3600 NS evil.odd.example.")}
		m.Extra = []dns.RR{record("ns.odd.example. 3600 A 192.0.2.1"), record("www.example.net. 3600 A 192.0.2.66")}
		return m
	case "twice.odd.example.":
		m.Answer = []dns.RR{record(n + " 3600 A 192.0.2.7"), record(n + " 3600 A 192.0.2.7"), record(n + " 60 A 192.0.2.8")}
		return m
	}
	signed := strings.HasSuffix(n, "signed.example.")
	do := q.IsEdns0() != nil && q.IsEdns0().Do()
	m.AuthenticatedData = signed && (q.AuthenticatedData || do) && !q.CheckingDisabled
	origin := w.origin(n)
	if origin == "" {
		m.Rcode = dns.RcodeNameError
		m.Ns = []dns.RR{record(". 3600 SOA a.root-servers.net. nstld.example. 1 1800 900 604800 60")}
		return m
	}
	for range 12 {
		found, exists := w.find(origin, n, qtype)
		m.Answer = append(m.Answer, found...)
		if len(found) == 0 {
			if !exists {
				m.Rcode = dns.RcodeNameError
			}
			m.Ns = w.of(origin, origin, dns.TypeSOA)
			break
		}
		cname, ok := found[len(found)-1].(*dns.CNAME)
		if !ok || qtype == dns.TypeCNAME {
			break
		}
		n = strings.ToLower(cname.Target)
		if origin = w.origin(n); origin == "" || strings.HasPrefix(n, "loop") && len(m.Answer) > 3 || n == strings.ToLower(cname.Hdr.Name) {
			break
		}
	}
	if signed && do {
		m.Answer, m.Ns = sign(m.Answer), sign(m.Ns)
	}
	return m
}

func (w *world) origin(n string) string {
	for ; n != "."; n = parent(n) {
		if w.zones[n] != nil {
			return n
		}
	}
	return ""
}

// of returns the records of a name and type.
func (w *world) of(origin, n string, qtype uint16) (found []dns.RR) {
	for _, rr := range w.zones[origin][n] {
		if rr.Header().Rrtype == qtype {
			found = append(found, dns.Copy(rr))
		}
	}
	return found
}

func (w *world) find(origin, n string, qtype uint16) (found []dns.RR, exists bool) {
	exists = w.names[n]
	owner := n
	if !exists {
		for above := parent(n); above != "." && len(above) >= len(origin); above = parent(above) {
			if dname := w.of(origin, above, dns.TypeDNAME); len(dname) > 0 {
				target := strings.TrimSuffix(n, above) + dname[0].(*dns.DNAME).Target
				return append(dname, record(n+" 3600 CNAME "+target)), true
			}
			if w.names["*."+above] {
				owner, exists = "*."+above, true
			}
			if w.names[above] {
				break
			}
		}
	}
	if qtype == dns.TypeANY {
		found = append(found, w.zones[origin][owner]...)
	} else if found = w.of(origin, owner, qtype); len(found) == 0 {
		found = w.of(origin, owner, dns.TypeCNAME)
	}
	for i := range found {
		found[i] = dns.Copy(found[i])
		found[i].Header().Name = n
	}
	return found, exists
}

// sign adds a signature, which nobody checks, to each RRset.
func sign(records []dns.RR) []dns.RR {
	out := records
	for _, rr := range records {
		h := rr.Header()
		out = append(out, record(fmt.Sprintf("%s %d RRSIG %s 13 %d %d 20371231000000 20200101000000 12345 signed.example. ZmFrZQ==",
			h.Name, h.Ttl, dns.Type(h.Rrtype), dns.CountLabel(h.Name), h.Ttl)))
		break
	}
	return out
}

// record parses one, which is written in a test.
func record(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return rr
}
