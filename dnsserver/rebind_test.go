package dnsserver

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestInside(t *testing.T) {
	own := rebinding{own: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:1::/64")}}
	private := own
	private.policy = RebindPrivate
	for _, c := range []struct {
		addr string
		// Whether it is inside: under own and private, for a stranger and a neighbour.
		own, private, neighbour bool
	}{
		{"192.0.2.1", false, false, false},
		{"2001:db8:2::1", false, false, false},
		{"10.0.0.1", true, true, false},
		{"10.0.0.255", true, true, false},
		{"10.0.1.1", false, true, false},
		{"172.16.0.1", false, true, false},
		{"172.32.0.1", false, false, false},
		{"192.168.1.1", false, true, false},
		{"100.64.0.1", false, true, false},
		{"203.0.113.9", true, true, false},
		{"2001:db8:1::9", true, true, false},
		{"fd00::1", false, true, false},
		{"fec0::1", false, true, false},
		{"127.0.0.1", true, true, true},
		{"127.255.0.1", true, true, true},
		{"0.0.0.0", true, true, true},
		{"0.1.2.3", true, true, true},
		{"169.254.1.1", true, true, true},
		{"::1", true, true, true},
		{"::", true, true, true},
		{"fe80::1", true, true, true},
		{"::ffff:127.0.0.1", true, true, true},
		{"::ffff:10.0.0.1", true, true, false},
		{"::ffff:10.0.1.1", false, true, false},
		{"::127.0.0.1", true, true, true},
		{"64:ff9b::7f00:1", true, true, true},
		{"64:ff9b::10.0.0.7", true, true, false},
		{"64:ff9b::192.0.2.7", false, false, false},
		{"64:ff9b:1::10.0.0.7", true, true, false},
		{"2002:7f00:1::1", true, true, true},
		{"2002:a00:7::", true, true, false},
		{"2002:c000:201::", false, false, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		if got := own.inside(addr, stranger); got != c.own {
			t.Errorf("%s is inside under own: %t", c.addr, got)
		}
		if got := private.inside(addr, stranger); got != c.private {
			t.Errorf("%s is inside under private: %t", c.addr, got)
		}
		if got := private.inside(addr, neighbour); got != c.neighbour {
			t.Errorf("%s is inside for a neighbour: %t", c.addr, got)
		}
	}
}

// evil is a world that points inside. Its names say where: 10-0-0-1.evil.example.
func evil(x exchange) {
	owner := x.query.Question[0].Name
	label, rest, _ := strings.Cut(strings.ToLower(owner), ".")
	switch label {
	case "both":
		x.answer(dns.RcodeSuccess, owner+" 300 A 127.0.0.1", owner+" 300 A 192.0.2.1", owner+" 300 A 127.10.0.5")
	case "hint":
		x.answer(dns.RcodeSuccess, owner+` 300 HTTPS 1 . alpn="h2" ipv4hint="192.0.2.1,127.10.0.5"`, owner+` 300 HTTPS 2 . alpn="h2" ipv4hint="192.0.2.2"`)
	case "hint6":
		x.answer(dns.RcodeSuccess, owner+` 300 HTTPS 1 . ipv6hint="::1"`)
	case "local":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME builder.lab.internal.")
	case "chain":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME 127-10-0-9."+rest, "127-10-0-9."+rest+" 300 A 127.10.0.9")
	case "tocorp":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME 192-168-7-7.corp.example.")
	case "tofine":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME 127-0-0-1.fine.example.", "127-0-0-1.fine.example. 300 A 127.0.0.1")
	default:
		addr := strings.ReplaceAll(label, "-", ".")
		if six := strings.ReplaceAll(label, "-", ":"); six != label && strings.Contains(label, "--") {
			addr = six
		}
		if x.query.Question[0].Qtype == dns.TypeAAAA {
			x.answer(dns.RcodeSuccess, owner+" 300 AAAA "+addr)
			return
		}
		x.answer(dns.RcodeSuccess, owner+" 300 A "+addr)
	}
}

func TestRebinding(t *testing.T) {
	up, corp := startUpstream(t, evil), startUpstream(t, evil)
	cfg := withUpstreams(t, up.addr)
	cfg.Upstreams = append(cfg.Upstreams, UpstreamGroup{Name: "corp", Domains: []string{"corp.example"}, Servers: []netip.AddrPort{corp.addr}})
	cfg.Rebind.Own = []netip.Prefix{netip.MustParsePrefix("10.11.0.0/24")}
	cfg.Rebind.Allow = []string{"fine.example"}
	cfg.Networks = cfg.Networks[:1]
	cfg.Networks[0].Records = append(cfg.Networks[0].Records, Record{Name: "evil", Type: "CNAME", Values: []string{"127-0-0-1.evil.example."}})
	withheld := func(owner string) string {
		return "NOERROR: / " + owner + " 60 SOA " + owner + " nobody.invalid. 1 3600 600 86400 60"
	}
	type ask1 struct {
		name  string
		qtype uint16
		want  string
	}
	a := func(n, addr string) string { return fmt.Sprintf("NOERROR: %s 300 A %s", n, addr) }
	for _, c := range []struct {
		policy RebindPolicy
		asks   []ask1
	}{
		{RebindOwn, []ask1{
			{"192-0-2-1.evil.example.", dns.TypeA, a("192-0-2-1.evil.example.", "192.0.2.1")},
			{"127-0-0-1.evil.example.", dns.TypeA, withheld("127-0-0-1.evil.example.")},
			{"127-10-0-5.Evil.example.", dns.TypeA, withheld("127-10-0-5.Evil.example.")},
			{"--1.evil.example.", dns.TypeAAAA, withheld("--1.evil.example.")},
			{"--ffff-7f00-1.evil.example.", dns.TypeAAAA, withheld("--ffff-7f00-1.evil.example.")},
			{"64-ff9b--7f00-1.evil.example.", dns.TypeAAAA, withheld("64-ff9b--7f00-1.evil.example.")},
			{"0-0-0-0.evil.example.", dns.TypeA, withheld("0-0-0-0.evil.example.")},
			{"10-11-0-1.evil.example.", dns.TypeA, withheld("10-11-0-1.evil.example.")},
			{"10-11-0-1.corp.example.", dns.TypeA, a("10-11-0-1.corp.example.", "10.11.0.1")},
			// A LAN's own machines are fine.
			{"192-168-7-7.evil.example.", dns.TypeA, a("192-168-7-7.evil.example.", "192.168.7.7")},
			{"192-168-7-7.corp.example.", dns.TypeA, a("192-168-7-7.corp.example.", "192.168.7.7")},
			{"127-0-0-1.corp.example.", dns.TypeA, withheld("127-0-0-1.corp.example.")},
			{"127-0-0-1.fine.example.", dns.TypeA, a("127-0-0-1.fine.example.", "127.0.0.1")},
			{"both.evil.example.", dns.TypeA, a("both.evil.example.", "192.0.2.1")},
			{"hint.evil.example.", dns.TypeHTTPS, `NOERROR: hint.evil.example. 300 HTTPS 2 . alpn="h2" ipv4hint="192.0.2.2"`},
			{"hint6.evil.example.", dns.TypeHTTPS, withheld("hint6.evil.example.")},
			// By way of a name that may.
			{"local.evil.example.", dns.TypeA, withheld("local.evil.example.")},
			{"chain.evil.example.", dns.TypeA, withheld("chain.evil.example.")},
			{"tofine.evil.example.", dns.TypeA, withheld("tofine.evil.example.")},
			{"local.fine.example.", dns.TypeA, "NOERROR: local.fine.example. 300 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10"},
			{"tocorp.evil.example.", dns.TypeA, "NOERROR: tocorp.evil.example. 300 CNAME 192-168-7-7.corp.example.; 192-168-7-7.corp.example. 300 A 192.168.7.7"},
			{"evil.lab.internal.", dns.TypeA, withheld("evil.lab.internal.")},
		}},
		{RebindPrivate, []ask1{
			{"192-0-2-1.evil.example.", dns.TypeA, a("192-0-2-1.evil.example.", "192.0.2.1")},
			{"192-168-7-7.evil.example.", dns.TypeA, withheld("192-168-7-7.evil.example.")},
			{"192-168-7-7.corp.example.", dns.TypeA, a("192-168-7-7.corp.example.", "192.168.7.7")},
			{"192-168-7-7.fine.example.", dns.TypeA, a("192-168-7-7.fine.example.", "192.168.7.7")},
			{"192-168-7-7.home.arpa.", dns.TypeA, a("192-168-7-7.home.arpa.", "192.168.7.7")},
			{"tocorp.evil.example.", dns.TypeA, withheld("tocorp.evil.example.")},
		}},
		{RebindOff, []ask1{
			{"127-0-0-1.evil.example.", dns.TypeA, a("127-0-0-1.evil.example.", "127.0.0.1")},
			{"local.evil.example.", dns.TypeA, "NOERROR: local.evil.example. 300 CNAME builder.lab.internal.; builder.lab.internal. 60 A 127.10.0.10"},
		}},
	} {
		cfg.Rebind.Policy, cfg.Port = c.policy, freePort(t)
		s := startServer(t, cfg, testLeases())
		for _, q := range c.asks {
			counted := s.Stats()["rebind"]
			for round := range 3 {
				// Without SOA, and whatever the records, the seconds may have counted down.
				got := brief(ask(t, "udp", s.at, q.name, q.qtype))
				if want := q.want; got != want && got != strings.ReplaceAll(want, " 300 ", " 299 ") {
					t.Errorf("policy %d, round %d, %s %s: got %s\nwant %s", c.policy, round, q.name, dns.Type(q.qtype), got, want)
				}
			}
			refused := strings.Contains(q.want, "nobody.invalid.") || strings.HasPrefix(q.name, "both") || strings.HasPrefix(q.name, "hint")
			if got := s.Stats()["rebind"] - counted; refused != (got == 3) {
				t.Errorf("policy %d, %s: counted %d times as rebind", c.policy, q.name, got)
			}
		}
		if c.policy == RebindOwn {
			answer := ask(t, "udp", s.at, "127-0-0-1.evil.example.", dns.TypeA, edns(1232, false))
			if ede := extendedOf(answer); len(ede) != 1 || ede[0].code != dns.ExtendedErrorCodeBlocked || !strings.Contains(ede[0].text, "127.0.0.1") {
				t.Errorf("extended errors %v", ede)
			}
			// Of records that one signature is for, all go.
			if got := brief(ask(t, "udp", s.at, "both.evil.example.", dns.TypeA, edns(1232, true))); got != withheld("both.evil.example.") {
				t.Errorf("with DO: got %s", got)
			}
		}
	}
}

// Other rules count at once, for what the cache has too, and leave the rest of it as it is.
func TestRebindingRulesChange(t *testing.T) {
	up := startUpstream(t, evil)
	cfg := withUpstreams(t, up.addr)
	s := startServer(t, cfg, testLeases())
	for i, want := range []string{"NOERROR: 192-168-7-7.evil.example. 300 A 192.168.7.7", "NOERROR: / 192-168-7-7.evil.example. 60 SOA", "NOERROR: 192-168-7-7.evil.example. "} {
		cfg.Rebind.Policy = []RebindPolicy{RebindOwn, RebindPrivate, RebindOwn}[i]
		if err := s.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := brief(ask(t, "udp", s.at, "192-168-7-7.evil.example.", dns.TypeA)); !strings.HasPrefix(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	if n := up.queries.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
	cfg.Rebind.Allow = []string{"bad..name"}
	if err := s.Reconfigure(cfg); err == nil {
		t.Error("a name that is none is let through")
	}
}

// What is kept in place of an upstream's answer goes with it when that is flushed.
func TestFlushedWithheld(t *testing.T) {
	up := startUpstream(t, evil)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	for range 2 {
		ask(t, "udp", s.at, "127-0-0-1.evil.example.", dns.TypeA)
	}
	if n, err := s.Flush("127-0-0-1.evil.example", false); n != 2 || err != nil {
		t.Errorf("%d answers flushed, %v", n, err)
	}
}

// A thousand names that point inside are some lines in the log.
func TestRebindingIsLoggedInMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := &Server{log: slog.New(slog.NewTextHandler(&log, nil)), base: t.Context()}
		inside := netip.MustParseAddr("10.0.0.1")
		for range 3 {
			for i := range 1000 {
				s.rebound(name(fmt.Sprintf("\x07n%06d\x00", i)), inside)
			}
			s.rebound(name("\x05block\x00"), netip.IPv4Unspecified())
		}
		if n := strings.Count(log.String(), "\n"); n != rebindLogNames {
			t.Errorf("%d lines", n)
		}
		time.Sleep(rebindLogEvery)
		s.rebound(name("\x07n000001\x00"), inside)
		if text := log.String(); strings.Count(text, "\n") != rebindLogNames+1 || !strings.Contains(text, fmt.Sprintf("suppressed=%d", 3*(1000-rebindLogNames))) {
			t.Errorf("an hour later: %s", text[strings.LastIndex(strings.TrimSpace(text), "\n")+1:])
		}
	})
}
