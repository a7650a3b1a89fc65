package dnsserver

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// bothPaths gives one message to serve and to fast and holds their answers equal. It tells whether fast took it.
func bothPaths(t testing.TB, s *Server, packet []byte, c client) bool {
	t.Helper()
	h := hot{server: s}
	if !h.begin(c.at) {
		t.Fatal("nobody may ask")
	}
	var g glimpse
	h.look(&g, packet, c.addr.Addr())
	quick, ok := h.fast(&g, c.tcp, nil)
	if !ok {
		if len(quick) > 0 {
			t.Fatalf("%x: declined, and %d bytes written", packet, len(quick))
		}
		return false
	}
	first, second := new(ledger), new(ledger)
	h.tally.flush(&s.stats, first)
	c.ledger = second
	slow, pending := s.serve(packet, c, nil)
	if pending {
		// Unless it has just expired.
		h.begin(c.at)
		h.look(&g, packet, c.addr.Addr())
		if _, ok := h.fast(&g, c.tcp, nil); ok {
			t.Fatalf("%x: answered at once, and would wait for an upstream", packet)
		}
		return false
	}
	if diff := cmp.Diff(countedBy(second), countedBy(first)); diff != "" {
		t.Fatalf("%x: counted by serve (-), by fast (+):\n%s", packet, diff)
	}
	one, other := unpacked(t, quick), unpacked(t, slow)
	alignTTLs(one, other)
	if diff := cmp.Diff(readable(slow, other), readable(quick, one)); diff != "" {
		t.Fatalf("%x: serve's answer (-), fast's (+):\n%s", packet, diff)
	}
	return true
}

func unpacked(t testing.TB, reply []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("%x: %v", reply, err)
	}
	return m
}

// alignTTLs takes away what seconds between two answers make of their TTLs.
func alignTTLs(first, second *dns.Msg) {
	before, after := slices.Concat(first.Answer, first.Ns), slices.Concat(second.Answer, second.Ns)
	for i := range min(len(before), len(after)) {
		b, a := before[i].Header(), after[i].Header()
		if a.Ttl < b.Ttl && b.Ttl-a.Ttl < 10 {
			a.Ttl = b.Ttl
		}
	}
}

func readable(reply []byte, m *dns.Msg) string {
	// A cookie has its time in it.
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if o, ok := o.(*dns.EDNS0_COOKIE); ok {
				o.Cookie = o.Cookie[:24]
			}
		}
	}
	return fmt.Sprintf("%x\n%s", reply[:headerSize], m)
}

