package dnsserver

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// withUpstreams is labs with upstreams: the default first, then "domain=address".
func withUpstreams(t testing.TB, servers ...netip.AddrPort) Config {
	cfg := labs(freePort(t))
	cfg.Upstreams = []UpstreamGroup{{Name: "default", Servers: servers}}
	cfg.Rebind.Allow = []string{"home.example.org"}
	return cfg
}

const exampleSOA = "example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"

// world is a well-behaved recursive server.
func world(x exchange) {
	n := strings.ToLower(x.query.Question[0].Name)
	qtype := x.query.Question[0].Qtype
	owner := x.query.Question[0].Name
	switch n {
	case "www.example.org.":
		if qtype == dns.TypeA {
			x.answer(dns.RcodeSuccess, owner+" 300 A 192.0.2.80", "!example.org. 300 NS evil.example.net.", "+evil.example.net. 300 A 192.0.2.66")
			return
		}
		x.answer(dns.RcodeSuccess, "!"+exampleSOA)
	case "alias.example.org.":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME middle.example.org.", "middle.example.org. 20 CNAME www.example.org.",
			"www.example.org. 300 A 192.0.2.80", "unrelated.example.org. 300 A 192.0.2.66")
	case "gone-alias.example.org.":
		x.answer(dns.RcodeNameError, owner+" 300 CNAME gone.example.org.", "!"+exampleSOA)
	case "partial.example.org.":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME www.example.org.")
	case "home.example.org.":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME builder.lab.internal.", "builder.lab.internal. 300 A 192.0.2.66")
	case "nosoa.example.org.":
		x.answer(dns.RcodeNameError)
	case "zero.example.org.":
		x.answer(dns.RcodeSuccess, owner+" 0 A 192.0.2.1")
	case "big.example.org.":
		var lines []string
		for i := range 200 {
			lines = append(lines, fmt.Sprintf("%s 300 A 192.0.2.%d", owner, i))
		}
		m := x.reply(dns.RcodeSuccess, lines...)
		if !x.tcp {
			m.Truncated, m.Answer = true, nil
		}
		x.send(packMsg(m))
	case "refused.example.org.":
		x.answer(dns.RcodeRefused)
	default:
		x.answer(dns.RcodeNameError, "!"+exampleSOA)
	}
}

