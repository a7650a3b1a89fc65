package dnsserver

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

const (
	subSOA = "sub.lab.internal. 5 SOA router.sub.lab.internal. hostmaster.router.sub.lab.internal. 0 3600 600 86400 5"
	farSOA = "far.deep.lab.internal. 5 SOA router.far.deep.lab.internal. hostmaster.router.far.deep.lab.internal. 0 3600 600 86400 5"
)

// longDomain leaves room for one label of 61 bytes in a name of 255.
var longDomain = strings.Repeat(strings.Repeat("d", 63)+".", 2) + strings.Repeat("e", 50) + ".lab.internal"

// zonesServer has zones below zones, and names at every limit.
func zonesServer(t *testing.T) func(network, name string, qtype uint16) string {
	t.Helper()
	cfg := labs(freePort(t))
	cfg.Networks = append(cfg.Networks, nested()...)
	cfg.Networks = append(cfg.Networks, Network{Name: "long", Domain: longDomain, Address: netip.MustParsePrefix("127.14.0.1/24")})
	cfg.Networks[0].Records = append(cfg.Networks[0].Records,
		Record{Name: "*.alias", Type: "CNAME", Values: []string{"builder"}},
		Record{Name: "*.circle", Type: "CNAME", Values: []string{"x.circle"}},
		Record{Name: "*.twice", Type: "CNAME", Values: []string{"one.apps"}},
		Record{Name: "*.mixed", Type: "TXT", Values: []string{"star"}},
		Record{Name: "*.mixed", Type: "MX", Values: []string{"1 mail"}},
		Record{Name: "a.b.mixed", Type: "TXT", Values: []string{"deep"}},
		Record{Name: "*.*.stars", Type: "TXT", Values: []string{"two"}},
		Record{Name: `\000\255.bin`, Type: "TXT", Values: []string{"binary"}},
		Record{Name: `\*.quoted`, Type: "TXT", Values: []string{"star"}},
		Record{Name: `with\032space`, Type: "TXT", Values: []string{`"a b" ""`}},
		Record{Name: strings.Repeat("x", 63), Type: "A", Values: []string{"127.10.0.63"}},
		Record{Name: "rfc3597", Type: "A", Values: []string{`\# 4 7f0a0003`}},
		Record{Name: "rfc3597", Type: "TYPE64999", Values: []string{`\# 0`, `\# 2 abcd`}},
	)
	cfg.Networks[len(cfg.Networks)-1].Hosts = []Host{{Name: strings.Repeat("h", 61), Addr: netip.MustParseAddr("127.14.0.9")}}
	s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return func(network, name string, qtype uint16) string {
		t.Helper()
		at := map[string]string{"lab": "127.10.0.1", "sub": "127.12.0.1", "long": "127.14.0.1"}[network]
		c := client{addr: netip.MustParseAddrPort("127.0.0.1:4000"), at: netip.AddrPortFrom(netip.MustParseAddr(at), cfg.Port), back: silent{}}
		packet := packMsg(new(dns.Msg).SetQuestion(name, qtype).SetEdns0(4096, false))
		bothPaths(t, s, packet, c)
		reply, pending := s.serve(packet, c, nil)
		if pending {
			return "pending"
		}
		var m dns.Msg
		if err := m.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		if len(m.Question) != 1 || m.Question[0].Name != strings.Replace(name, `\*`, "*", 1) {
			t.Errorf("%s comes back as %s", name, m.Question[0].Name)
		}
		return brief(&m)
	}
}