// pathsServer is a server with local names of every kind and a cache that holds answers of every kind. It isn't run.
func pathsServer(t testing.TB) (*Server, client) {
	t.Helper()
	cfg := labs(freePort(t))
	cfg.Upstreams = []UpstreamGroup{
		{Name: "default", Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}},
		{Name: "corp", Domains: []string{"corp.example"}, Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.54:53")}},
	}
	cfg.Block.Files = []string{listFile(t, "ads.example.org\n0.0.0.0 exact.example.net\n@@||fine.ads.example.org^\nwww.dev.internal\npinned.example.org\nx.localhost\nlab.internal\nblocked.test\n*.zip\n")}
	cfg.Networks = append(cfg.Networks, nested()...)
	leases := &leaseMap{}
	leases.set("lab", "vm1", "127.10.0.100", 30*time.Second)
	leases.set("lab", "vm2", "127.10.0.101", time.Hour)
	leases.set("lab", "fixed", "127.10.0.102", time.Hour)
	leases.set("dev", "vm3", "127.11.0.140", time.Hour)
	s, err := Listen(cfg, leases, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	snap := s.snap.Load()
	now := s.cache.moment(time.Now())
	keep := func(n string, qtype uint16, rcode int, records, authority []string, change func(*packed)) {
		parsed, err := parseName(n)
		if err != nil {
			t.Fatal(err)
		}
		var sections [2][]dns.RR
		for i, lines := range [][]string{records, authority} {
			for _, line := range lines {
				rr, err := dns.NewRR(line)
				if err != nil {
					t.Fatal(err)
				}
				sections[i] = append(sections[i], rr)
			}
		}
		for flags := range questionFlags(4) {
			a := asked{group: snap.route(parsed), name: parsed, qtype: qtype, do: flags&flagDO != 0, cd: flags&flagCD != 0}
			p, err := pack(parsed, qtype, rcode, sections[0], sections[1])
			if err != nil {
				t.Fatal(err)
			}
			p.made, p.negative = now, len(records) == 0
			if change != nil {
				change(p)
			}
			s.cache.put(&a, p, time.Hour, now)
		}
	}
	soa := []string{"example.org. 300 SOA ns.example.org. root.example.org. 1 2 3 4 5"}
	keep("www.example.org", dns.TypeA, dns.RcodeSuccess, []string{"www.example.org. 3600 A 192.0.2.1", "www.example.org. 3600 A 192.0.2.2"}, nil, func(p *packed) { p.ad = true })
	keep("www.example.org", dns.TypeAAAA, dns.RcodeSuccess, nil, soa, nil)
	keep("none.example.org", dns.TypeA, dns.RcodeNameError, nil, soa, nil)
	keep("alias.example.org", dns.TypeA, dns.RcodeSuccess, []string{"alias.example.org. 60 CNAME www.corp.example."}, nil, func(p *packed) { p.onward = "\x03www\x04corp\x07example\x00" })
	keep("www.corp.example", dns.TypeA, dns.RcodeSuccess, []string{"www.corp.example. 60 A 192.0.2.9"}, nil, nil)
	var long []string
	for i := range 60 {
		long = append(long, fmt.Sprintf(`long.example.org. 60 TXT "%050d"`, i))
	}
	keep("long.example.org", dns.TypeTXT, dns.RcodeSuccess, long, nil, nil)
	keep("mid.example.org", dns.TypeTXT, dns.RcodeSuccess, long[:12], nil, nil)
	keep("cloaked.example.org", dns.TypeA, dns.RcodeSuccess, []string{"cloaked.example.org. 60 CNAME x.ads.example.org.", "x.ads.example.org. 60 A 192.0.2.66"}, nil, nil)
	keep("inside.example.org", dns.TypeA, dns.RcodeSuccess, []string{"inside.example.org. 60 A 127.0.0.1"}, nil, nil)
	keep("partly.example.org", dns.TypeA, dns.RcodeSuccess, []string{"partly.example.org. 60 A 127.0.0.1", "partly.example.org. 60 A 192.0.2.3"}, nil, nil)
	broken, _ := parseName("broken.example.org")
	s.cache.put(&asked{group: snap.fallback, name: broken, qtype: dns.TypeA}, failure(broken, dns.TypeA, dns.RcodeServerFailure, upstreamFailure, explain(dns.ExtendedErrorCodeNetworkError, "no")), time.Hour, now)
	return s, client{addr: netip.MustParseAddrPort("127.10.0.9:4000"), at: netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port), back: silent{}}
}

type silent struct{}

func (silent) answer([]byte, netip.AddrPort) {}

var pathNames = []string{
	"www.example.org.", "WwW.eXample.ORG.", "none.example.org.", "alias.example.org.", "www.corp.example.", "long.example.org.", "mid.example.org.",
	"broken.example.org.", "vm1.lab.internal.", "VM2.lab.internal.", "fixed.lab.internal.", "vm3.dev.internal.", "builder.lab.internal.", "ci.lab.internal.",
	"gateway.lab.internal.", "router.lab.internal.", "hostmaster.lab.internal.", "lab.internal.", "registry.lab.internal.", "away.lab.internal.",
	"six.lab.internal.", "missing.lab.internal.", "deep.missing.lab.internal.", "apps.lab.internal.", "any.apps.lab.internal.", "mail.lab.internal.",
	"ads.example.org.", "X.Ads.Example.ORG.", "fine.ads.example.org.", "exact.example.net.", "www.exact.example.net.", "www.dev.internal.", "blocked.test.",
	"a.zip.", "zip.", "cloaked.example.org.", "inside.example.org.", "partly.example.org.",
	"vm1.", "www.", ".", "100.0.10.127.in-addr.arpa.", "101.0.10.127.in-addr.arpa.", "10.0.10.127.in-addr.arpa.", "1.0.10.127.in-addr.arpa.",
	"77.0.10.127.in-addr.arpa.", "0.10.127.in-addr.arpa.", "140.0.11.127.in-addr.arpa.", "pinned.example.org.", "localhost.", "x.localhost.", "1.0.0.127.in-addr.arpa.",
	"sub.lab.internal.", "x.sub.lab.internal.", "deep.lab.internal.", "far.deep.lab.internal.", "x.deep.lab.internal.", "sub.", "deep.",
}

var pathTypes = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypePTR, dns.TypeTXT, dns.TypeMX, dns.TypeCNAME, dns.TypeSOA, dns.TypeNS, dns.TypeDS, dns.TypeANY, dns.TypeAXFR, dns.TypeOPT, 0, 65280}

