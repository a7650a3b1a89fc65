package dnsserver

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"labnet/internal/succession"
)

// name is what the listener's sockets are called where they outlive this process.
func (l *listener) name() string { return "dns_" + strings.ReplaceAll(l.at.String(), ":", "_") }

// bound is the address as the kernel has it, with the zone's number.
func (l *listener) bound() netip.AddrPort {
	addr := l.at.Addr()
	if id := zoneID(addr.Zone()); id != 0 {
		addr = addr.WithZone(zoneName(id))
	}
	return netip.AddrPortFrom(addr, l.at.Port())
}

// inherit takes the sockets over that a former server had at the address: all of them, also where it had more than we would open, since
// each has a queue of its own.
func (l *listener) inherit() error {
	for _, fd := range l.server.estate.Take(func(s succession.Socket) bool {
		return s.Kind == unix.SOCK_DGRAM && s.Protocol == unix.IPPROTO_UDP && s.Local == l.bound() && s.Shares && !s.Connected
	}) {
		if err := l.openUDP(fd); err != nil {
			return fmt.Errorf("taking over a socket at %v: %w", l.at, err)
		}
	}
	fd, ok := l.server.estate.TakeOne(func(s succession.Socket) bool {
		return s.Kind == unix.SOCK_STREAM && s.Local == l.bound() && s.Listening // its protocol may be MPTCP
	})
	if !ok {
		return nil
	}
	file := os.NewFile(uintptr(fd), l.name())
	defer func() { _ = file.Close() }()
	taken, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("taking over the TCP socket at %v: %w", l.at, err)
	}
	l.tcp = taken.(*net.TCPListener)
	return nil
}

// keep lets the sockets outlive this process.
func (l *listener) keep() error {
	fds := make([]int, 0, len(l.udp))
	for _, u := range l.udp {
		fds = append(fds, u.fd)
	}
	if err := l.server.estate.Keep(l.name(), fds...); err != nil {
		return err
	}
	return keepOf(l.tcp, func(fd int) error { return l.server.estate.Keep(l.name(), fd) })
}

func keepOf(conn syscall.Conn, keep func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var kept error
	if err := raw.Control(func(fd uintptr) { kept = keep(int(fd)) }); err != nil {
		return err
	}
	return kept
}