func TestZones(t *testing.T) {
	ask := zonesServer(t)
	longest := strings.Repeat("h", 61) + "." + longDomain + "."
	longSOA := longDomain + ". 5 SOA router." + longDomain + ". hostmaster.router." + longDomain + ". 0 3600 600 86400 5"
	for _, c := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		// Cuts between local zones; the DS is above them, RFC 4035 section 3.1.4.1.
		{"sub.lab.internal.", dns.TypeA, "NOERROR aa: / " + subSOA},
		{"sub.lab.internal.", dns.TypeDS, "NOERROR aa: / " + labSOA},
		{"x.sub.lab.internal.", dns.TypeA, "NOERROR aa: x.sub.lab.internal. 60 A 127.12.0.7"},
		{"x.sub.lab.internal.", dns.TypeDS, "NOERROR aa: / " + subSOA},
		{"y.sub.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + subSOA},
		{"deep.lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA}, // there is a zone below
		{"x.deep.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
		{"x.far.deep.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + farSOA},
		{"far.deep.lab.internal.", dns.TypeDS, "NOERROR aa: / " + labSOA},
		{"lab.internal.", dns.TypeDS, "NOERROR aa: / " + own("internal.")},
		{"0.10.127.in-addr.arpa.", dns.TypeDS, "NOERROR aa: / " + own("127.in-addr.arpa.")},
		{"sub.", dns.TypeA, "NOERROR aa: / " + rootSOA},
		{"deep.", dns.TypeA, "NOERROR aa: / " + rootSOA},

		// Wildcards, RFC 4592.
		{"x.alias.lab.internal.", dns.TypeA, "NOERROR aa: x.alias.lab.internal. 60 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10"},
		{"X.Alias.lab.internal.", dns.TypeCNAME, "NOERROR aa: X.Alias.lab.internal. 60 CNAME builder.lab.internal."},
		{"x.y.alias.lab.internal.", dns.TypeMX, "NOERROR aa: x.y.alias.lab.internal. 60 CNAME builder.lab.internal. / " + labSOA},
		{"x.twice.lab.internal.", dns.TypeA, "NOERROR aa: x.twice.lab.internal. 60 CNAME one.apps.lab.internal.; one.apps.lab.internal. 60 A 127.10.0.80"},
		{"x.circle.lab.internal.", dns.TypeA, "SERVFAIL:"},
		{"x.circle.lab.internal.", dns.TypeANY, `NOERROR aa: x.circle.lab.internal. 3600 HINFO "RFC8482" ""`},
		{"x.mixed.lab.internal.", dns.TypeTXT, `NOERROR aa: x.mixed.lab.internal. 60 TXT "star"`},
		{"x.mixed.lab.internal.", dns.TypeMX, "NOERROR aa: x.mixed.lab.internal. 60 MX 1 mail.lab.internal."},
		{"b.mixed.lab.internal.", dns.TypeTXT, "NOERROR aa: / " + labSOA}, // an empty non-terminal stands in the way
		{"x.b.mixed.lab.internal.", dns.TypeTXT, "NXDOMAIN aa: / " + labSOA},
		{"a.b.mixed.lab.internal.", dns.TypeTXT, `NOERROR aa: a.b.mixed.lab.internal. 60 TXT "deep"`},
		{"a.b.mixed.lab.internal.", dns.TypeMX, "NOERROR aa: / " + labSOA},
		{"mixed.lab.internal.", dns.TypeTXT, "NOERROR aa: / " + labSOA},
		{"*.mixed.lab.internal.", dns.TypeMX, "NOERROR aa: *.mixed.lab.internal. 60 MX 1 mail.lab.internal."},
		{"x.*.mixed.lab.internal.", dns.TypeTXT, "NXDOMAIN aa: / " + labSOA},
		{"x.*.stars.lab.internal.", dns.TypeTXT, `NOERROR aa: x.*.stars.lab.internal. 60 TXT "two"`},
		{"x.y.stars.lab.internal.", dns.TypeTXT, "NOERROR aa: / " + labSOA}, // *.stars is an empty non-terminal, and a wildcard
		{`\*.quoted.lab.internal.`, dns.TypeTXT, `NOERROR aa: *.quoted.lab.internal. 60 TXT "star"`},

		// Labels of any bytes, and of any length.
		{`\000\255.bin.lab.internal.`, dns.TypeTXT, `NOERROR aa: \000\255.bin.lab.internal. 60 TXT "binary"`},
		{`\000.bin.lab.internal.`, dns.TypeTXT, "NXDOMAIN aa: / " + labSOA},
		{`with\ space.lab.internal.`, dns.TypeTXT, `NOERROR aa: with\ space.lab.internal. 60 TXT "a b" ""`},
		{`dotted\.label.lab.internal.`, dns.TypeAAAA, "NOERROR aa: / " + labSOA},
		{"dotted.label.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
		{strings.Repeat("X", 63) + ".lab.internal.", dns.TypeA, "NOERROR aa: " + strings.Repeat("X", 63) + ".lab.internal. 60 A 127.10.0.63"},
		{strings.Repeat("a.", 120) + "lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
		{longest, dns.TypeA, "NOERROR aa: " + longest + " 60 A 127.14.0.9"},
		{longest, dns.TypeMX, "NOERROR aa: / " + longSOA},
		{strings.Repeat("i", 61) + "." + longDomain + ".", dns.TypeA, "NXDOMAIN aa: / " + longSOA},
		{"x." + longDomain + ".", dns.TypeA, "NXDOMAIN aa: / " + longSOA},

		// Types of any number, RFC 3597.
		{"rfc3597.lab.internal.", dns.TypeA, "NOERROR aa: rfc3597.lab.internal. 60 A 127.10.0.3"},
		{"rfc3597.lab.internal.", 64999, `NOERROR aa: rfc3597.lab.internal. 60 CLASS1 TYPE64999 \# 0; rfc3597.lab.internal. 60 CLASS1 TYPE64999 \# 2 abcd`},
		{"rfc3597.lab.internal.", 64998, "NOERROR aa: / " + labSOA},
		{"rfc3597.lab.internal.", 200, "NOERROR aa: / " + labSOA},
		{"lab.internal.", dns.TypeDNSKEY, "NOERROR aa: / " + labSOA},
		{"lab.internal.", dns.TypeRRSIG, "NOERROR aa: / " + labSOA},
		{"lab.internal.", dns.TypeAXFR, "REFUSED:"},
		{"lab.internal.", dns.TypeMAILB, "NOTIMP:"},
	} {
		if got := ask("lab", c.name, c.qtype); got != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.name, dns.Type(c.qtype), got, c.want)
		}
	}
	// A label that has no room before the network's domain is nobody's, and none of the outside's business.
	tooLong := strings.Repeat("z", 63) + "."
	if got, want := ask("long", tooLong, dns.TypeA), "NXDOMAIN aa: / "+strings.Replace(longSOA, longDomain+". 5", ". 5", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := ask("sub", "x.", dns.TypeA), "NOERROR aa: x. 60 A 127.12.0.7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The proof that a zone of ours isn't signed begins above it: there the outside answers, RFC 4035 section 3.1.4.1.
func TestTheDSOfALocalZoneIsTheOutsides(t *testing.T) {
	up := startUpstream(t, func(x exchange) {
		x.answer(dns.RcodeNameError, "!example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60")
	})
	cfg := withUpstreams(t, up.addr)
	cfg.Networks[0].Domain = "lab.site.example.org"
	s := startServer(t, cfg, testLeases())
	const soa = "example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"
	for range 2 { // from the upstream, then from the cache
		for _, c := range []struct {
			name  string
			qtype uint16
			want  string
		}{
			// The upstream says NXDOMAIN to them all; what is above a zone of ours exists.
			{"lab.site.example.org.", dns.TypeDS, "NOERROR: / " + soa},
			{"site.example.org.", dns.TypeA, "NOERROR: / " + soa},
			{"other.example.org.", dns.TypeA, "NXDOMAIN: / " + soa},
			{"lab.site.example.org.", dns.TypeA, "NOERROR aa: / lab.site.example.org. 5 SOA router.lab.site.example.org. hostmaster.router.lab.site.example.org. 0 3600 600 86400 5"},
		} {
			if got := brief(ask(t, "udp", s.at, c.name, c.qtype)); got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.name, dns.Type(c.qtype), got, c.want)
			}
		}
	}
	if up.queries.Load() != 3 {
		t.Errorf("%d questions to the outside", up.queries.Load())
	}
}
