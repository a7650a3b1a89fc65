package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

func questionOf(t testing.TB, s *testServer, n string, qtype uint16) *asked {
	t.Helper()
	parsed, err := parseName(n)
	if err != nil {
		t.Fatal(err)
	}
	return &asked{group: s.snap.Load().fallback, name: parsed, qtype: qtype}
}

// outdate makes an answer in the cache expire a second ago, to be usable for a time from now.
func outdate(t testing.TB, s *testServer, n string, qtype uint16, usable time.Duration) {
	t.Helper()
	a, now := questionOf(t, s, n, qtype), s.now()
	e := s.cache.get(a, false)
	if e == nil {
		t.Fatalf("%s isn't in the cache", n)
	}
	old := e.packed()
	if old.made != 0 {
		old.made = now.add(-time.Hour)
	}
	s.cache.keep(a, &old, now, now.add(-time.Second), now.add(usable))
}

func TestServeStale(t *testing.T) {
	var down atomic.Bool
	up := startUpstream(t, func(x exchange) {
		if down.Load() {
			x.answer(dns.RcodeServerFailure)
			return
		}
		world(x)
	})
	cfg := withUpstreams(t, up.addr)
	cfg.ServeStale = time.Hour
	s := startServer(t, cfg, testLeases())
	const fresh = "NOERROR: www.example.org. 300 A 192.0.2.80"
	check := func(what, name string, qtype uint16, want string, code uint16, sends int64, why reason) {
		t.Helper()
		before, counted := up.queries.Load(), s.Stats()[why.String()]
		r := ask(t, "udp", s.at, name, qtype, edns(1232, false))
		if got := brief(r); got != want {
			t.Errorf("%s: got %s\nwant %s", what, got, want)
		}
		if code > 0 && !hasExtended(r, code) {
			t.Errorf("%s: no extended error %d in %v", what, code, r)
		}
		if got := up.queries.Load() - before; got != sends {
			t.Errorf("%s: %d questions went upstream, want %d", what, got, sends)
		}
		if s.Stats()[why.String()] != counted+1 {
			t.Errorf("%s: not counted as %s", what, why)
		}
	}
	check("at first", "www.example.org.", dns.TypeA, fresh, 0, 1, forwarded)
	check("an alias", "alias.example.org.", dns.TypeA, "NOERROR: alias.example.org. 300 CNAME middle.example.org.; middle.example.org. 20 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80", 0, 1, forwarded)
	check("no such name", "no.example.org.", dns.TypeA, "NXDOMAIN: / "+exampleSOAText, 0, 1, forwardedNegative)
	down.Store(true)
	outdate(t, s, "www.example.org.", dns.TypeA, time.Minute)
	outdate(t, s, "alias.example.org.", dns.TypeA, time.Minute)
	outdate(t, s, "no.example.org.", dns.TypeA, time.Minute)
	stale := strings.Replace(fresh, " 300 ", " 30 ", 1)
	check("the upstream fails", "www.example.org.", dns.TypeA, stale, dns.ExtendedErrorCodeStaleAnswer, 1, staleAnswer)
	check("again within half a minute", "www.example.org.", dns.TypeA, stale, dns.ExtendedErrorCodeStaleAnswer, 0, staleAnswer)
	check("in another letter case", "WWW.example.org.", dns.TypeA, strings.Replace(stale, "www", "WWW", 1), dns.ExtendedErrorCodeStaleAnswer, 0, staleAnswer)
	check("a chain", "alias.example.org.", dns.TypeA, "NOERROR: alias.example.org. 30 CNAME middle.example.org.; middle.example.org. 30 CNAME www.example.org.; www.example.org. 30 A 192.0.2.80", dns.ExtendedErrorCodeStaleAnswer, 1, staleAnswer)
	check("no such name", "no.example.org.", dns.TypeA, "NXDOMAIN: / "+strings.Replace(exampleSOAText, " 60 SOA", " 30 SOA", 1), dns.ExtendedErrorCodeStaleNXDOMAINAnswer, 1, staleAnswer)
	check("never known", "new.example.org.", dns.TypeA, "SERVFAIL:", 0, 1, upstreamFailure)
	outdate(t, s, "www.example.org.", dns.TypeA, 0)
	check("too old", "www.example.org.", dns.TypeA, "SERVFAIL:", 0, 1, upstreamFailure)
	outdate(t, s, "no.example.org.", dns.TypeA, time.Minute)
	down.Store(false)
	check("the upstream is back", "no.example.org.", dns.TypeA, "NXDOMAIN: / "+exampleSOAText, 0, 1, forwardedNegative)

	cfg.ServeStale = 0
	if err := s.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	check("not wanted", "zero.example.org.", dns.TypeA, "NOERROR: zero.example.org. 0 A 192.0.2.1", 0, 1, forwarded)
	check("anew", "gone-alias.example.org.", dns.TypeA, "NXDOMAIN: gone-alias.example.org. 300 CNAME gone.example.org. / "+exampleSOAText, 0, 1, forwardedNegative)
	if e := s.cache.get(questionOf(t, s, "gone-alias.example.org.", dns.TypeA), false); e.usable != e.expires {
		t.Errorf("an answer may be used for %v after its time", time.Duration(e.usable-e.expires))
	}
}

const exampleSOAText = "example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"

