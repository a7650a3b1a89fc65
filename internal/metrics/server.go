package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/portowner"
)

// What a connection may take: headers of a scrape are a few hundred bytes, and an answer of ours some ten thousand.
const (
	headerIn   = 5 * time.Second
	answerOut  = 10 * time.Second
	idleFor    = 2 * time.Minute // beyond the interval at which one is scraped
	maxHeaders = 16 << 10
	// endWithin is how long answers under way may take when the port is closed.
	endWithin = 2 * time.Second
	// tryEvery is how soon a port that was taken is tried again.
	tryEvery = 5 * time.Second
)

// Server serves a handler on a TCP port, which may change, or be none.
type Server struct {
	handler http.Handler
	log     *slog.Logger

	mu      sync.Mutex     // guards the rest
	port    *port          // nil: none
	wanted  netip.AddrPort // invalid, or the port that couldn't be had yet
	missing error          // why not
	running bool
	ended   bool
	serving sync.WaitGroup
}

// port is an open port.
type port struct {
	at       netip.AddrPort
	listener *guard
	http     *http.Server
	closed   atomic.Bool // on purpose
}

// close lets the port go at once; what is under way is still answered.
func (p *port) close() {
	p.closed.Store(true)
	_ = p.listener.Close()
}

// PortTakenError says who has the port.
type PortTakenError struct {
	Addr    netip.AddrPort
	Process string // "" when it isn't visible from here
	PID     int
}

func (e *PortTakenError) Error() string {
	owner := "another process"
	if e.PID != 0 {
		owner = fmt.Sprintf("%s (pid %d)", e.Process, e.PID)
	}
	return fmt.Sprintf("port %d/tcp of %s is taken by %s", e.Addr.Port(), e.Addr.Addr(), owner)
}

// Unwrap gives EADDRINUSE.
func (e *PortTakenError) Unwrap() error { return syscall.EADDRINUSE }

// Listen opens the port, or none where at is invalid; Run serves. An address that the host hasn't got yet is fine. A port that can't be had is tried again
// until it can: guests must not go without their network for it. Missing says why meanwhile. The caller calls Run, or Close if it never will.
func Listen(at netip.AddrPort, handler http.Handler, log *slog.Logger) *Server {
	s := &Server{handler: handler, log: log}
	if err := s.Reconfigure(at); err != nil {
		s.wanted, s.missing = at, err
		log.Error("metrics are not served yet; it is tried again", "err", err)
	}
	return s
}

// Missing is why the port of the configuration isn't open; nil if it is, or there is none to be. It may be called by any goroutine.
func (s *Server) Missing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing
}

// again tries to open a port that couldn't be had.
func (s *Server) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.missing == nil {
		return
	}
	p, err := s.open(s.wanted)
	if err != nil {
		s.missing = err
		return
	}
	s.port, s.missing, s.wanted = p, nil, netip.AddrPort{}
	s.serve()
}

// Reconfigure moves to another port, or to none where at is invalid. After an error nothing has changed. It may be called by any goroutine.
func (s *Server) Reconfigure(at netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.missing != nil && s.wanted == at {
		return nil // it is tried anyway
	}
	if s.port != nil && s.port.at == at || s.port == nil && !at.IsValid() {
		s.wanted, s.missing = netip.AddrPort{}, nil
		return nil
	}
	old := s.port
	next, err := s.open(at)
	if err != nil && old != nil && covers(old.at, at) {
		// In each other's way: the old one goes first, and comes back if that was for nothing.
		old.close()
		if next, err = s.open(at); err != nil {
			var backErr error
			if s.port, backErr = s.open(old.at); backErr == nil && s.running {
				s.serve()
				s.retire(old)
			}
			return errors.Join(err, backErr)
		}
	}
	if err != nil {
		return err
	}
	s.port, s.wanted, s.missing = next, netip.AddrPort{}, nil
	switch {
	case s.running:
		s.serve()
		s.retire(old)
	case old != nil:
		old.close()
	}
	return nil
}

// covers tells whether two addresses can't be listened on at a time.
func covers(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && (a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// open opens a port, or none.
func (s *Server) open(at netip.AddrPort) (*port, error) {
	if !at.IsValid() {
		return nil, nil
	}
	config := net.ListenConfig{Control: freebind(at), KeepAlive: -1}
	listener, err := config.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, explained(at, err)
	}
	p := &port{at: at, listener: newGuard(listener)}
	p.http = &http.Server{
		Handler: s.handler, ConnState: p.listener.state, ReadHeaderTimeout: headerIn, ReadTimeout: headerIn, WriteTimeout: answerOut,
		IdleTimeout: idleFor, MaxHeaderBytes: maxHeaders, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// freebind allows an address that isn't there yet: a bridge may get it after us, or lose and regain it.
func freebind(at netip.AddrPort) func(network, address string, raw syscall.RawConn) error {
	level, option := unix.SOL_IP, unix.IP_FREEBIND
	if at.Addr().Is6() {
		level, option = unix.SOL_IPV6, unix.IPV6_FREEBIND
	}
	return func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, 1) })
		return errors.Join(err, failed)
	}
}

func explained(at netip.AddrPort, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listening for metrics on %s: %w", at, err)
	}
	taken := &PortTakenError{Addr: at}
	holders, _ := portowner.Holders("tcp", at.Port()) // where it can't be known, it isn't said
	for _, h := range holders {
		if h.Receives(at.Addr()) || at.Addr().IsUnspecified() {
			taken.PID, taken.Process = h.PID, h.Process
			break
		}
	}
	return fmt.Errorf("listening for metrics: %w; name another port in the metrics block", taken)
}

// serve begins to serve the port. s.mu is held.
func (s *Server) serve() {
	p := s.port
	if p == nil {
		return
	}
	s.log.Info("serving metrics", "addr", p.at)
	s.serving.Go(func() {
		if err := p.http.Serve(p.listener); !p.closed.Load() {
			// Guests are served all the same.
			s.log.Error("metrics are not served any more", "addr", p.at, "err", err)
		}
	})
}

// retire closes a port that was served, and lets what is under way be answered. s.mu is held.
func (s *Server) retire(p *port) {
	if p == nil {
		return
	}
	p.close() // so that the port can be had again at once
	s.serving.Go(func() {
		stop, cancel := context.WithTimeout(context.Background(), endWithin)
		defer cancel()
		if p.http.Shutdown(stop) != nil {
			_ = p.http.Close()
		}
	})
}

// Run serves until ctx ends, then lets what is under way be answered, for two seconds at most. It is called once, and returns nil.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.serve()
	s.mu.Unlock()
	try := time.NewTicker(tryEvery)
	defer try.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-try.C:
			s.again()
		}
	}
	s.mu.Lock()
	s.ended = true
	s.retire(s.port)
	s.mu.Unlock()
	s.serving.Wait()
	return nil
}

// Close closes the port of a server that Run was never called for.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.port != nil && !s.running {
		s.port.close()
	}
}
