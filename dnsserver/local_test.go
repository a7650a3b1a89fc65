package dnsserver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

const (
	labSOA  = "lab.internal. 5 SOA router.lab.internal. hostmaster.router.lab.internal. 0 3600 600 86400 5"
	rootSOA = ". 5 SOA router.lab.internal. hostmaster.router.lab.internal. 0 3600 600 86400 5"
	revSOA  = "0.10.127.in-addr.arpa. 5 SOA router.lab.internal. hostmaster.router.lab.internal. 0 3600 600 86400 5"
	devSOA  = "0.11.127.in-addr.arpa. 5 SOA router.dev.internal. hostmaster.router.dev.internal. 0 3600 600 86400 5"
)

func own(origin string) string {
	return origin + " 5 SOA " + origin + " nobody.invalid. 0 3600 600 86400 5"
}

// localCases are answers that need no upstream; the server that they are asked has none.
var localCases = []struct {
	name  string
	qtype uint16
	want  string
}{
	{"gateway.lab.internal.", dns.TypeA, "NOERROR aa: gateway.lab.internal. 60 A 127.10.0.1"},
	{"router.lab.internal.", dns.TypeA, "NOERROR aa: router.lab.internal. 60 A 127.10.0.1"},
	{"router.dev.internal.", dns.TypeA, "NOERROR aa: router.dev.internal. 60 A 127.11.0.129"},
	{"1.0.10.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 1.0.10.127.in-addr.arpa. 60 PTR router.lab.internal."},
	{"builder.lab.internal.", dns.TypeA, "NOERROR aa: builder.lab.internal. 60 A 127.10.0.10"},
	{"ci.lab.internal.", dns.TypeA, "NOERROR aa: ci.lab.internal. 60 A 127.10.0.10"},
	{"BuiLDer.LAB.internal.", dns.TypeA, "NOERROR aa: BuiLDer.LAB.internal. 60 A 127.10.0.10"},
	{"10.0.10.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 10.0.10.127.in-addr.arpa. 60 PTR builder.lab.internal."},
	{"six.lab.internal.", dns.TypeAAAA, "NOERROR aa: six.lab.internal. 60 AAAA 2001:db8::6"},
	{"six.lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA},
	{"db.dev.internal.", dns.TypeA, "NOERROR aa: db.dev.internal. 60 A 127.11.0.130"},
	{"builder.lab.internal.", dns.TypeAAAA, "NOERROR aa: / " + labSOA},
	{"missing.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
	{"deep.missing.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
	{"under.builder.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
	{"lab.internal.", dns.TypeSOA, "NOERROR aa: " + labSOA},
	{"lab.internal.", dns.TypeNS, "NOERROR aa: lab.internal. 60 NS router.lab.internal."},
	{"lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA},
	{"lab.internal.", dns.TypeDS, "NOERROR aa: / " + own("internal.")}, // it would stand above the cut
	{"lab.internal.", dns.TypeMX, "NOERROR aa: lab.internal. 300 MX 10 mail.lab.internal.; lab.internal. 300 MX 20 mail.example.org."},
	{"lab.internal.", dns.TypeTXT, `NOERROR aa: lab.internal. 60 TXT "v=spf1 -all"`},
	{"lab.internal.", dns.TypeCAA, `NOERROR aa: lab.internal. 60 CAA 0 issue "ca.example.org"`},
	{"lab.internal.", dns.TypeNAPTR, `NOERROR aa: lab.internal. 60 NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp.lab.internal.`},
	{"lab.internal.", dns.TypeANY, `NOERROR aa: lab.internal. 3600 HINFO "RFC8482" ""`},
	{"missing.lab.internal.", dns.TypeANY, "NXDOMAIN aa: / " + labSOA},
	{"www.example.org.", dns.TypeANY, `NOERROR: www.example.org. 3600 HINFO "RFC8482" ""`},
	{"mail.lab.internal.", dns.TypeA, "NOERROR aa: mail.lab.internal. 60 A 127.10.0.25; mail.lab.internal. 60 A 127.10.0.26"},
	{"_http._tcp.lab.internal.", dns.TypeSRV, "NOERROR aa: _http._tcp.lab.internal. 60 SRV 0 5 80 builder.lab.internal."},
	{"_tcp.lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA}, // an empty non-terminal
	{"odd.lab.internal.", 65280, `NOERROR aa: odd.lab.internal. 60 CLASS1 TYPE65280 \# 3 010203`},
	{`dotted\.label.lab.internal.`, dns.TypeA, `NOERROR aa: dotted\.label.lab.internal. 60 A 127.10.0.98`},
	{"registry.lab.internal.", dns.TypeA, "NOERROR aa: registry.lab.internal. 60 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10"},
	{"registry.lab.internal.", dns.TypeCNAME, "NOERROR aa: registry.lab.internal. 60 CNAME builder.lab.internal."},
	{"registry.lab.internal.", dns.TypeAAAA, "NOERROR aa: registry.lab.internal. 60 CNAME builder.lab.internal. / " + labSOA},
	{"nowhere.lab.internal.", dns.TypeA, "NXDOMAIN aa: nowhere.lab.internal. 60 CNAME missing.lab.internal. / " + labSOA},
	{"loop1.lab.internal.", dns.TypeA, "SERVFAIL:"},
	{"away.lab.internal.", dns.TypeA, "SERVFAIL:"}, // no upstream

	// Wildcards, RFC 4592.
	{"a.apps.lab.internal.", dns.TypeA, "NOERROR aa: a.apps.lab.internal. 60 A 127.10.0.80"},
	{"a.b.apps.lab.internal.", dns.TypeA, "NOERROR aa: a.b.apps.lab.internal. 60 A 127.10.0.80"},
	{"a.apps.lab.internal.", dns.TypeMX, "NOERROR aa: / " + labSOA},
	{"apps.lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA},
	{"fixed.apps.lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA},
	{"below.fixed.apps.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
	{"*.apps.lab.internal.", dns.TypeA, "NOERROR aa: *.apps.lab.internal. 60 A 127.10.0.80"},

	// Leases.
	{"vm1.lab.internal.", dns.TypeA, "NOERROR aa: vm1.lab.internal. 60 A 127.10.0.101"},
	{"VM1.lab.internal.", dns.TypeA, "NOERROR aa: VM1.lab.internal. 60 A 127.10.0.101"},
	{"short.lab.internal.", dns.TypeA, "NOERROR aa: short.lab.internal. 7 A 127.10.0.102"},
	{"ending.lab.internal.", dns.TypeA, "NOERROR aa: ending.lab.internal. 1 A 127.10.0.103"},
	{"vm1.lab.internal.", dns.TypeAAAA, "NOERROR aa: / " + labSOA},
	{"x.vm1.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},
	{"101.0.10.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 101.0.10.127.in-addr.arpa. 60 PTR vm1.lab.internal."},
	{"101.0.10.127.in-addr.arpa.", dns.TypeA, "NOERROR aa: / " + revSOA},
	{"vm1.dev.internal.", dns.TypeA, "NXDOMAIN aa: / dev.internal. 5 SOA router.dev.internal. hostmaster.router.dev.internal. 0 3600 600 86400 5"},
	{"builder2.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA},

	// Reverse.
	{"200.0.10.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + revSOA},
	{"x.101.0.10.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + revSOA},
	{"0.10.127.in-addr.arpa.", dns.TypeSOA, "NOERROR aa: " + revSOA},
	{"0.10.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: / " + revSOA},
	{"007.0.10.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + revSOA},
	{"127.0.10.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 127.0.10.127.in-addr.arpa. 60 PTR special.lab.internal."},
	{"130.0.11.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 130.0.11.127.in-addr.arpa. 60 PTR db.dev.internal."},
	{"131.0.11.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + devSOA},
	{"5.0.11.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + own("127.in-addr.arpa.")}, // the other half of the /24
	{"10.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: / " + own("127.in-addr.arpa.")},

	// Single labels are completed, by the asker's own network, and answered as they were asked.
	{"builder.", dns.TypeA, "NOERROR aa: builder. 60 A 127.10.0.10"},
	{"BUILDER.", dns.TypeA, "NOERROR aa: BUILDER. 60 A 127.10.0.10"},
	{"vm1.", dns.TypeA, "NOERROR aa: vm1. 60 A 127.10.0.101"},
	{"builder.", dns.TypeAAAA, "NOERROR aa: / " + rootSOA},
	{"builder.", dns.TypeHTTPS, "NOERROR aa: / " + rootSOA},
	{"nosuch.", dns.TypeA, "NXDOMAIN aa: / " + rootSOA},
	{"db.", dns.TypeA, "NXDOMAIN aa: / " + rootSOA},
	{"registry.", dns.TypeA, "NOERROR aa: registry. 60 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10"},
	{"com.", dns.TypeDS, "SERVFAIL:"}, // the outside's

	// Records outside our zones.
	{"pinned.example.org.", dns.TypeA, "NOERROR aa: pinned.example.org. 60 A 127.10.0.99"},
	{"pinned.example.org.", dns.TypeAAAA, "NOERROR aa: / pinned.example.org. 5 SOA . hostmaster. 0 3600 600 86400 5"},
	{"below.pinned.example.org.", dns.TypeA, "SERVFAIL:"},
	{"example.org.", dns.TypeA, "SERVFAIL:"},

	// Special names.
	{"localhost.", dns.TypeA, "NOERROR aa: localhost. 86400 A 127.0.0.1"},
	{"a.b.localhost.", dns.TypeAAAA, "NOERROR aa: a.b.localhost. 86400 AAAA ::1"},
	{"localhost.", dns.TypeMX, "NOERROR aa: / " + own("localhost.")},
	{"1.0.0.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 1.0.0.127.in-addr.arpa. 86400 PTR localhost."},
	{"0.0.127.in-addr.arpa.", dns.TypePTR, "NOERROR aa: / " + own("127.in-addr.arpa.")},
	{"2.0.0.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + own("127.in-addr.arpa.")},
	{"x.invalid.", dns.TypeA, "NXDOMAIN aa: / " + own("invalid.")},
	{"facebookcorewwwi.onion.", dns.TypeA, "NXDOMAIN aa: / " + own("onion.")},
	{"printer.local.", dns.TypeA, "NXDOMAIN aa: / " + own("local.")},
	{"x.test.", dns.TypeA, "NXDOMAIN aa: / " + own("test.")},
	{"x.home.arpa.", dns.TypeA, "NXDOMAIN aa: / " + own("home.arpa.")},
	{"x.internal.", dns.TypeA, "NXDOMAIN aa: / " + own("internal.")},
	{"internal.", dns.TypeMX, "NOERROR aa: / " + own("internal.")},
	{"_dns.resolver.arpa.", dns.TypeSVCB, "NXDOMAIN aa: / " + own("resolver.arpa.")},
	{"7.1.168.192.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + own("168.192.in-addr.arpa.")},
	{"1.1.20.172.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + own("20.172.in-addr.arpa.")},
	{"1.1.32.172.in-addr.arpa.", dns.TypePTR, "SERVFAIL:"},
	{"8.8.8.8.in-addr.arpa.", dns.TypePTR, "SERVFAIL:"},
}

func testLeases() *leaseMap {
	m := &leaseMap{}
	m.set("lab", "vm1", "127.10.0.101", time.Hour)
	m.set("lab", "short", "127.10.0.102", 7*time.Second)
	m.set("lab", "ending", "127.10.0.103", time.Millisecond)
	m.set("lab", "builder", "127.10.0.110", time.Hour) // a name that the configuration gave away
	return m
}

func TestLocalAnswers(t *testing.T) {
	m := testLeases()
	s := startServer(t, labs(freePort(t)), m)
	for _, c := range localCases {
		t.Run(c.name+" "+dns.Type(c.qtype).String(), func(t *testing.T) {
			for _, network := range []string{"udp", "tcp"} {
				r := ask(t, network, s.at, c.name, c.qtype)
				if diff := cmp.Diff(c.want, brief(r)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", network, diff)
				}
				if !r.RecursionAvailable || !r.RecursionDesired || r.IsEdns0() != nil {
					t.Errorf("%s: wrong header or OPT: %v", network, r)
				}
				if r.Question[0].Name != c.name {
					t.Errorf("%s: the question came back as %q", network, r.Question[0].Name)
				}
			}
		})
	}
}

func TestViews(t *testing.T) {
	s := startServer(t, labs(freePort(t)), testLeases())
	for _, c := range []struct{ server, name, want string }{
		{s.dev, "db.", "NOERROR aa: db. 60 A 127.11.0.130"},
		{s.dev, "vm1.lab.internal.", "NOERROR aa: vm1.lab.internal. 60 A 127.10.0.101"},
		{s.dev, "gateway.", "NOERROR aa: gateway. 60 A 127.11.0.129"},
		{s.at, "gateway.", "NOERROR aa: gateway. 60 A 127.10.0.1"},
	} {
		if got := brief(ask(t, "udp", c.server, c.name, dns.TypeA)); got != c.want {
			t.Errorf("%s asked %s: got %s, want %s", c.server, c.name, got, c.want)
		}
	}
}

func TestLeaseShowsInTheNextAnswer(t *testing.T) {
	leases := &leaseMap{}
	s := startServer(t, labs(freePort(t)), leases)
	for _, step := range []struct{ addr, want string }{
		{"", "NXDOMAIN aa: / " + labSOA},
		{"127.10.0.7", "NOERROR aa: new.lab.internal. 60 A 127.10.0.7"},
		{"127.10.0.8", "NOERROR aa: new.lab.internal. 60 A 127.10.0.8"},
		{"", "NXDOMAIN aa: / " + labSOA},
	} {
		leases.set("lab", "new", step.addr, time.Hour)
		if got := brief(ask(t, "udp", s.at, "new.lab.internal.", dns.TypeA)); got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
}

func TestReverseOrigins(t *testing.T) {
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"10.0.0.0/24", []string{"0.0.10.in-addr.arpa."}},
		{"10.0.0.128/25", []string{"0.0.10.in-addr.arpa."}},
		{"10.0.0.7/32", []string{"0.0.10.in-addr.arpa."}},
		{"10.0.6.0/23", []string{"6.0.10.in-addr.arpa.", "7.0.10.in-addr.arpa."}},
		{"10.0.4.9/22", []string{"4.0.10.in-addr.arpa.", "5.0.10.in-addr.arpa.", "6.0.10.in-addr.arpa.", "7.0.10.in-addr.arpa."}},
		{"10.1.0.0/16", []string{"1.10.in-addr.arpa."}},
		{"10.2.0.0/15", []string{"2.10.in-addr.arpa.", "3.10.in-addr.arpa."}},
		{"255.255.254.0/23", []string{"254.255.255.in-addr.arpa.", "255.255.255.in-addr.arpa."}},
		{"fd00::/8", []string{"d.f.ip6.arpa."}},
		{"fe80::/10", []string{"8.e.f.ip6.arpa.", "9.e.f.ip6.arpa.", "a.e.f.ip6.arpa.", "b.e.f.ip6.arpa."}},
	} {
		var got []string
		for _, p := range reverseOrigins(netip.MustParsePrefix(c.prefix)) {
			got = append(got, reverseOrigin(p).String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.prefix, diff)
		}
	}
}

func TestReverseNames(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "255.255.255.255", "2001:db8::1f", "::"} {
		addr := netip.MustParseAddr(s)
		want, err := dns.ReverseAddr(s)
		if err != nil {
			t.Fatal(err)
		}
		n := reverseName(addr)
		if n.String() != want {
			t.Errorf("reverseName(%s) = %s, want %s", s, n, want)
		}
		if p, full := reversePrefix(n); !full || !p.IsSingleIP() || p.Addr() != addr {
			t.Errorf("reversePrefix(%s) = %v, %v", n, p, full)
		}
	}
}
