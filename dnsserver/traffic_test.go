package dnsserver

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// countedBy is what a ledger has, as the statistics show it.
func countedBy(l *ledger) Traffic {
	var sum totals
	sum.add(l, &sum.udp)
	return sum.traffic("")
}

// brief is a network's traffic by what was asked, and by RCODE and source.
func (t Traffic) brief() map[string]uint64 {
	out := map[string]uint64{}
	for kind, n := range t.UDP {
		out["udp "+kind] = n
	}
	for kind, n := range t.TCP {
		out["tcp "+kind] = n
	}
	for _, a := range t.Answers {
		out[a.Source+" "+a.Rcode] = a.Count
	}
	return out
}

func (s *testServer) expectTraffic(network string, want map[string]uint64) {
	s.t.Helper()
	// A question that serve decides is counted just before it is answered, one over TCP too; others with their batch.
	nettest.Eventually(s.t, 10*time.Second, func() error {
		for _, t := range s.Traffic() {
			if t.Network == network {
				if diff := cmp.Diff(want, t.brief()); diff != "" {
					return fmt.Errorf("-want +got:\n%s", diff)
				}
				return nil
			}
		}
		return fmt.Errorf("no network %s", network)
	})
}

func TestTrafficIsCounted(t *testing.T) {
	up := startUpstream(t, world)
	cfg := withUpstreams(t, up.addr)
	s := startServer(t, cfg, testLeases())
	for range 3 {
		ask(t, "udp", s.at, "vm1.lab.internal.", dns.TypeA)
	}
	ask(t, "tcp", s.at, "builder.lab.internal.", dns.TypeA)
	ask(t, "tcp", s.at, "nobody.lab.internal.", dns.TypeAAAA)
	ask(t, "udp", s.at, "lab.internal.", dns.TypeCAA)
	ask(t, "udp", s.at, "x.example.org.", 65280)
	for range 2 {
		ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
	}
	ask(t, "udp", s.at, "refused.example.org.", dns.TypeHTTPS)
	ask(t, "udp", s.at, "example.org.", dns.TypeAXFR)
	want := map[string]uint64{
		"udp A": 5, "udp CAA": 1, "udp HTTPS": 1, "udp other": 2, "tcp A": 1, "tcp AAAA": 1,
		"local NOERROR": 5, "local NXDOMAIN": 1, "upstream NOERROR": 1, "cache NOERROR": 1, "upstream NXDOMAIN": 1,
		"upstream SERVFAIL": 1, "none REFUSED": 1,
	}
	s.expectTraffic("lab", want)
	s.expectTraffic("dev", map[string]uint64{})

	// What was counted isn't lost when a network's address changes, and what is explained isn't counted.
	if _, err := s.Explain(t.Context(), Question{Name: "vm1.lab.internal.", Type: dns.TypeA, Network: "lab"}); err != nil {
		t.Fatal(err)
	}
	moved := cfg
	moved.Networks = append([]Network(nil), cfg.Networks...)
	moved.Networks[0].Address = nested()[0].Address
	for range 2 {
		if err := s.Reconfigure(moved); err != nil {
			t.Fatal(err)
		}
		s.expectTraffic("lab", want)
	}
	at := fmt.Sprintf("%s:%d", moved.Networks[0].Address.Addr(), cfg.Port)
	ask(t, "udp", at, "vm1.lab.internal.", dns.TypeA)
	want = maps.Clone(want)
	want["udp A"]++
	want["local NOERROR"]++
	s.expectTraffic("lab", want)
	gone := moved
	gone.Networks = moved.Networks[1:]
	if err := s.Reconfigure(gone); err != nil {
		t.Fatal(err)
	}
	if got := s.Traffic(); len(got) != 1 || got[0].Network != "dev" {
		t.Errorf("a network that is gone is counted: %+v", got)
	}
	if err := s.Reconfigure(moved); err != nil {
		t.Fatal(err)
	}
	s.expectTraffic("lab", map[string]uint64{})
}

func TestUpstreamTimes(t *testing.T) {
	up, dead := startUpstream(t, world), startUpstream(t, world)
	_ = dead.udp.Close()
	cfg := withUpstreams(t, up.addr)
	cfg.Upstreams = append(cfg.Upstreams,
		UpstreamGroup{Name: "same", Domains: []string{"same.example"}, Servers: cfg.Upstreams[0].Servers},
		UpstreamGroup{Name: "dead", Domains: []string{"dead.example"}, Servers: append(cfg.Upstreams[0].Servers[:0:0], dead.addr)})
	s := startServer(t, cfg, testLeases())
	ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
	ask(t, "udp", s.at, "a.dead.example.", dns.TypeA)
	ask(t, "udp", s.at, "b.dead.example.", dns.TypeA)
	times := map[string]UpstreamTimes{}
	for _, u := range s.UpstreamTimes() {
		times[u.Addr.String()] = u
	}
	if len(times) != 2 {
		t.Fatalf("%d upstreams: one that two groups have counts once", len(times))
	}
	if u := times[up.addr.String()]; !u.Up || u.Answers.Count() != 1 || u.Answers.Sum <= 0 || u.Failures != 0 {
		t.Errorf("the one that answers: %+v", u)
	}
	if u := times[dead.addr.String()]; u.Up || u.Answers.Count() != 0 || u.Failures < 2 {
		t.Errorf("the one that doesn't: %+v", u)
	}
	if use := s.CacheUse(); use.Entries == 0 || use.Bytes == 0 || use.Limit != 16<<20 {
		t.Errorf("the cache: %+v", use)
	}
}

func TestEveryReasonHasASource(t *testing.T) {
	// Those of nobody, so that one that is added is thought of.
	nobody := map[reason]bool{}
	for _, r := range []reason{
		ignored, formatError, notImplemented, badVersion, refusedClient, refusedTransfer, refusedSigned, refusedClass, refusedRecursion,
		cookieAsked, noUpstream, limited, refusedLoop, repeatedQuery, busy, recovered,
		truncated, sendFailed, replyIgnored, replyFragmented, prefetched,
	} {
		nobody[r] = true
	}
	for r := range reasonCount {
		if got := r.source() == fromNobody; got != nobody[r] {
			t.Errorf("%s: from %s", r, sourceNames[r.source()])
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var c tally
	var stats counters
	l := new(ledger)
	if n := testing.AllocsPerRun(100, func() {
		c.count(dns.TypeA, cacheHit, dns.RcodeSuccess)
		c.count(dns.TypeHTTPS, cacheNegative, dns.RcodeNameError)
		c.flush(&stats, l)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c != (tally{}) {
		t.Errorf("left in the tally: %+v", c)
	}
}