// TestBothPathsAnswerAlike asks every kind of name for every type, plain and with each flag and option.
func TestBothPathsAnswerAlike(t *testing.T) {
	s, c := pathsServer(t)
	taken, questions := 0, 0
	for _, n := range pathNames {
		for _, qtype := range pathTypes {
			for _, change := range []func(*dns.Msg){
				func(*dns.Msg) {},
				func(m *dns.Msg) { m.RecursionDesired = false },
				func(m *dns.Msg) { m.AuthenticatedData, m.CheckingDisabled = true, true },
				edns(0, false), edns(4096, true), edns(600, false),
				func(m *dns.Msg) { m.SetEdns0(1232, true); m.CheckingDisabled, m.Zero = true, true },
				optionsOf(t, "10 0102030405060708"), optionsOf(t, "10 0102030405060708"+strings.Repeat("ab", 16)),
				optionsOf(t, "10 01"), optionsOf(t, "3 "), optionsOf(t, "11 "), optionsOf(t, "10 0102030405060708", "3 "),
			} {
				m := new(dns.Msg).SetQuestion(n, qtype)
				change(m)
				for _, c.tcp = range []bool{false, true} {
					packet := packMsg(m)
					for range 2 { // serve learns the way on the first
						questions++
						if bothPaths(t, s, packet, c) {
							taken++
						} else {
							s.serve(packet, c, nil)
						}
					}
				}
			}
		}
	}
	if taken < questions/8 {
		t.Errorf("fast took %d of %d questions", taken, questions)
	}
}

// FuzzBothPaths changes bytes of messages at random.
func FuzzBothPaths(f *testing.F) {
	s, c := pathsServer(f)
	for i, n := range pathNames {
		m := new(dns.Msg).SetQuestion(n, pathTypes[i%4])
		if i%2 == 0 {
			m.SetEdns0(1232, i%4 == 0)
		}
		f.Add(packMsg(m), false)
		optionsOf(f, "10 0102030405060708"+strings.Repeat("ab", i%2*16))(m)
		f.Add(packMsg(m), true)
	}
	f.Fuzz(func(t *testing.T, packet []byte, tcp bool) {
		c := c
		c.tcp = tcp
		for range 2 {
			if !bothPaths(t, s, packet, c) {
				s.serve(packet, c, nil)
			}
		}
	})
}

// TestMessagesChangedAtRandom is a minute's worth of the fuzzer in a moment, in every run.
func TestMessagesChangedAtRandom(t *testing.T) {
	s, c := pathsServer(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		m := new(dns.Msg).SetQuestion(pathNames[r.IntN(len(pathNames))], pathTypes[r.IntN(len(pathTypes))])
		if r.IntN(2) == 0 {
			m.SetEdns0(uint16(r.UintN(5000)), r.IntN(2) == 0)
			if r.IntN(2) == 0 {
				m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: make([]byte, 8+r.IntN(2)*16)})
			}
		}
		packet := packMsg(m)
		for range r.IntN(3) {
			switch r.IntN(3) {
			case 0:
				packet[r.IntN(len(packet))] = byte(r.UintN(256))
			case 1:
				packet = packet[:r.IntN(len(packet)+1)]
			case 2:
				packet = binary.BigEndian.AppendUint16(packet, uint16(r.UintN(65536)))
			}
			if len(packet) == 0 {
				break
			}
		}
		if !bothPaths(t, s, packet, c) {
			s.serve(packet, c, nil)
			bothPaths(t, s, packet, c)
		}
	}
}

// TestFastAllocatesNothing holds the reason for its being.
func TestFastAllocatesNothing(t *testing.T) {
	s, c := pathsServer(t)
	h := hot{server: s}
	var g glimpse
	out := make([]byte, 0, replyRoom)
	for _, q := range []struct {
		name  string
		qtype uint16
	}{
		{"www.example.org.", dns.TypeA},
		{"www.example.org.", dns.TypeAAAA},
		{"builder.lab.internal.", dns.TypeA},
		{"vm1.lab.internal.", dns.TypeA},
		{"vm1.lab.internal.", dns.TypeAAAA},
		{"x.ads.example.org.", dns.TypeA},
		{"cloaked.example.org.", dns.TypeA},
		{"partly.example.org.", dns.TypeA},
		{"missing.lab.internal.", dns.TypeA},
		{"10.0.10.127.in-addr.arpa.", dns.TypePTR},
	} {
		for _, options := range [][]string{nil, {"10 0102030405060708"}} {
			m := new(dns.Msg).SetQuestion(q.name, q.qtype)
			optionsOf(t, options...)(m)
			packet := packMsg(m)
			s.serve(packet, c, nil)
			if n := testing.AllocsPerRun(100, func() {
				if !h.begin(c.at) {
					t.Fatal("nobody may ask")
				}
				h.look(&g, packet, c.addr.Addr())
				if _, ok := h.fast(&g, false, out); !ok {
					t.Fatalf("%s %s isn't answered at once", q.name, dns.Type(q.qtype))
				}
				h.end()
			}); n != 0 {
				t.Errorf("%s %s, options %v: %v allocations", q.name, dns.Type(q.qtype), options, n)
			}
		}
	}
}