func TestForwarding(t *testing.T) {
	up := startUpstream(t, world)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	for _, c := range []struct {
		name   string
		qtype  uint16
		want   string
		sends  int64 // to the upstream, over UDP
		reason reason
	}{
		{"www.example.org.", dns.TypeA, "NOERROR: www.example.org. 300 A 192.0.2.80", 1, forwarded},
		{"www.example.org.", dns.TypeA, "NOERROR: www.example.org. 300 A 192.0.2.80", 0, cacheHit},
		{"WWW.Example.org.", dns.TypeA, "NOERROR: WWW.Example.org. 300 A 192.0.2.80", 0, cacheHit},
		{"www.example.org.", dns.TypeAAAA, "NOERROR: / example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60", 1, forwardedNegative},
		{"www.example.org.", dns.TypeAAAA, "NOERROR: / example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60", 0, cacheNegative},
		{"no.example.org.", dns.TypeA, "NXDOMAIN: / example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60", 1, forwardedNegative},
		{"no.example.org.", dns.TypeA, "NXDOMAIN: / example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60", 0, cacheNegative},
		{"alias.example.org.", dns.TypeA, "NOERROR: alias.example.org. 300 CNAME middle.example.org.; middle.example.org. 20 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80", 1, forwarded},
		{"unrelated.example.org.", dns.TypeA, "NXDOMAIN: / example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60", 1, forwardedNegative},
		{"evil.example.net.", dns.TypeA, "NXDOMAIN:", 1, forwardedNegative}, // that SOA isn't above the name
		{"gone-alias.example.org.", dns.TypeA, "NXDOMAIN: gone-alias.example.org. 300 CNAME gone.example.org. / example.org. 60 SOA ns.example.org. host.example.org. 1 3600 600 86400 60", 1, forwardedNegative},
		{"partial.example.org.", dns.TypeA, "NOERROR: partial.example.org. 300 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80", 1, forwarded},
		{"away.lab.internal.", dns.TypeA, "NOERROR aa: away.lab.internal. 60 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80", 0, localRecord},
		{"home.example.org.", dns.TypeA, "NOERROR: home.example.org. 300 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10", 1, forwarded},
		{"home.example.org.", dns.TypeA, "NOERROR: home.example.org. 300 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10", 0, cacheHit},
		{"nosoa.example.org.", dns.TypeA, "NXDOMAIN:", 1, forwardedNegative},
		{"nosoa.example.org.", dns.TypeA, "NXDOMAIN:", 1, forwardedNegative},
		{"zero.example.org.", dns.TypeA, "NOERROR: zero.example.org. 0 A 192.0.2.1", 1, forwarded},
		{"zero.example.org.", dns.TypeA, "NOERROR: zero.example.org. 0 A 192.0.2.1", 1, forwarded},
		{"refused.example.org.", dns.TypeA, "SERVFAIL:", 1, upstreamFailure},
		{"refused.example.org.", dns.TypeA, "SERVFAIL:", 0, cacheFailure},
		// Ours, and so nobody else's.
		{"missing.lab.internal.", dns.TypeA, "NXDOMAIN aa: / " + labSOA, 0, localNXDomain},
		{"nosuch.", dns.TypeA, "NXDOMAIN aa: / " + rootSOA, 0, localNXDomain},
		{"x.onion.", dns.TypeA, "NXDOMAIN aa: / " + own("onion."), 0, specialName},
		// The upstream is on a private address: the LAN's own names are its.
		{"nas.home.arpa.", dns.TypeA, "NXDOMAIN:", 1, forwardedNegative},
		{"9.1.168.192.in-addr.arpa.", dns.TypePTR, "NXDOMAIN:", 1, forwardedNegative},
	} {
		before, counted := up.queries.Load(), s.Stats()[c.reason.String()]
		got := brief(ask(t, "udp", s.at, c.name, c.qtype))
		if got != c.want {
			t.Errorf("%s %s: got %s\nwant %s", c.name, dns.Type(c.qtype), got, c.want)
		}
		if sent := up.queries.Load() - before; sent != c.sends {
			t.Errorf("%s %s: %d questions went upstream, want %d", c.name, dns.Type(c.qtype), sent, c.sends)
		}
		if s.Stats()[c.reason.String()] != counted+1 {
			t.Errorf("%s %s: not counted as %s", c.name, dns.Type(c.qtype), c.reason)
		}
	}
}

func TestUpstreamQuestion(t *testing.T) {
	seen := make(chan *dns.Msg, 1)
	up := startUpstream(t, func(x exchange) {
		seen <- x.query.Copy()
		m := x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
		m.AuthenticatedData = true
		x.send(packMsg(m))
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	for i, c := range []struct {
		name           string
		change         func(*dns.Msg)
		do, cd, wantAD bool
	}{
		{"plain", func(*dns.Msg) {}, false, false, false},
		{"ad", func(m *dns.Msg) { m.AuthenticatedData = true }, false, false, true},
		{"do", edns(4096, true), true, false, true},
		{"cd", func(m *dns.Msg) { m.CheckingDisabled = true }, false, true, false},
		{"ecs", func(m *dns.Msg) {
			m.SetEdns0(4096, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IP{10, 0, 0, 0}}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}}
		}, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, "udp", s.at, fmt.Sprintf("n%d.example.org.", i), dns.TypeA, c.change)
			q := <-seen
			opt := q.IsEdns0()
			if opt == nil || opt.UDPSize() != 1232 || opt.Do() != c.do || len(opt.Option) != 0 {
				t.Errorf("the upstream got OPT %v", opt)
			}
			if q.CheckingDisabled != c.cd || !q.AuthenticatedData || !q.RecursionDesired || len(q.Question) != 1 {
				t.Errorf("the upstream got %v", q)
			}
			if r.AuthenticatedData != c.wantAD || r.CheckingDisabled != c.cd {
				t.Errorf("the client got AD %v CD %v", r.AuthenticatedData, r.CheckingDisabled)
			}
		})
	}
}

