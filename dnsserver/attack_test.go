package dnsserver

import (
	"bytes"
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

// Known attacks on resolvers, with real sockets. Forged packets of every kind, on the path of one question, are in forward_test.go.

// guest is a client with an address and a socket of its own.
func guest(t testing.TB, addr, server string) *net.UDPConn {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)}, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t testing.TB, conn net.Conn, id uint16, name string, qtype uint16) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.Id = id
	if _, err := conn.Write(packMsg(m)); err != nil {
		t.Fatal(err)
	}
}

// replies reads as many answers as come within a time after the last one, and counts them by RCODE.
func replies(t testing.TB, conn net.Conn, want int, within time.Duration) map[int]int {
	t.Helper()
	got, buffer := map[int]int{}, make([]byte, 4096)
	for n := 0; n < want; n++ {
		_ = conn.SetReadDeadline(time.Now().Add(within))
		size, err := conn.Read(buffer)
		if err != nil {
			break
		}
		m := new(dns.Msg)
		if err := m.Unpack(buffer[:size]); err != nil {
			t.Fatal(err)
		}
		got[m.Rcode]++
	}
	return got
}

func waiting(s *testServer) int {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	return s.flights.waiting
}

// A thousand equal questions are one upstream: no birthday helps who forges the answer (DNSpooq), whatever the clients say about
// subnets (RebirthDay). What one client gets of it at once is bounded (DNSBomb).
func TestEqualQuestionsAreOne(t *testing.T) {
	up, release := heldUpstream(t)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	sent := 0
	// arrived waits for what was sent, so that no burst is lost in the kernel.
	arrived := func() {
		nettest.Eventually(t, 10*time.Second, func() error {
			if got := waiting(s) + int(s.Stats()["limited"]); got != sent {
				return fmt.Errorf("%d questions arrived of %d", got, sent)
			}
			return nil
		})
	}
	var clients []*net.UDPConn
	for i := range 10 {
		conn := guest(t, fmt.Sprintf("127.10.0.%d", 100+i), s.at)
		clients = append(clients, conn)
		for id := range 100 {
			m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
			m.Id = uint16(id)
			if id%2 == 1 {
				m.SetEdns0(1232, false)
				m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IP{10, byte(i), byte(id), 0}}}
			}
			if _, err := conn.Write(packMsg(m)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		arrived()
	}
	const bombs = 2 * maxPulse
	bomber := guest(t, "127.10.0.99", s.at)
	if err := bomber.SetReadBuffer(1 << 20); err != nil { // it reads nothing until all of them are there
		t.Fatal(err)
	}
	for id := range bombs {
		send(t, bomber, uint16(id), "www.example.org.", dns.TypeA)
		sent++
		if id%64 == 63 {
			arrived()
		}
	}
	release()
	for _, conn := range clients {
		if got := replies(t, conn, 100, 10*time.Second); got[dns.RcodeSuccess] != 100 {
			t.Errorf("a client's 100 questions: answers %v", got)
		}
	}
	if got := replies(t, bomber, bombs, 10*time.Second); got[dns.RcodeSuccess] != maxPulse || got[dns.RcodeServerFailure] != bombs-maxPulse {
		t.Errorf("the bomber's answers: %v", got)
	}
	// Those that were sent because nothing came were for the same question.
	if n := up.queries.Load(); n > maxSends || s.Stats()["forwarded"] != 1000+maxPulse {
		t.Errorf("%d questions went upstream for %d answers", n, s.Stats()["forwarded"])
	}
}

// heldUpstream answers nothing until it is released.
func heldUpstream(t testing.TB) (up *fakeUpstream, release func()) {
	held := make(chan struct{})
	up = startUpstream(t, func(x exchange) { <-held; world(x) })
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	return up, release
}

// A client that asks again, as nothing has come yet, gets one answer.
func TestRepeatedQuestion(t *testing.T) {
	up, release := heldUpstream(t)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	conn := guest(t, "127.10.0.99", s.at)
	for range 20 {
		send(t, conn, 7, "www.example.org.", dns.TypeA)
	}
	nettest.Eventually(t, 10*time.Second, func() error {
		if got := s.Stats()["repeated"]; got != 19 {
			return fmt.Errorf("%d are repeated", got)
		}
		return nil
	})
	release()
	send(t, conn, 8, "builder.lab.internal.", dns.TypeA)
	if got := replies(t, conn, 2, 10*time.Second); got[dns.RcodeSuccess] != 2 {
		t.Errorf("got %v", got)
	}
	if got := s.Stats()["forwarded"]; got != 1 {
		t.Errorf("%d answers to one message", got)
	}
}

