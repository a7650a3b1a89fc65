package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) { nettest.Main(m) }

// leaseMap is LeaseNames of a map: network, name and address to the lease's remainder.
type leaseMap struct {
	mu     sync.Mutex
	leases map[[2]string]testLease
}

type testLease struct {
	addr      netip.Addr
	remaining time.Duration
}

func (m *leaseMap) set(network, label, addr string, remaining time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases == nil {
		m.leases = map[[2]string]testLease{}
	}
	if addr == "" {
		delete(m.leases, [2]string{network, label})
		return
	}
	m.leases[[2]string{network, label}] = testLease{netip.MustParseAddr(addr), remaining}
}

func (m *leaseMap) AddrOf(network string, label []byte, _ time.Time) (netip.Addr, time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.leases[[2]string{network, string(label)}]
	return l.addr, l.remaining, ok
}

func (m *leaseMap) NameOf(network string, addr netip.Addr, _ time.Time) (string, time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, l := range m.leases {
		if key[0] == network && l.addr == addr {
			return key[1], l.remaining, true
		}
	}
	return "", 0, false
}

// labs is two networks on loopback, with something of everything.
func labs(port uint16) Config {
	return Config{
		Port: port, HostName: "Router",
		Networks: []Network{{
			Name: "lab", Domain: "lab.internal", Address: netip.MustParsePrefix("127.10.0.1/24"), MaxTTL: 60 * time.Second,
			Clients: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
			Hosts: []Host{
				{Name: "Builder", Aliases: []string{"ci"}, Addr: netip.MustParseAddr("127.10.0.10")},
				{Name: "six", Addr: netip.MustParseAddr("2001:db8::6")},
			},
			Records: []Record{
				{Name: "registry", Type: "CNAME", Values: []string{"builder"}},
				{Name: "away", Type: "CNAME", Values: []string{"www.example.org."}},
				{Name: "loop1", Type: "CNAME", Values: []string{"loop2"}},
				{Name: "loop2", Type: "CNAME", Values: []string{"loop1"}},
				{Name: "nowhere", Type: "CNAME", Values: []string{"missing"}},
				{Name: "@", Type: "MX", Values: []string{"10 mail", "20 mail.example.org."}, TTL: 5 * time.Minute},
				{Name: "mail", Type: "A", Values: []string{"127.10.0.25", "127.10.0.26"}},
				{Name: "@", Type: "txt", Values: []string{`"v=spf1 -all"`}},
				{Name: "_http._tcp", Type: "SRV", Values: []string{"0 5 80 builder"}},
				{Name: "@", Type: "CAA", Values: []string{`0 issue "ca.example.org"`}},
				{Name: "@", Type: "NAPTR", Values: []string{`100 10 "S" "SIP+D2U" "" _sip._udp`}},
				{Name: "odd", Type: "TYPE65280", Values: []string{`\# 3 010203`}},
				{Name: "*.apps", Type: "A", Values: []string{"127.10.0.80"}},
				{Name: "fixed.apps", Type: "TXT", Values: []string{"fixed"}},
				{Name: "127.0.10.127.in-addr.arpa.", Type: "PTR", Values: []string{"special"}},
				{Name: "pinned.example.org.", Type: "A", Values: []string{"127.10.0.99"}},
				{Name: "dotted\\.label", Type: "A", Values: []string{"127.10.0.98"}},
			},
		}, {
			Name: "dev", Domain: "dev.internal", Address: netip.MustParsePrefix("127.11.0.129/25"),
			Hosts: []Host{{Name: "db", Addr: netip.MustParseAddr("127.11.0.130")}},
		}},
	}
}

// nested is networks whose domains are below that of the network lab.
func nested() []Network {
	return []Network{
		{Name: "sub", Domain: "sub.lab.internal", Address: netip.MustParsePrefix("127.12.0.1/24"), Hosts: []Host{{Name: "x", Addr: netip.MustParseAddr("127.12.0.7")}}},
		{Name: "far", Domain: "far.deep.lab.internal", Address: netip.MustParsePrefix("127.13.0.1/24")},
	}
}

// testServer is a server that runs for a test.
type testServer struct {
	*Server
	t       testing.TB
	at, dev string // where the networks of labs listen
}

func freePort(t testing.TB) uint16 {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.10.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func startServer(t testing.TB, cfg Config, names LeaseNames) *testServer {
	t.Helper()
	return startLogging(t, cfg, names, slog.New(slog.DiscardHandler))
}

// startLogging is startServer with a log.
func startLogging(t testing.TB, cfg Config, names LeaseNames, log *slog.Logger) *testServer {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	s, err := Listen(cfg, names, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if s.stats[recovered].Load() != 0 {
			t.Error("a panic was caught")
		}
		goleak.VerifyNone(t, leaks)
	})
	port := netip.AddrPortFrom(netip.Addr{}, cfg.Port).Port()
	at := func(s string) string { return netip.AddrPortFrom(netip.MustParseAddr(s), port).String() }
	return &testServer{s, t, at("127.10.0.1"), at("127.11.0.129")}
}

