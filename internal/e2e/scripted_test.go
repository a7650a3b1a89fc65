package e2e

import (
	bytewise "encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// scripted is a DNS server on a host, UDP and TCP, that says what it is told to. A nil answer is silence.
type scripted struct {
	udp    net.PacketConn
	tcp    net.Listener
	script func(q *dns.Msg, tcp bool) *dns.Msg

	serving sync.WaitGroup
	mu      sync.Mutex // guards the rest
	conns   map[net.Conn]bool
}

// startScripted serves at an address of the host until the test ends.
func startScripted(t *testing.T, h *nettest.Host, at string, script func(q *dns.Msg, tcp bool) *dns.Msg) *scripted {
	t.Helper()
	s := &scripted{script: script, conns: map[net.Conn]bool{}}
	h.Do(t, func() {
		var err error
		if s.udp, err = net.ListenPacket("udp", at); err == nil {
			s.tcp, err = net.Listen("tcp", at)
		}
		if err != nil {
			t.Errorf("the scripted server: %v", err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	for range 4 {
		s.serving.Go(s.serveUDP)
	}
	s.serving.Go(s.accept)
	t.Cleanup(func() {
		_ = s.udp.Close()
		_ = s.tcp.Close()
		s.mu.Lock()
		for conn := range s.conns {
			_ = conn.Close()
		}
		s.mu.Unlock()
		s.serving.Wait()
	})
	return s
}

func (s *scripted) serveUDP() {
	buffer := make([]byte, 65535)
	for {
		n, from, err := s.udp.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := s.answer(slices.Clone(buffer[:n]), false); reply != nil {
			_, _ = s.udp.WriteTo(reply, from)
		}
	}
}

func (s *scripted) accept() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		s.serving.Go(func() { s.stream(conn) })
	}
}

func (s *scripted) stream(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	for {
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		raw := make([]byte, bytewise.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, raw); err != nil {
			return
		}
		if reply := s.answer(raw, true); reply != nil {
			if _, err := conn.Write(append(bytewise.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
				return
			}
		}
	}
}

// answer makes the message that the script asks for fit: what doesn't is cut off with TC, as servers do.
func (s *scripted) answer(raw []byte, tcp bool) []byte {
	q := new(dns.Msg)
	if q.Unpack(raw) != nil || q.Response {
		return nil
	}
	m := s.script(q, tcp)
	if m == nil {
		return nil
	}
	m.Compress = true
	if opt := q.IsEdns0(); opt != nil && m.IsEdns0() == nil && m.Rcode != dns.RcodeFormatError {
		m.SetEdns0(1232, opt.Do())
	}
	if !tcp {
		size := 512
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, min(int(opt.UDPSize()), 1232))
		}
		if m.Len() > size {
			m.Answer, m.Ns, m.Truncated = nil, nil, true
		}
	}
	wire, err := m.Pack()
	if err != nil {
		return nil
	}
	return wire
}

// dial opens a connection from a host.
func dial(t *testing.T, h *nettest.Host, network, at string) net.Conn {
	t.Helper()
	var conn net.Conn
	h.Do(t, func() {
		var err error
		if conn, err = net.DialTimeout(network, at, 10*time.Second); err != nil {
			t.Errorf("%s: %s %s: %v", h.Name, network, at, err)
		}
	})
	if conn == nil {
		t.FailNow()
	}
	return conn
}
