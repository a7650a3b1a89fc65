package dnsserver

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// readUDP is a worker: it reads a socket and answers what needs no upstream, until the listener stops.
func (l *listener) readUDP(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		l.server.log.Error("a DNS socket can't be used", "addr", l.at, "err", err)
		return
	}
	packet, reply := make([]byte, maxTCP), make([]byte, 0, maxTCP)
	reuse := sender{raw: raw, server: l.server}
	reuse.write = reuse.try
	for {
		n, from, err := conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			if l.pause(err, "reading a DNS socket") {
				continue
			}
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if from.Port() == 0 {
			continue // nobody to answer
		}
		// Counted before it may be answered: an answer never meets a listener that believes to have none under way.
		l.pending.Add(1)
		out, pending := l.server.serve(packet[:n], client{addr: from, at: l.at, send: func(message []byte) {
			late := sender{raw: raw, server: l.server}
			late.write = late.try
			late.send(message, from)
			l.pending.Add(-1)
		}}, reply[:0])
		if pending {
			continue
		}
		l.pending.Add(-1)
		if len(out) > 0 {
			reuse.send(out, from)
		}
	}
}

// sender sends datagrams without ever waiting for room: one guest whose device takes nothing must not hold up the
// others, and the client of a lost answer asks again.
type sender struct {
	raw     syscall.RawConn
	server  *Server
	message []byte
	to4     unix.SockaddrInet4
	to6     unix.SockaddrInet6
	v6      bool
	err     error
	write   func(fd uintptr) bool
}

func (s *sender) send(message []byte, to netip.AddrPort) {
	s.message, s.v6 = message, to.Addr().Is6()
	if s.v6 {
		s.to6 = unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16(), ZoneId: zoneID(to.Addr().Zone())}
	} else {
		s.to4 = unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	if err := s.raw.Write(s.write); err != nil || s.err != nil {
		s.server.stats.count(sendFailed)
	}
}

func (s *sender) try(fd uintptr) bool {
	var to unix.Sockaddr = &s.to4
	if s.v6 {
		to = &s.to6
	}
	s.err = unix.Sendto(int(fd), s.message, unix.MSG_DONTWAIT, to)
	return true
}

func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}
