package dnsserver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"labnet/internal/succession"
)

// Left is what a server leaves to the next beside its sockets: questions that wait for upstreams, and connections.
type Left struct {
	Questions   []Unanswered `json:"questions,omitempty"`
	Connections []Connection `json:"connections,omitempty"`
}

// Unanswered is a message that has no answer yet.
type Unanswered struct {
	At      netip.AddrPort `json:"at"` // the address asked
	From    netip.AddrPort `json:"from"`
	Message []byte         `json:"message"`
}

// Connection is a client's TCP connection, whose socket is kept under a name.
type Connection struct {
	Name   string `json:"name"`
	Unread []byte `json:"unread,omitempty"` // what came before that which is in the socket
}

// mostLeft bounds how many connections are left to the next server.
const mostLeft = 1024

// Leave has the end of Run leave everything to the next server: it ends without waiting for upstreams. Call it before that.
func (s *Server) Leave() { s.leaving.Store(true) }

// Left is what Run has left. Call it after that.
func (s *Server) Left() Left { return s.left }

// TakeUp has a server go on with what a former one has left. Call it before Run.
func (s *Server) TakeUp(left Left) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.former = left
}

// takeUp begins with what a former server has left. s.mu is held, and the listeners run.
func (s *Server) takeUp() {
	former := s.former
	s.former = Left{}
	for _, l := range s.listeners {
		for _, conn := range l.inheritConnections(former.Connections) {
			l.attend(conn.conn, conn.unread)
		}
	}
	for _, q := range former.Questions {
		l := s.listeners[q.At]
		if l == nil || !q.From.IsValid() || len(q.Message) > maxQuery {
			continue // a network that is gone, and its guests with it
		}
		l.pending.Add(1)
		back := l.udp[0]
		if reply, pending := s.serve(q.Message, client{addr: q.From, at: q.At, back: back, ledger: &back.ledger}, nil); !pending {
			back.answer(reply, q.From)
		}
	}
}

// leave ends the reading and takes off their flights all who wait. s.mu is held.
func (s *Server) leave() {
	var quiet sync.WaitGroup
	for _, l := range s.listeners {
		quiet.Go(l.quiet)
	}
	quiet.Wait()
	// Those whose flight lands in this moment are being answered, or wait for another flight at once.
	for end := time.Now().Add(drainFor); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for _, l := range s.flights.strand() {
			s.strand(l)
		}
		waiting := int64(0)
		for _, l := range s.listeners {
			waiting += l.pending.Load()
		}
		if waiting == 0 {
			return
		}
	}
}

// strand takes all who wait off their flights.
func (f *flights) strand() (all []*lookup) {
	f.mu.Lock()
	var active []*flight
	for _, fl := range f.active {
		active = append(active, fl)
	}
	f.mu.Unlock()
	for _, fl := range active {
		all = append(all, f.dismiss(fl, false)...)
	}
	return all
}

// strand notes a question for the next server, and says nothing to who asked. s.mu is held.
func (s *Server) strand(l *lookup) {
	message := l.message()
	switch back := l.client.back.(type) {
	case *udpSocket:
		s.left.Questions = append(s.left.Questions, Unanswered{At: l.client.at, From: l.client.addr, Message: message})
	case *connection:
		back.mu.Lock()
		back.stranded = appendFramed(back.stranded, message)
		back.mu.Unlock()
	}
	l.client.reply(nil)
}

// message is the query as its client has sent it, but for options that are nobody's.
func (q *query) message() []byte {
	m := make([]byte, headerSize, headerSize+len(q.question)+64)
	binary.BigEndian.PutUint16(m, q.id)
	set := func(at int, bit byte, on bool) {
		if on {
			m[at] |= bit
		}
	}
	set(2, 0x01, q.rd)
	set(3, 0x20, q.ad)
	set(3, 0x10, q.cd)
	set(5, 1, q.question != nil)
	set(11, 1, q.edns)
	m = append(m, q.question...)
	if !q.edns {
		return m
	}
	var options []byte
	if q.cookied {
		options = append(options, 0, dns.EDNS0COOKIE, 0, clientCookie)
		options = append(options, q.cookie[:clientCookie]...)
	}
	if q.asksIdle {
		options = append(options, 0, dns.EDNS0TCPKEEPALIVE, 0, 0)
	}
	m = append(m, 0, 0, byte(dns.TypeOPT))
	m = binary.BigEndian.AppendUint16(m, q.size)
	m = append(m, 0, q.version, 0, 0)
	set(len(m)-2, 0x80, q.do)
	m = binary.BigEndian.AppendUint16(m, uint16(len(options)))
	return append(m, options...)
}

// leaveWithin bounds the wait for clients that don't read their answers.
const leaveWithin = 100 * time.Millisecond

// letReadersLeave waits until the connections are left to the next server.
func (l *listener) letReadersLeave() {
	left := make(chan struct{})
	go func() { l.readers.Wait(); close(left) }()
	select {
	case <-left:
	case <-time.After(leaveWithin):
	}
}

// leave keeps a connection for the next server, if there will be one and the client is still there.
func (c *connection) leave() {
	s := c.listener.server
	if !s.leaving.Load() || !c.listener.stopping() || c.broken || !c.resumes {
		return
	}
	s.leftMu.Lock()
	defer s.leftMu.Unlock()
	if len(s.left.Connections) >= mostLeft {
		return
	}
	name := fmt.Sprintf("conn_%d", len(s.left.Connections))
	if err := keepOf(c.conn, func(fd int) error { return s.estate.Keep(name, fd) }); err != nil {
		return // its client asks again
	}
	s.left.Connections = append(s.left.Connections, Connection{Name: name, Unread: append(bytes.Clone(c.stranded), c.unread...)})
}

type formerConnection struct {
	conn   *net.TCPConn
	unread []byte
}

// inheritConnections takes over the connections to the listener's address.
func (l *listener) inheritConnections(left []Connection) (all []formerConnection) {
	for _, one := range left {
		fd, ok := l.server.estate.TakeOne(func(s succession.Socket) bool {
			local := netip.AddrPortFrom(s.Local.Addr().Unmap(), s.Local.Port())
			return s.Name == one.Name && s.Kind == unix.SOCK_STREAM && s.Connected && local == l.bound()
		})
		if !ok {
			continue
		}
		file := os.NewFile(uintptr(fd), one.Name)
		conn, err := net.FileConn(file)
		_ = file.Close()
		if err != nil {
			continue
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			all = append(all, formerConnection{tcp, one.Unread})
		} else {
			_ = conn.Close()
		}
	}
	return all
}