// ask sends a question over network udp or tcp and returns the answer.
func ask(t testing.TB, network, server, name string, qtype uint16, change ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	for _, f := range change {
		f(m)
	}
	client := dns.Client{Net: network, Timeout: 10 * time.Second, UDPSize: 4096}
	r, _, err := client.Exchange(m, server)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.Type(qtype), err)
	}
	return r
}

func edns(size uint16, do bool) func(*dns.Msg) { return func(m *dns.Msg) { m.SetEdns0(size, do) } }

// brief writes an answer as "RCODE flags: records", authority after a slash.
func brief(m *dns.Msg) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[m.Rcode])
	if m.Authoritative {
		b.WriteString(" aa")
	}
	if m.Truncated {
		b.WriteString(" tc")
	}
	if m.AuthenticatedData {
		b.WriteString(" ad")
	}
	section := func(records []dns.RR) {
		for i, rr := range records {
			if i > 0 {
				b.WriteString("; ")
			}
			if soa, ok := rr.(*dns.SOA); ok && soa.Serial != 1 {
				soa.Serial = 0
			}
			b.WriteString(strings.Join(strings.Fields(strings.Replace(rr.String(), "\tIN\t", "\t", 1)), " "))
		}
	}
	b.WriteString(": ")
	section(m.Answer)
	if len(m.Ns) > 0 {
		if len(m.Answer) > 0 {
			b.WriteString(" ")
		}
		b.WriteString("/ ")
		section(m.Ns)
	}
	return strings.TrimSpace(b.String())
}

// fakeUpstream is a scripted server on loopback, UDP and TCP on one port.
type fakeUpstream struct {
	addr    netip.AddrPort
	udp     net.PacketConn
	tcp     net.Listener
	queries atomic.Int64 // over UDP
	streams atomic.Int64 // TCP connections
	script  func(exchange)
	probes  atomic.Bool // that the script gets also the questions that look for loops
}

// exchange is one query that the fake got.
type exchange struct {
	query *dns.Msg
	tcp   bool
	from  net.Addr
	send  func([]byte)
}

// answer sends the records as the answer; lines starting with "!" go to the authority section, "+" to the additional.
func (x exchange) answer(rcode int, lines ...string) { x.send(packMsg(x.reply(rcode, lines...))) }

func (x exchange) reply(rcode int, lines ...string) *dns.Msg {
	m := new(dns.Msg).SetRcode(x.query, rcode)
	m.RecursionAvailable, m.Compress = true, true
	for _, line := range lines {
		section := &m.Answer
		switch line[0] {
		case '!':
			section, line = &m.Ns, line[1:]
		case '+':
			section, line = &m.Extra, line[1:]
		}
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		*section = append(*section, rr)
	}
	return m
}

func packMsg(m *dns.Msg) []byte {
	wire, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return wire
}

func startUpstream(t testing.TB, script func(exchange)) *fakeUpstream {
	t.Helper()
	for range 20 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if listener, err := net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return runUpstream(t, udp, listener, script)
		}
		_ = udp.Close()
	}
	t.Fatal("no port for a fake upstream")
	return nil
}

// runUpstream is startUpstream on sockets that are there.
func runUpstream(t testing.TB, udp net.PacketConn, listener net.Listener, script func(exchange)) *fakeUpstream {
	t.Helper()
	f := &fakeUpstream{script: script, udp: udp, tcp: listener, addr: netip.MustParseAddrPort(udp.LocalAddr().String())}
	var serving sync.WaitGroup
	serving.Go(f.serveUDP)
	serving.Go(func() { f.serveTCP(listener) })
	t.Cleanup(func() {
		_ = f.udp.Close()
		_ = listener.Close()
		serving.Wait()
	})
	return f
}

func (f *fakeUpstream) serveUDP() {
	buffer := make([]byte, 65535)
	for {
		n, from, err := f.udp.ReadFrom(buffer)
		if err != nil {
			return
		}
		m := new(dns.Msg)
		// An answer may be one of its own, sent to all ports: to answer that would go on for ever.
		if m.Unpack(slices.Clone(buffer[:n])) != nil || m.Response {
			continue
		}
		if m.Question[0].Qtype == probeType && !f.probes.Load() {
			_, _ = f.udp.WriteTo(packMsg(m.SetRcode(m, dns.RcodeNameError)), from)
			continue
		}
		f.queries.Add(1)
		f.script(exchange{query: m, from: from, send: func(b []byte) { _, _ = f.udp.WriteTo(b, from) }})
	}
}

func (f *fakeUpstream) serveTCP(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		f.streams.Add(1)
		f.stream(conn)
	}
}

func (f *fakeUpstream) stream(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	var length [2]byte
	for {
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		raw := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, raw); err != nil {
			return
		}
		m := new(dns.Msg)
		if m.Unpack(raw) != nil {
			return
		}
		f.script(exchange{query: m, tcp: true, from: conn.RemoteAddr(), send: func(b []byte) {
			_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
		}})
	}
}