func TestTruncation(t *testing.T) {
	up := startUpstream(t, world)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	for _, c := range []struct {
		network string
		change  func(*dns.Msg)
		records int
		tc      bool
	}{
		{"tcp", func(*dns.Msg) {}, 200, false},
		{"udp", func(*dns.Msg) {}, 0, true},
		{"udp", edns(4096, false), 0, true},
	} {
		r := ask(t, c.network, s.at, "big.example.org.", dns.TypeA, c.change)
		if len(r.Answer) != c.records || r.Truncated != c.tc || len(r.Ns) != 0 {
			t.Errorf("%s: %d records, tc %v", c.network, len(r.Answer), r.Truncated)
		}
	}
	if up.streams.Load() != 1 || up.queries.Load() != 1 {
		t.Errorf("%d questions and %d streams upstream, want one each", up.queries.Load(), up.streams.Load())
	}
}

// Whatever isn't the answer is passed over, and the answer behind it is taken.
func TestForgedAnswers(t *testing.T) {
	for _, c := range []struct {
		name  string
		forge func(x exchange, m *dns.Msg)
	}{
		{"type", func(x exchange, m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }},
		{"class", func(x exchange, m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }},
		{"name", func(x exchange, m *dns.Msg) { m.Question[0].Name = "other.example.org." }},
		{"no question", func(x exchange, m *dns.Msg) { m.Question = nil }},
		{"a query", func(x exchange, m *dns.Msg) { m.Response = false }},
		{"opcode", func(x exchange, m *dns.Msg) { m.Opcode = dns.OpcodeNotify }},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := startUpstream(t, func(x exchange) {
				forged := x.reply(dns.RcodeSuccess, "forged.example.org. 300 A 192.0.2.66")
				c.forge(x, forged)
				x.send(packMsg(forged))
				x.send([]byte{1, 2, 3})
				x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
			})
			s := startServer(t, withUpstreams(t, up.addr), testLeases())
			if got, want := brief(ask(t, "udp", s.at, "true.example.org.", dns.TypeA)), "NOERROR: true.example.org. 300 A 192.0.2.1"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if s.Stats()["reply_ignored"] != 2 {
				t.Errorf("%d packets counted as ignored, want 2", s.Stats()["reply_ignored"])
			}
		})
	}
}