// Each question comes from another port, which is closed when the answer has come: there is nothing to find out by trying (SAD DNS).
func TestPorts(t *testing.T) {
	var mu sync.Mutex
	var ports []uint16
	up := startUpstream(t, func(x exchange) {
		mu.Lock()
		defer mu.Unlock()
		ports = append(ports, x.from.(*net.UDPAddr).AddrPort().Port())
		x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	const questions = 500
	for i := range questions {
		ask(t, "udp", s.at, fmt.Sprintf("n%d.example.org.", i), dns.TypeA)
	}
	mu.Lock()
	defer mu.Unlock()
	different, high := map[uint16]bool{}, 0
	for _, port := range ports {
		different[port] = true
		if port > 60999 {
			high++ // above what the kernel itself chooses from, by default
		}
		if int(port) < s.ports.low {
			t.Errorf("port %d is below the range", port)
		}
	}
	if len(ports) != questions || len(different) < questions-30 || s.ports.low == defaultLowPort && high == 0 {
		t.Errorf("%d questions came from %d ports, %d of them above 60999", len(ports), len(different), high)
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		conn, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", ports[questions-1]))
		if err != nil {
			return fmt.Errorf("the port of an answered question is still open: %w", err)
		}
		return conn.Close()
	})
}

func TestSourcePorts(t *testing.T) {
	for _, c := range []struct {
		local, reserved string
		low             int
		not             []int
	}{
		{"32768\t60999\n", "\n", 32768, nil},
		{"", "", 32768, nil},
		{"nonsense", "nonsense,-,5-", 32768, nil},
		{"10 60999", "", 1024, nil},
		{"65530 65534", "65531-65533,65535", 65530, []int{65531, 65532, 65533, 65535}},
		{"65530 65534", "1-65535", 65530, nil},
	} {
		p := parseSourcePorts([]byte(c.local), []byte(c.reserved))
		if p.low != c.low {
			t.Errorf("%q: from %d, want %d", c.local, p.low, c.low)
		}
		seen := map[int]bool{}
		for range 2000 {
			r := randomBits()
			port := p.pick(r[:4])
			seen[port] = true
			if port < c.low || port > 65535 || slices.Contains(c.not, port) {
				t.Fatalf("%q %q: port %d", c.local, c.reserved, port)
			}
		}
		if len(seen) < 2 {
			t.Errorf("%q %q: always %v", c.local, c.reserved, seen)
		}
	}
}

// Someone guesses IDs, and the upstream has no TCP: the question goes out again, from another port.
func TestGuessedIDWithoutTCP(t *testing.T) {
	var mu sync.Mutex
	ports := map[string]bool{}
	up := startUpstream(t, func(x exchange) {
		mu.Lock()
		ports[x.from.String()] = true
		n := len(ports)
		mu.Unlock()
		for range 100 {
			m := x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.66")
			m.Id += uint16(n)
			x.send(packMsg(m))
		}
		if n > 1 {
			x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
		}
	})
	_ = up.tcp.Close()
	var log journal
	s := startLogging(t, withUpstreams(t, up.addr), testLeases(), log.logger())
	if got, want := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)), "NOERROR: www.example.org. 300 A 192.0.2.1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i := range 50 {
		ask(t, "udp", s.at, fmt.Sprintf("n%d.example.org.", i), dns.TypeA)
	}
	if n := log.count("wrong IDs"); n != 1 {
		t.Errorf("%d lines say so", n)
	}
}

