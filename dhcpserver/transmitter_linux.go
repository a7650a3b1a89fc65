package dhcpserver

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// transmitter sends batches of replies. It belongs to one goroutine; several may share the sockets.
type transmitter struct {
	sockets *sockets
	sent    *traffic
	framed  sender
	routed  sender
	relayed sender
}

func newTransmitter(s *sockets, sent *traffic) (*transmitter, error) {
	t := &transmitter{sockets: s, sent: sent}
	if err := t.framed.init(s.packet); err != nil {
		return nil, err
	}
	if err := t.routed.init(s.raw); err != nil {
		return nil, err
	}
	return t, t.relayed.init(s.relays)
}

// send sends all packets, whose headers are complete, and returns how many the kernel refused and the last reason for it.
func (t *transmitter) send(packets []*packet) (failed int, last error) {
	link := t.sockets.link.Load()
	for len(packets) > 0 {
		n := min(len(packets), batchSize)
		for _, p := range packets[:n] {
			switch {
			case p.to.framed:
				t.framed.addFrame(p, link)
			case p.to.relay:
				t.relayed.addRouted(p)
			default:
				t.routed.addRouted(p)
			}
		}
		for _, s := range []*sender{&t.framed, &t.relayed, &t.routed} {
			f, err := s.flush()
			failed += f
			if err != nil {
				last = err
			}
		}
		for _, p := range packets[:n] {
			if p.unsent == nil {
				t.sent.count(p.reply.messageType())
			}
		}
		packets = packets[n:]
	}
	return failed, last
}

// sender is sendmmsg on one socket.
type sender struct {
	conn  syscall.RawConn
	hdrs  [batchSize]mmsghdr
	iovs  [batchSize]unix.Iovec
	links [batchSize]unix.RawSockaddrLinklayer
	addrs [batchSize]unix.RawSockaddrInet4
	from  [batchSize]*packet

	try   func(fd uintptr) bool // s.transmit, bound once
	n     int                   // queued
	sent  int
	errno syscall.Errno
}

func (s *sender) init(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	s.conn = conn
	s.try = s.transmit
	for i := range s.hdrs {
		s.hdrs[i].hdr.Iov = &s.iovs[i]
		s.hdrs[i].hdr.SetIovlen(1)
	}
	return nil
}

// addFrame queues a whole Ethernet frame.
func (s *sender) addFrame(p *packet, link *linkState) {
	s.links[s.n] = unix.RawSockaddrLinklayer{
		Family:   unix.AF_PACKET,
		Protocol: networkOrder(etherTypeIPv4),
		Ifindex:  int32(link.index),
		Halen:    uint8(len(p.to.mac)),
	}
	copy(s.links[s.n].Addr[:], p.to.mac[:])
	s.add(p, p.buf, unsafe.Pointer(&s.links[s.n]), unix.SizeofSockaddrLinklayer)
}

// addRouted queues an IPv4 packet.
func (s *sender) addRouted(p *packet) {
	s.addrs[s.n] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: p.to.to.Addr().As4()}
	s.add(p, p.buf[ethernetHeaderLen:], unsafe.Pointer(&s.addrs[s.n]), unix.SizeofSockaddrInet4)
}

func (s *sender) add(p *packet, b []byte, name unsafe.Pointer, nameLen uint32) {
	s.iovs[s.n].Base = &b[0]
	s.iovs[s.n].SetLen(len(b))
	h := &s.hdrs[s.n].hdr
	h.Name, h.Namelen = (*byte)(name), nameLen
	s.from[s.n] = p
	s.n++
}

// flush sends what is queued. It never waits: a link that takes no more loses replies, and the clients ask again.
func (s *sender) flush() (failed int, last error) {
	for s.sent < s.n {
		if err := s.conn.Write(s.try); err != nil {
			failed, last = failed+s.n-s.sent, err
			for _, p := range s.from[s.sent:s.n] {
				p.unsent = err
			}
			break
		}
		if s.errno != 0 { // about the first message that wasn't sent
			failed, last = failed+1, s.errno
			s.from[s.sent].unsent = s.errno
			s.sent++
		}
	}
	clear(s.from[:s.n])
	s.n, s.sent = 0, 0
	return failed, last
}

// transmit is one system call.
func (s *sender) transmit(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.hdrs[s.sent])), uintptr(s.n-s.sent), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if s.errno = errno; errno == 0 {
			s.sent += int(n)
		}
		return true
	}
}

// networkOrder is htons.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