func TestForgedSourceAndID(t *testing.T) {
	// Another socket on the upstream's host: the very answer, from the wrong port.
	stranger, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	wrongID := func(x exchange) []byte {
		m := x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.66")
		m.Id++
		return packMsg(m)
	}
	up := startUpstream(t, func(x exchange) {
		if x.tcp {
			x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.2")
			return
		}
		if strings.HasPrefix(strings.ToLower(x.query.Question[0].Name), "source") {
			_, _ = stranger.WriteTo(packMsg(x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.66")), x.from)
			x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
			return
		}
		x.send(wrongID(x))
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	for n, want := range map[string]string{
		"source.example.org.": "NOERROR: source.example.org. 300 A 192.0.2.1",
		"id.example.org.":     "NOERROR: id.example.org. 300 A 192.0.2.2", // over TCP
	} {
		if got := brief(ask(t, "udp", s.at, n, dns.TypeA)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestUpstreamThatFoldsCase(t *testing.T) {
	for _, tcp := range []bool{true, false} {
		t.Run(fmt.Sprintf("tcp %v", tcp), func(t *testing.T) {
			up := startUpstream(t, func(x exchange) {
				if x.tcp && !tcp {
					return // says nothing until the connection's deadline
				}
				x.query.Question[0].Name = strings.ToLower(x.query.Question[0].Name)
				world(x)
			})
			s := startServer(t, withUpstreams(t, up.addr), testLeases())
			if !tcp {
				// Without TCP at all.
				s.known[up.addr].setFolds(s.now())
			}
			if got, want := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)), "NOERROR: www.example.org. 300 A 192.0.2.80"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestUpstreamWithoutEDNS(t *testing.T) {
	up := startUpstream(t, func(x exchange) {
		if x.query.IsEdns0() != nil {
			x.answer(dns.RcodeFormatError)
			return
		}
		world(x)
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	if got, want := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)), "NOERROR: www.example.org. 300 A 192.0.2.80"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFailover(t *testing.T) {
	good := startUpstream(t, world)
	for _, c := range []struct {
		name   string
		script func(exchange)
	}{
		{"silent", func(exchange) {}},
		{"servfail", func(x exchange) { x.answer(dns.RcodeServerFailure) }},
		{"refused", func(x exchange) { x.answer(dns.RcodeRefused) }},
		{"referral", func(x exchange) {
			m := x.reply(dns.RcodeSuccess, "!example.org. 300 NS ns.example.org.")
			m.RecursionAvailable = false
			x.send(packMsg(m))
		}},
		{"garbage", func(x exchange) {
			x.send(append(packMsg(x.reply(dns.RcodeSuccess))[:6], bytes.Repeat([]byte{0xff}, 60)...))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := startUpstream(t, c.script)
			s := startServer(t, withUpstreams(t, bad.addr, good.addr), testLeases())
			if got, want := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)), "NOERROR: www.example.org. 300 A 192.0.2.80"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if bad.queries.Load() == 0 {
				t.Error("the bad server was never asked: nothing was tested")
			}
		})
	}
}

// A closed port is known at once, and local answers never wait for anything.
func TestDeadUpstream(t *testing.T) {
	dead := startUpstream(t, world)
	_ = dead.udp.Close()
	s := startServer(t, withUpstreams(t, dead.addr), testLeases())
	r := ask(t, "udp", s.at, "www.example.org.", dns.TypeA, edns(1232, false))
	if r.Rcode != dns.RcodeServerFailure || !hasExtended(r, dns.ExtendedErrorCodeNetworkError) {
		t.Errorf("got %v", r)
	}
}

func hasExtended(m *dns.Msg, code uint16) bool {
	return slices.ContainsFunc(extendedOf(m), func(e extendedError) bool { return e.code == code })
}

func TestNoUpstream(t *testing.T) {
	s := startServer(t, labs(freePort(t)), testLeases())
	r := ask(t, "udp", s.at, "www.example.org.", dns.TypeA, edns(1232, false))
	if r.Rcode != dns.RcodeServerFailure || !hasExtended(r, dns.ExtendedErrorCodeNoReachableAuthority) {
		t.Errorf("got %v", r)
	}
}

func TestStuckUpstreamHoldsUpNobody(t *testing.T) {
	stuck := startUpstream(t, func(exchange) {})
	s := startServer(t, withUpstreams(t, stuck.addr), testLeases())
	conn, err := net.Dial("udp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 3000 {
		if _, err := conn.Write(packMsg(new(dns.Msg).SetQuestion(fmt.Sprintf("n%d.example.org.", i), dns.TypeA))); err != nil {
			t.Fatal(err)
		}
	}
	quickest := patience
	for range 50 {
		started := time.Now()
		if got, want := brief(ask(t, "udp", s.at, "vm1.lab.internal.", dns.TypeA)), "NOERROR aa: vm1.lab.internal. 60 A 127.10.0.101"; got != want {
			t.Fatalf("got %s", got)
		}
		quickest = min(quickest, time.Since(started))
	}
	if quickest >= patience {
		t.Error("a local answer takes as long as a stuck upstream")
	}
	nettest.Eventually(t, 10*time.Second, func() error {
		if s.Stats()["busy"] == 0 {
			return fmt.Errorf("no bound was reached: %v", s.Stats())
		}
		return nil
	})
}

func TestOneQuestionInFlight(t *testing.T) {
	release := make(chan struct{})
	up := startUpstream(t, func(x exchange) {
		<-release
		world(x)
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	var asking sync.WaitGroup
	answers := make(chan string, 100)
	for range cap(answers) {
		asking.Go(func() { answers <- brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)) })
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		s.flights.mu.Lock()
		defer s.flights.mu.Unlock()
		if s.flights.waiting < cap(answers) || len(s.flights.active) != 1 {
			return fmt.Errorf("%d wait for %d flights", s.flights.waiting, len(s.flights.active))
		}
		return nil
	})
	close(release)
	asking.Wait()
	for range cap(answers) {
		if got, want := <-answers, "NOERROR: www.example.org. 300 A 192.0.2.80"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if s.Stats()["forwarded"] != uint64(cap(answers)) {
		t.Errorf("%d forwarded", s.Stats()["forwarded"])
	}
}

// A domain's upstream answers for its domain only, and chains go on where the next name belongs.
func TestUpstreamGroups(t *testing.T) {
	named := func(address string) func(exchange) {
		return func(x exchange) {
			owner := x.query.Question[0].Name
			if strings.EqualFold(owner, "jump.corp.example.") {
				x.answer(dns.RcodeSuccess, owner+" 60 CNAME www.example.org.", "www.example.org. 60 A 192.0.2.66")
				return
			}
			x.answer(dns.RcodeSuccess, owner+" 60 A "+address)
		}
	}
	def, corp, deep := startUpstream(t, named("192.0.2.1")), startUpstream(t, named("192.0.2.2")), startUpstream(t, named("192.0.2.3"))
	cfg := withUpstreams(t, def.addr)
	cfg.Upstreams = append(cfg.Upstreams,
		UpstreamGroup{Name: "corp", Domains: []string{"corp.example", "test", "local"}, Servers: []netip.AddrPort{corp.addr}},
		UpstreamGroup{Name: "deep", Domains: []string{"Deep.corp.example."}, Servers: []netip.AddrPort{deep.addr}})
	s := startServer(t, cfg, testLeases())
	for _, c := range []struct{ name, want string }{
		{"www.example.org.", "192.0.2.1"},
		{"corp.example.", "192.0.2.2"},
		{"a.b.corp.example.", "192.0.2.2"},
		{"xcorp.example.", "192.0.2.1"},
		{"x.deep.corp.example.", "192.0.2.3"},
		{"x.test.", "192.0.2.2"},
		{"x.local.", "192.0.2.2"},
		{"jump.corp.example.", "192.0.2.1"},
	} {
		r := ask(t, "udp", s.at, c.name, dns.TypeA)
		if len(r.Answer) == 0 || !strings.HasSuffix(r.Answer[len(r.Answer)-1].String(), "\t"+c.want) {
			t.Errorf("%s: got %s, want %s", c.name, brief(r), c.want)
		}
	}
	var groups []string
	for _, u := range s.Upstreams() {
		if u.RTT == 0 || u.Failures != 0 || u.Down {
			t.Errorf("upstream %+v", u)
		}
		groups = append(groups, u.Group)
	}
	if !slices.Equal(groups, []string{"corp", "deep", "default"}) {
		t.Errorf("groups %v", groups)
	}
}

func TestRanked(t *testing.T) {
	start := moment(time.Hour)
	refused := errors.New("refused")
	make := func(name string, rtt time.Duration, failures int) *upstream {
		u := &upstream{addr: netip.AddrPortFrom(netip.MustParseAddr(name), 53), rtt: rtt}
		for range failures {
			u.failed(start, refused, start)
		}
		return u
	}
	servers := []*upstream{make("192.0.2.1", time.Second, 0), make("192.0.2.2", time.Millisecond, 5), make("192.0.2.3", 10*time.Millisecond, 1), make("192.0.2.4", 0, 0)}
	letters := func(servers []*upstream) (s string) {
		for _, u := range servers {
			s += u.addr.Addr().String()[8:]
		}
		return s
	}
	for _, step := range []struct {
		what         string
		do           func()
		after        time.Duration
		order, sound string
	}{
		{"at first", func() {}, 0, "4312", ""},
		{"it is time to look after the one that is down", func() {}, maxDownFor, "4312", "2"},
		{"which is done by one question", func() {}, maxDownFor, "4312", ""},
		{"silence on one question among others that were answered", func() {
			servers[2].answered(10*time.Millisecond, false, start.add(time.Second))
			servers[2].failed(start, errNoAnswer, start.add(2*time.Second))
			servers[2].failed(start, errNoAnswer, start.add(2*time.Second))
		}, maxDownFor, "4312", ""},
		{"an answer", func() { servers[1].answered(time.Millisecond, false, start.add(maxDownFor)) }, maxDownFor, "4231", ""},
		{"a server that isn't asked for a while is measured", func() {}, maxDownFor + remeasure, "4231", "23"},
		{"once", func() {}, maxDownFor + remeasure, "4231", ""},
	} {
		step.do()
		order, allDown := ranked(servers)
		sound := unsounded(order, start.add(step.after))
		if letters(order) != step.order || letters(sound) != step.sound || allDown {
			t.Errorf("%s: order %s, sound %s, all down %v; want %s and %s", step.what, letters(order), letters(sound), allDown, step.order, step.sound)
		}
	}
	for range downAfter {
		for _, u := range servers {
			u.failed(start.add(time.Hour), refused, start.add(time.Hour))
		}
	}
	if _, allDown := ranked(servers); !allDown {
		t.Error("not all are down")
	}
}

// Without RD nobody else is asked: what is remembered is told, and where a local alias leads.
func TestRecursionNotDesired(t *testing.T) {
	up := startUpstream(t, world)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	norec := func(m *dns.Msg) { m.RecursionDesired = false; m.SetEdns0(1232, false) }
	steps := []struct {
		name   string
		change func(*dns.Msg)
		want   string
	}{
		{"www.example.org.", norec, "REFUSED:"},
		{"away.lab.internal.", norec, "NOERROR aa: away.lab.internal. 60 CNAME www.example.org."},
		{"vm1.lab.internal.", norec, "NOERROR aa: vm1.lab.internal. 60 A 127.10.0.101"},
		{"www.example.org.", func(*dns.Msg) {}, "NOERROR: www.example.org. 300 A 192.0.2.80"},
		{"www.example.org.", norec, "NOERROR: www.example.org. 300 A 192.0.2.80"},
		{"away.lab.internal.", norec, "NOERROR aa: away.lab.internal. 60 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80"},
	}
	for i, c := range steps {
		m := ask(t, "udp", s.at, c.name, dns.TypeA, c.change)
		if got := brief(m); got != c.want {
			t.Errorf("%d, %s: got %s, want %s", i, c.name, got, c.want)
		}
		if m.Rcode == dns.RcodeRefused && !hasExtended(m, dns.ExtendedErrorCodeNotAuthoritative) {
			t.Errorf("%d, %s: %v", i, c.name, m)
		}
	}
	if up.queries.Load() != 1 {
		t.Errorf("the upstream was asked %d times", up.queries.Load())
	}
}

func TestHedge(t *testing.T) {
	u := &upstream{}
	for _, c := range []struct {
		rtt    time.Duration
		detour bool
		times  int
		want   time.Duration // rounded to 10 ms
	}{
		{0, false, 0, firstHedge},
		{10 * time.Millisecond, false, 1, minHedge},
		{time.Second, true, 10, minHedge},
		{200 * time.Millisecond, false, 50, 200 * time.Millisecond},
		{time.Millisecond, false, 100, minHedge},
		{4 * time.Second, false, 50, maxHedge},
	} {
		for range c.times {
			u.answered(c.rtt, c.detour, 1)
		}
		if got := u.hedge(); got.Round(10*time.Millisecond) != c.want {
			t.Errorf("after %d times %v, detour %v: %v, want %v", c.times, c.rtt, c.detour, got, c.want)
		}
	}
	// Whatever the round trip, a question is sent as often as it may be before its end.
	if (maxSends-1)*maxHedge >= patience {
		t.Errorf("%d messages take %v, and a question has %v", maxSends, (maxSends-1)*maxHedge, patience)
	}
}