// The upstream of a domain can't say anything about other names, in whatever section (MaginotDNS).
func TestDomainUpstreamPoisonsNobody(t *testing.T) {
	good := startUpstream(t, world)
	evil := startUpstream(t, func(x exchange) {
		owner := x.query.Question[0].Name
		lines := []string{"www.example.org. 3600 A 192.0.2.66", "!example.org. 3600 NS ns.corp.example.", "!. 3600 NS ns.corp.example.", "+www.example.org. 3600 A 192.0.2.66", "+builder.lab.internal. 3600 A 192.0.2.66"}
		switch strings.ToLower(owner) {
		case "a.corp.example.":
			lines = append([]string{owner + " 3600 A 192.0.2.9"}, lines...)
		case "alias.corp.example.":
			lines = append([]string{owner + " 3600 CNAME www.example.org."}, lines...)
		case "dname.corp.example.":
			lines = append([]string{"example.org. 3600 DNAME corp.example.", owner + " 3600 CNAME www.example.org."}, lines...)
		}
		x.answer(dns.RcodeSuccess, lines...)
	})
	cfg := withUpstreams(t, good.addr)
	cfg.Upstreams = append(cfg.Upstreams, UpstreamGroup{Name: "corp", Domains: []string{"corp.example"}, Servers: []netip.AddrPort{evil.addr}})
	s := startServer(t, cfg, testLeases())
	for _, c := range []struct{ name, want string }{
		{"a.corp.example.", "NOERROR: a.corp.example. 3600 A 192.0.2.9"},
		{"alias.corp.example.", "NOERROR: alias.corp.example. 3600 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80"},
		{"dname.corp.example.", "NOERROR: dname.corp.example. 3600 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80"},
		{"nothing.corp.example.", "NOERROR:"},
		{"www.example.org.", "NOERROR: www.example.org. 300 A 192.0.2.80"},
		{"builder.lab.internal.", "NOERROR aa: builder.lab.internal. 60 A 127.10.0.10"},
	} {
		if got := brief(ask(t, "udp", s.at, c.name, dns.TypeA)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if evil.queries.Load() != 4 {
		t.Errorf("the domain's upstream was asked %d times, want 4", evil.queries.Load())
	}
}

// One question costs the upstreams a bounded number of messages, whatever they do (NXNSAttack).
func TestSendsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(exchange)
		most   int64
	}{
		{"silence", func(exchange) {}, maxSends},
		{"failure", func(x exchange) { x.answer(dns.RcodeServerFailure) }, 4},
		{"referrals", func(x exchange) {
			m := x.reply(dns.RcodeSuccess)
			for i := range 20 {
				rr, _ := dns.NewRR(fmt.Sprintf("example.org. 300 NS ns%d.victim.example.", i))
				m.Ns = append(m.Ns, rr)
			}
			m.RecursionAvailable = false
			x.send(packMsg(m))
		}, 4},
		{"no EDNS", func(x exchange) { x.answer(dns.RcodeFormatError) }, 8},
		{"another case", func(x exchange) {
			x.query.Question[0].Name = "wWw.ExAmPlE.oRg."
			x.answer(dns.RcodeServerFailure)
		}, 12},
		{"guesses", func(x exchange) {
			x.query.Id++
			x.answer(dns.RcodeServerFailure)
		}, maxSends + 4},
		{"a longer and longer chain", func(x exchange) {
			n := x.query.Question[0].Name
			x.answer(dns.RcodeSuccess, n+" 0 CNAME a"+strings.ToLower(n))
		}, maxChain + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var servers []netip.AddrPort
			var ups []*fakeUpstream
			for range 4 {
				up := startUpstream(t, c.script)
				_ = up.tcp.Close()
				ups, servers = append(ups, up), append(servers, up.addr)
			}
			s := startServer(t, withUpstreams(t, servers...), testLeases())
			r := ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
			if r.Rcode != dns.RcodeServerFailure {
				t.Errorf("got %s", brief(r))
			}
			total := int64(0)
			for _, up := range ups {
				total += up.queries.Load()
			}
			if total > c.most || total == 0 {
				t.Errorf("%d messages went upstream, want at most %d", total, c.most)
			}
		})
	}
}

