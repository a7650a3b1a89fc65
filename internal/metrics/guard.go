package metrics

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Bounds on connections. Prometheus needs one or two, and so does a probe.
const (
	maxConnections = 128
	maxPerClient   = 16
)

// guard is a listener that has room for the next one who comes: where there is none, the connection goes that has been without a whole
// request for the longest, of the same client if that has its share. Who only opens connections, or sends requests byte by byte,
// displaces nobody but who does likewise.
type guard struct {
	net.Listener

	mu    sync.Mutex // guards seats
	seats []*seat    // in the order in which they last had a request, or came
}

// seat is a connection.
type seat struct {
	conn   net.Conn
	client netip.Addr
	busy   bool // a request is being answered
}

func newGuard(l net.Listener) *guard { return &guard{Listener: l} }

// Accept implements net.Listener.
func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g.enter(conn) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// enter makes room for a connection, and tells whether there is some.
func (g *guard) enter(conn net.Conn) bool {
	client := clientOf(conn)
	g.mu.Lock()
	defer g.mu.Unlock()
	own := 0
	for _, s := range g.seats {
		if s.client == client {
			own++
		}
	}
	switch {
	case own >= maxPerClient:
		if !g.evict(func(s *seat) bool { return s.client == client }) {
			return false
		}
	case len(g.seats) >= maxConnections:
		if !g.evict(func(*seat) bool { return true }) {
			return false
		}
	}
	g.seats = append(g.seats, &seat{conn: conn, client: client})
	return true
}

// evict closes the first connection of those that may be closed, and that nobody is being answered on. g.mu is held.
func (g *guard) evict(may func(*seat) bool) bool {
	for i, s := range g.seats {
		if !s.busy && may(s) {
			_ = s.conn.Close()
			g.seats = append(g.seats[:i], g.seats[i+1:]...)
			return true
		}
	}
	return false
}

// state is told by the HTTP server how a connection is.
func (g *guard) state(conn net.Conn, state http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, s := range g.seats {
		if s.conn != conn {
			continue
		}
		g.seats = append(g.seats[:i], g.seats[i+1:]...)
		if state != http.StateClosed && state != http.StateHijacked {
			s.busy = state == http.StateActive
			g.seats = append(g.seats, s)
		}
		return
	}
}

func clientOf(conn net.Conn) netip.Addr {
	if at, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return at.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
