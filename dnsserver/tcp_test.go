package dnsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// dialFrom opens a connection from an address of ours.
func dialFrom(t testing.TB, from, to string) *net.TCPConn {
	t.Helper()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

func framed(m *dns.Msg) []byte { return appendFramed(nil, packMsg(m)) }

// ended waits until the server has closed a connection, and returns what came before.
func ended(t testing.TB, conn net.Conn) []byte {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection is still open after a minute")
	}
	return got
}

// A client that has asked everything may close its side: RFC 7766 section 6.2.4 lets it have its answers, also those that take a while.
func TestHalfClosedConnectionsGetTheirAnswers(t *testing.T) {
	release := make(chan struct{})
	up := startUpstream(t, func(x exchange) {
		<-release
		world(x)
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	conn := dialFrom(t, "", s.at)
	var all []byte
	for i, n := range []string{"www.example.org.", "vm1.lab.internal.", "builder.lab.internal.", "alias.example.org."} {
		m := new(dns.Msg).SetQuestion(n, dns.TypeA)
		m.Id = uint16(i)
		all = append(all, framed(m)...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answered := map[uint16]bool{}
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for i := range 4 {
		if i == 2 {
			close(release) // both local names came first
		}
		m, err := (&dns.Conn{Conn: conn}).ReadMsg()
		if err != nil {
			t.Fatalf("after %d answers: %v", i, err)
		}
		answered[m.Id] = true
	}
	if len(answered) != 4 {
		t.Errorf("answered: %v", answered)
	}
	if rest := ended(t, conn); len(rest) != 0 {
		t.Errorf("and %x", rest)
	}
}

// Connections that cost a place and give nothing lose it: silent ones, and those with a message that doesn't end.
func TestSlowConnectionsLoseTheirPlace(t *testing.T) {
	s := startServer(t, labs(freePort(t)), testLeases())
	question := framed(new(dns.Msg).SetQuestion("vm1.lab.internal.", dns.TypeA))
	for _, c := range []struct {
		name  string
		write [][]byte
	}{
		{"silent", nil},
		{"half a length", [][]byte{{0}}},
		{"a length alone", [][]byte{{0, 40}}},
		{"half a message", [][]byte{question[:20]}},
		{"a message in drops", eachByte(question)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := dialFrom(t, "", s.at)
			go func() {
				for _, b := range c.write {
					if _, err := conn.Write(b); err != nil {
						return
					}
					time.Sleep(300 * time.Millisecond)
				}
			}()
			if got := ended(t, conn); len(got) != 0 {
				t.Errorf("answered by %x", got)
			}
		})
	}
}

// eachByte is a message a byte at a time.
func eachByte(b []byte) (each [][]byte) {
	for i := range b {
		each = append(each, b[i:i+1])
	}
	return each
}

// Who asks and asks and never reads is read from no more, and loses the connection; nobody else waits for it.
func TestAClientThatNeverReads(t *testing.T) {
	cfg := labs(freePort(t))
	record := Record{Name: "big", Type: "TXT"}
	for i := range 200 {
		record.Values = append(record.Values, fmt.Sprintf("%0250d", i))
	}
	cfg.Networks[0].Records = append(cfg.Networks[0].Records, record)
	s := startServer(t, cfg, testLeases())
	conn := dialFrom(t, "", s.at)
	_ = conn.SetReadBuffer(4096)
	question := framed(new(dns.Msg).SetQuestion("big.lab.internal.", dns.TypeTXT))
	_ = conn.SetWriteDeadline(time.Now().Add(time.Minute))
	written := 0
	for {
		n, err := conn.Write(question)
		written += n
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
			break
		}
		if written > 64<<20 {
			t.Fatal("64 MiB of questions are taken without an answer read")
		}
		if written%(1000*len(question)) == 0 {
			ask(t, "tcp", s.at, "vm1.lab.internal.", dns.TypeA)
		}
	}
	if got := s.stats[sendFailed].Load(); got == 0 {
		t.Error("the lost answers aren't counted")
	}
}

// A flood of connections takes every place but those of others' use: what is idle in a crowd gives its place back in a moment.
func TestAFloodOfConnections(t *testing.T) {
	s := startServer(t, labs(freePort(t)), testLeases())
	open := 0
	for i := range maxConns/maxConnsPerClient + 4 {
		from := fmt.Sprintf("127.10.0.%d", 50+i)
		for range maxConnsPerClient + 2 {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
			conn, err := dialer.Dial("tcp", s.at)
			if err != nil {
				if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(err)
				}
				continue
			}
			defer conn.Close()
			open++
		}
	}
	if open < maxConns {
		t.Fatalf("only %d connections", open)
	}
	s.tcp.mu.Lock()
	total := s.tcp.total
	for who, n := range s.tcp.clients {
		if n > maxConnsPerClient {
			t.Errorf("%s has %d connections", who, n)
		}
	}
	s.tcp.mu.Unlock()
	if total > maxConns {
		t.Errorf("%d connections", total)
	}
	// UDP never waits for it.
	if got := brief(ask(t, "udp", s.at, "vm1.lab.internal.", dns.TypeA)); !strings.HasPrefix(got, "NOERROR aa: vm1") {
		t.Errorf("over UDP: %s", got)
	}
	// A newcomer, who tries again as every client does, comes in while the flood still holds on.
	nettest.Eventually(t, 30*time.Second, func() error {
		conn, err := net.Dial("tcp", s.at)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(framed(new(dns.Msg).SetQuestion("vm1.lab.internal.", dns.TypeA))); err != nil {
			return err
		}
		var length [2]byte
		_, err = io.ReadFull(conn, length[:])
		return err
	})
	if s.stats[busy].Load() == 0 {
		t.Error("nobody was refused")
	}
}

// What a client that asks is told, RFC 7828, is what the server does: in a crowd it is less.
func TestIdleTimeIsTold(t *testing.T) {
	bounds := newTCPBounds()
	if got := bounds.idle(); got != idleFor {
		t.Errorf("%v for nobody", got)
	}
	for i := range crowded + 1 {
		if !bounds.enter(netip.AddrFrom4([4]byte{192, 0, 2, byte(i / maxConnsPerClient)}), false) {
			t.Fatal("no room")
		}
	}
	if got := bounds.idle(); got != hurried {
		t.Errorf("%v in a crowd", got)
	}
	bounds.leave(netip.AddrFrom4([4]byte{192, 0, 2, 0}), false)
	if got := bounds.idle(); got != idleFor {
		t.Errorf("%v after it", got)
	}
}

// Messages that say nothing cost nothing, and the next question is answered.
func TestEmptyAndForeignMessagesOverTCP(t *testing.T) {
	s := startServer(t, labs(freePort(t)), testLeases())
	conn := dialFrom(t, "", s.at)
	var all []byte
	for i := range 300 {
		junk := make([]byte, i%13)
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(junk))), junk...)
	}
	response := new(dns.Msg).SetQuestion("vm1.lab.internal.", dns.TypeA)
	response.Response = true
	all = append(all, framed(response)...)
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		_, _ = conn.Write(append(all, framed(new(dns.Msg).SetQuestion("vm1.lab.internal.", dns.TypeA))...))
	}()
	formerrs := 0
	for {
		m, err := (&dns.Conn{Conn: conn}).ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		if m.Rcode == dns.RcodeSuccess && len(m.Answer) == 1 {
			break
		}
		if m.Rcode != dns.RcodeFormatError {
			t.Fatalf("answered by %v", m)
		}
		formerrs++
	}
	if formerrs != 300/13 {
		t.Errorf("%d messages of 12 zero bytes are answered", formerrs)
	}
}