// Messages that no sane server sends end the question, and nothing else.
func TestMonstrousAnswers(t *testing.T) {
	pointer := func(x exchange, rdata ...byte) []byte {
		m := packMsg(x.reply(dns.RcodeSuccess))
		m[7] = 1
		m = append(m, 0xc0, headerSize, 0, byte(dns.TypeCNAME), 0, 1, 0, 0, 1, 0, 0, byte(len(rdata)))
		return append(m, rdata...)
	}
	chain := func(x exchange, n int) []string {
		at, lines := x.query.Question[0].Name, []string(nil)
		for i := range n {
			next := fmt.Sprintf("l%d.example.org.", i)
			lines, at = append(lines, at+" 300 CNAME "+next), next
		}
		return append(lines, at+" 300 A 192.0.2.1")
	}
	for _, c := range []struct {
		name string
		send func(x exchange)
		ok   bool
	}{
		{"a pointer to itself", func(x exchange) { x.send(pointer(x, 0xc0, byte(headerSize+21+12))) }, false},
		{"a pointer forward", func(x exchange) { x.send(pointer(x, 0xc0, 0xff)) }, false},
		{"a pointer into the header", func(x exchange) { x.send(pointer(x, 0xc0, 2)) }, false},
		{"two pointers in a circle", func(x exchange) { x.send(pointer(x, 1, 'a', 0xc0, byte(headerSize+21+12))) }, false},
		{"a label of 64", func(x exchange) { x.send(pointer(x, append([]byte{64}, make([]byte, 65)...)...)) }, false},
		{"more records than there are", func(x exchange) {
			m := packMsg(x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1"))
			m[6], m[7] = 0xff, 0xff
			x.send(m)
		}, false},
		{"cut off", func(x exchange) {
			m := packMsg(x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1"))
			x.send(m[:len(m)-1])
		}, false},
		{"a chain of 10", func(x exchange) { x.answer(dns.RcodeSuccess, chain(x, 10)...) }, true},
		{"a chain of 12", func(x exchange) { x.answer(dns.RcodeSuccess, chain(x, 12)...) }, false},
		{"a chain of 500", func(x exchange) { x.answer(dns.RcodeSuccess, chain(x, 500)...) }, false},
		{"a loop", func(x exchange) {
			x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 CNAME l.example.org.", "l.example.org. 300 CNAME www.example.org.")
		}, false},
		{"60,000 bytes", func(x exchange) {
			var lines []string
			for i := range 250 {
				lines = append(lines, x.query.Question[0].Name+fmt.Sprintf(` 300 A 192.0.2.%d`, i))
				lines = append(lines, fmt.Sprintf(`+x%d.example.org. 300 TXT "%s"`, i, strings.Repeat("x", 200)))
			}
			x.answer(dns.RcodeSuccess, lines...)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := startUpstream(t, c.send)
			var log journal
			s := startLogging(t, withUpstreams(t, up.addr), testLeases(), log.logger())
			for range 3 {
				r := ask(t, "tcp", s.at, "www.example.org.", dns.TypeA)
				if ok := r.Rcode == dns.RcodeSuccess && len(r.Answer) > 0; ok != c.ok || !ok && r.Rcode != dns.RcodeServerFailure {
					t.Errorf("got %.200s", brief(r))
				}
			}
			if n := log.count("level=WARN"); n > 2 {
				t.Errorf("%d warnings", n)
			}
			if got := brief(ask(t, "udp", s.at, "builder.lab.internal.", dns.TypeA)); !strings.HasPrefix(got, "NOERROR aa") {
				t.Errorf("a local name: %s", got)
			}
		})
	}
}

// A flood of junk from the upstream's own address and port, before and among the answers (TuDoor).
func TestJunkEndsNothing(t *testing.T) {
	up := startUpstream(t, func(x exchange) {
		id := packMsg(x.query)[:2]
		for i := range 200 {
			junk := append(slices.Clone(id), bytes.Repeat([]byte{byte(i)}, i%40)...)
			if i%3 == 0 {
				junk[1]++ // also with wrong IDs, but no response: nobody guesses
			}
			if len(junk) > 2 {
				junk[2] &= 0x7f
			}
			x.send(junk)
		}
		x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
	})
	var log journal
	s := startLogging(t, withUpstreams(t, up.addr), testLeases(), log.logger())
	for i := range 20 {
		n := fmt.Sprintf("n%d.example.org.", i)
		if got, want := brief(ask(t, "udp", s.at, n, dns.TypeA)), "NOERROR: "+n+" 300 A 192.0.2.1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if n := log.count("answer nothing"); n != 1 || up.streams.Load() != 0 {
		t.Errorf("%d lines tell of it, %d questions went over TCP", n, up.streams.Load())
	}
}
