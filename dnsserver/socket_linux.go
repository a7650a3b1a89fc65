package dnsserver

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockets of questions to upstreams. Each question has one of its own: given a port, sent from, and closed as soon as its answer is
// there, so that nobody can find out its port by trying. The calls are raw: they never wait, and there are half a dozen for
// each question.

// bindTries is how many random ports are tried before the kernel chooses.
const bindTries = 8

// sockaddr is an address as the kernel takes it.
type sockaddr struct {
	raw  unix.RawSockaddrInet6 // has room for both families
	size uintptr
}

func newSockaddr(addr netip.AddrPort) (s sockaddr) {
	if addr.Addr().Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		four.Family, four.Addr = unix.AF_INET, addr.Addr().As4()
		s.size = unix.SizeofSockaddrInet4
	} else {
		s.raw.Family, s.raw.Addr, s.raw.Scope_id = unix.AF_INET6, addr.Addr().As16(), zoneID(addr.Addr().Zone())
		s.size = unix.SizeofSockaddrInet6
	}
	s.setPort(int(addr.Port()))
	return s
}

// setPort works for both families: their ports are at the same place.
func (s *sockaddr) setPort(port int) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.raw.Port))[:], uint16(port))
}

// same tells whether a packet comes from s.
func (s *sockaddr) same(from *unix.RawSockaddrInet6) bool {
	if s.raw.Family != from.Family || s.raw.Port != from.Port {
		return false
	}
	if s.raw.Family == unix.AF_INET {
		return (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw)).Addr == (*unix.RawSockaddrInet4)(unsafe.Pointer(from)).Addr
	}
	return s.raw.Addr == from.Addr
}

// newSocket opens a socket of a family. It has no port yet, and tells of packets that came in pieces, if the kernel can: elsewhere they pass for
// whole ones.
func newSocket(family uint16) (fd int, errno syscall.Errno) {
	s, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errno != 0 {
		return -1, errno
	}
	level, option := uintptr(unix.SOL_IP), uintptr(unix.IP_RECVFRAGSIZE)
	if family == unix.AF_INET6 {
		level, option = unix.SOL_IPV6, unix.IPV6_RECVFRAGSIZE
	}
	on := int32(1)
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, s, level, option, uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
	return int(s), 0
}

// connectSocket gives a new socket a random port, and connects it: it takes packets from there only, and learns when nobody is
// there. random are four random bytes.
func connectSocket(fd int, to *sockaddr, ports *sourcePorts, random []byte) error {
	if errno := bindRandomly(uintptr(fd), to, ports, random); errno != 0 {
		return fmt.Errorf("choosing a port: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), to.size); errno != 0 {
		return errno
	}
	return nil
}

func bindRandomly(s uintptr, to *sockaddr, ports *sourcePorts, random []byte) syscall.Errno {
	own := sockaddr{size: to.size}
	own.raw.Family = to.raw.Family
	var again [4]byte
	for range bindTries {
		own.setPort(ports.pick(random))
		_, _, errno := unix.RawSyscall(unix.SYS_BIND, s, uintptr(unsafe.Pointer(&own.raw)), own.size)
		if errno != unix.EADDRINUSE && errno != unix.EACCES {
			return errno
		}
		_, _ = rand.Read(again[:])
		random = again[:]
	}
	return 0 // connect chooses
}

// sendSocket sends a message to where the socket is connected to.
func sendSocket(fd int, message []byte) error {
	if errno := sendTo(fd, message, nil); errno != 0 {
		return errno
	}
	return nil
}

// sendTo sends a message, which isn't empty; it never waits for room. Without an address it goes to where the socket is connected to.
func sendTo(fd int, message []byte, to *sockaddr) syscall.Errno {
	var addr unsafe.Pointer
	var size uintptr
	if to != nil {
		addr, size = unsafe.Pointer(&to.raw), to.size
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&message[0])), uintptr(len(message)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL,
		uintptr(addr), size)
	return errno
}

func closeSocket(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// inbox is where packets of upstreams are received, one at a time.
type inbox struct {
	header  unix.Msghdr
	iov     unix.Iovec
	from    unix.RawSockaddrInet6
	control [64]byte
	packet  [maxTCP]byte
}

// receive takes a packet from a socket; EAGAIN when there is none. fragmented tells that it came in pieces, of which only the
// first carries what proves that the answer is to our question.
func (b *inbox) receive(fd int) (n int, fragmented bool, errno syscall.Errno) {
	b.iov.Base = &b.packet[0]
	b.iov.SetLen(len(b.packet))
	b.header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.from)), Namelen: unix.SizeofSockaddrInet6, Iov: &b.iov, Control: &b.control[0]}
	b.header.SetIovlen(1)
	b.header.SetControllen(len(b.control))
	for {
		got, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.header)), unix.MSG_DONTWAIT)
		if errno == unix.EINTR {
			continue
		}
		return int(got), errno == 0 && b.header.Controllen > 0, errno
	}
}
