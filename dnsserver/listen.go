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
	udp    []*net.UDPConn
	tcp    *net.TCPListener

	readers sync.WaitGroup
	pending atomic.Int64 // questions that were left to flights
	done    chan struct{}
	conns   connections
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
	// A socket that doesn't share: with SO_REUSEPORT alone, a stranger of the same user would share our clients.
	probe, err := listenUDP(at, false)
	if err != nil {
		return nil, taken(at, "udp", err)
	}
	_ = probe.Close()
	for range runtime.GOMAXPROCS(0) {
		conn, err := listenUDP(at, true)
		if err != nil {
			return nil, taken(at, "udp", err)
		}
		l.udp = append(l.udp, conn)
	}
	config := net.ListenConfig{Control: control(at, false)}
	tcp, err := config.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, taken(at, "tcp", err)
	}
	l.tcp = tcp.(*net.TCPListener)
	opened = true
	return l, nil
}

func listenUDP(at netip.AddrPort, share bool) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: control(at, share)}
	conn, err := config.ListenPacket(context.Background(), "udp", at.String())
	if err != nil {
		return nil, err
	}
	udp := conn.(*net.UDPConn)
	// A burst waits in the kernel rather than being lost; it grants what it allows.
	_ = udp.SetReadBuffer(4 << 20)
	return udp, nil
}

func control(at netip.AddrPort, share bool) func(network, address string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = setOptions(int(fd), at.Addr().Is6(), share) })
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

// start begins to read.
func (l *listener) start() {
	for _, conn := range l.udp {
		l.readers.Go(func() { l.readUDP(conn) })
	}
	l.readers.Go(l.accept)
}

// drain stops reading, lets what is under way be answered, and closes the sockets.
func (l *listener) drain() {
	close(l.done)
	for _, conn := range l.udp {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	}
	_ = l.tcp.SetDeadline(time.Unix(1, 0))
	l.conns.stopReading()
	for end := time.Now().Add(drainFor); l.pending.Load() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	l.close()
	l.readers.Wait()
}

func (l *listener) close() {
	for _, conn := range l.udp {
		_ = conn.Close()
	}
	if l.tcp != nil {
		_ = l.tcp.Close()
	}
	l.conns.close()
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
