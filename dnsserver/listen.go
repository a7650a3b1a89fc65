package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener is the sockets at one address: a UDP socket for each CPU, among which the kernel shares out the clients, and
// one for TCP, which alone can tell that the port is taken.
type listener struct {
	server *Server
	at     netip.AddrPort
	udp    []*udpSocket
	tcp    *net.TCPListener

	workers sync.WaitGroup // of udp
	readers sync.WaitGroup // of tcp
	pending atomic.Int64   // questions that were left to flights
	done    chan struct{}
	conns   connections

	ledger ledger      // of what came over TCP
	gone   atomic.Bool // nothing is counted any more
}

// open opens the sockets at an address, which an interface may get later.
func (s *Server) open(at netip.AddrPort) (*listener, error) {
	l := &listener{server: s, at: at, done: make(chan struct{}), conns: connections{active: map[*connection]bool{}}}
	opened := false
	defer func() {
		if !opened {
			l.close()
		}
	}()
	if err := l.inherit(); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: control(at)}
	if len(l.udp) == 0 {
		// A socket that doesn't share: with SO_REUSEPORT alone, a stranger of the same user would share our clients.
		probe, err := config.ListenPacket(context.Background(), "udp", at.String())
		if err != nil {
			return nil, taken(at, "udp", err)
		}
		_ = probe.Close()
	}
	for len(l.udp) < runtime.GOMAXPROCS(0) {
		if err := l.openUDP(-1); err != nil {
			return nil, taken(at, "udp", err)
		}
	}
	if l.tcp == nil {
		tcp, err := config.Listen(context.Background(), "tcp", at.String())
		if err != nil {
			return nil, taken(at, "tcp", err)
		}
		l.tcp = tcp.(*net.TCPListener)
	}
	if err := l.keep(); err != nil {
		return nil, err
	}
	opened = true
	return l, nil
}

func control(at netip.AddrPort) func(network, address string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = setOptions(int(fd), at.Addr().Is6(), false) })
		return errors.Join(err, failed)
	}
}

func setOptions(fd int, v6, share bool) error {
	if share {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fmt.Errorf("sharing the port: %w", err)
		}
	}
	// The bridge may get its address after us, or lose and regain it. And no ICMP may make us fragment: RFC 9715.
	level, freebind, discover, omit := unix.SOL_IP, unix.IP_FREEBIND, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT
	if v6 {
		level, freebind, discover, omit = unix.SOL_IPV6, unix.IPV6_FREEBIND, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT
	}
	if err := unix.SetsockoptInt(fd, level, freebind, 1); err != nil {
		return fmt.Errorf("allowing an address that isn't there yet: %w", err)
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && kind == unix.SOCK_DGRAM {
		if err := unix.SetsockoptInt(fd, level, discover, omit); err != nil {
			return fmt.Errorf("ignoring path MTU messages: %w", err)
		}
	}
	return nil
}

// past is a deadline that ends whatever waits.
var past = time.Unix(1, 0)

// start begins to read.
func (l *listener) start() {
	for _, socket := range l.udp {
		l.workers.Go(func() { l.serveUDP(socket) })
	}
	l.readers.Go(l.accept)
}

// drain stops reading, lets what is under way be answered, and closes the sockets.
func (l *listener) drain() {
	l.quiet()
	l.finish()
}

// quiet stops reading.
func (l *listener) quiet() {
	close(l.done)
	for _, socket := range l.udp {
		socket.stop()
	}
	_ = l.tcp.SetDeadline(past)
	l.conns.stopReading()
	l.workers.Wait()
}

// finish lets what is under way be answered, and closes the sockets.
func (l *listener) finish() {
	for end := time.Now().Add(drainFor); l.pending.Load() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if l.server.leaving.Load() {
		l.letReadersLeave()
	}
	l.close()
	l.readers.Wait()
}

func (l *listener) close() {
	for _, socket := range l.udp {
		socket.close()
	}
	if l.tcp != nil {
		_ = l.tcp.Close()
	}
	l.conns.close()
	l.server.estate.Drop(l.name())
}

// stopping tells whether a reader's error means that it shall end.
func (l *listener) stopping() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// pause waits a moment after an error that may repeat at once, and tells whether to go on.
func (l *listener) pause(err error, what string) bool {
	if l.stopping() || errors.Is(err, net.ErrClosed) {
		return false
	}
	l.server.log.Warn(what, "addr", l.at, "err", err)
	select {
	case <-l.done:
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}