// An upstream that says nothing: whoever waits gets the stale answer while it is still waited for. What comes then is kept.
func TestStaleWhileWaiting(t *testing.T) {
	var silent atomic.Bool
	held := make(chan func(), 100)
	up := startUpstream(t, func(x exchange) {
		if silent.Load() {
			held <- func() { world(x) }
			return
		}
		world(x)
	})
	cfg := withUpstreams(t, up.addr)
	cfg.ServeStale = time.Hour
	s := startServer(t, cfg, testLeases())
	ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
	outdate(t, s, "www.example.org.", dns.TypeA, time.Minute)
	silent.Store(true)
	r := ask(t, "udp", s.at, "www.example.org.", dns.TypeA, edns(1232, false))
	if got := brief(r); got != "NOERROR: www.example.org. 30 A 192.0.2.80" || !hasExtended(r, dns.ExtendedErrorCodeStaleAnswer) {
		t.Fatalf("got %s", got)
	}
	for len(held) > 0 {
		(<-held)()
	}
	nettest.Eventually(t, 10*time.Second, func() error {
		if got := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)); !strings.HasPrefix(got, "NOERROR: www.example.org. 300 A") {
			return fmt.Errorf("the late answer isn't there: %s", got)
		}
		return nil
	})
}

// Nobody waits for upstreams that are known to be silent, if there is a stale answer.
func TestStaleAtOnce(t *testing.T) {
	up := startUpstream(t, world)
	cfg := withUpstreams(t, up.addr)
	cfg.ServeStale = time.Hour
	s := startServer(t, cfg, testLeases())
	ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
	outdate(t, s, "www.example.org.", dns.TypeA, time.Minute)
	_ = up.udp.Close()
	for range downAfter {
		s.known[up.addr].failed(s.now(), errNoAnswer, s.now())
	}
	m := packMsg(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))
	c := client{addr: netip.MustParseAddrPort("127.10.0.9:4000"), at: netip.MustParseAddrPort(s.at)}
	reply, pending := s.serve(m, c, nil)
	if got := new(dns.Msg); pending || got.Unpack(reply) != nil || brief(got) != "NOERROR: www.example.org. 30 A 192.0.2.80" {
		t.Errorf("pending %v, got %x", pending, reply)
	}
}

func TestFailuresAreRememberedLonger(t *testing.T) {
	up := startUpstream(t, func(x exchange) { x.answer(dns.RcodeRefused) })
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	a := questionOf(t, s, "www.example.org.", dns.TypeA)
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if got := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)); got != "SERVFAIL:" {
			t.Fatalf("got %s", got)
		}
		e := s.cache.get(a, false)
		lasts := time.Duration(e.expires - e.made)
		if lasts.Round(time.Second) != want*time.Second {
			t.Errorf("failure %d is remembered for %v, want %v s", i+1, lasts, int64(want))
		}
		if got := up.queries.Load(); got != int64(i+1) {
			t.Errorf("%d questions went upstream, want %d", got, i+1)
		}
		ask(t, "udp", s.at, "www.example.org.", dns.TypeA) // from the cache
		// Its time is over.
		old, now := e.packed(), s.now()
		old.made = now.add(-lasts - 1)
		s.cache.keep(a, &old, now, now-1, now-1)
	}
}

func TestPrefetch(t *testing.T) {
	var failing atomic.Bool
	up := startUpstream(t, func(x exchange) {
		if failing.Load() {
			x.answer(dns.RcodeServerFailure)
			return
		}
		world(x)
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	a := questionOf(t, s, "www.example.org.", dns.TypeA)
	hit := func() {
		t.Helper()
		if got := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)); !strings.HasPrefix(got, "NOERROR: www.example.org.") {
			t.Fatalf("got %s", got)
		}
	}
	due := func() { s.cache.get(a, false).refresh.Store(1) }
	hit()
	if e := s.cache.get(a, false); time.Duration(e.expires-moment(e.refresh.Load())) != 30*time.Second {
		t.Errorf("it is fetched again %v before its end, of 300 s", time.Duration(e.expires-moment(e.refresh.Load())))
	}
	due()
	hit() // the first hit: nobody has asked for it twice
	if n := s.Stats()["prefetched"]; n != 0 {
		t.Errorf("%d answers were fetched ahead that nobody asked for before", n)
	}
	was := s.cache.get(a, false)
	hit()
	nettest.Eventually(t, 10*time.Second, func() error {
		if s.cache.get(a, false) == was {
			return fmt.Errorf("nothing new came")
		}
		return nil
	})
	for range 10 {
		hit()
	}
	if n, sent := s.Stats()["prefetched"], up.queries.Load(); n != 1 || sent != 2 {
		t.Errorf("%d were fetched ahead, by %d questions in all", n, sent)
	}
	// One that can't be fetched stays until its end.
	failing.Store(true)
	due()
	hit()
	nettest.Eventually(t, 10*time.Second, func() error {
		s.flights.mu.Lock()
		defer s.flights.mu.Unlock()
		if up.queries.Load() != 3 || len(s.flights.active) > 0 {
			return fmt.Errorf("%d questions, %d under way", up.queries.Load(), len(s.flights.active))
		}
		return nil
	})
	hit()
	zero := questionOf(t, s, "no.example.org.", dns.TypeA)
	failing.Store(false)
	ask(t, "udp", s.at, "no.example.org.", dns.TypeA)
	if got := s.cache.get(zero, false); time.Duration(got.expires-moment(got.refresh.Load())) != 6*time.Second {
		t.Errorf("a negative answer of 60 s isn't fetched ahead 6 s before its end")
	}
}
