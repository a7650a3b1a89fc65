package dnsserver

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpSocket is a socket that questions come to. The runtime doesn't watch it: its poller would be told of each datagram that comes and of each
// that has left, which costs more than a tenth of an answer. It watches an epoll instance in its place, which has the socket
// only while the worker has nothing to do.
type udpSocket struct {
	listener *listener
	fd       int

	// The worker's:
	poll    *os.File // the epoll instance
	raw     syscall.RawConn
	pollFD  int
	added   bool // the socket is in the epoll instance; it tells of one datagram, and is armed again for the next
	asleep  bool // ready has armed it
	wakeful int  // turns since the worker last slept
	tryWake func(fd uintptr) bool
	pulse   atomic.Uint64 // see Pulses; only the worker writes it

	mu     sync.RWMutex // guards closed, and the descriptor while an answer is sent that was waited for
	closed bool

	ledger ledger
}

const (
	// wakefulTurns is after how many turns without sleep the socket is taken out of the epoll instance.
	wakefulTurns = 16
	// receiveBuffer is what a burst may fill before any of it is lost, in bytes.
	receiveBuffer = 16 << 20
)

// openUDP adds one of the sockets that share an address: a new one, or the one of a former server with the descriptor fd.
func (l *listener) openUDP(fd int) error {
	u := &udpSocket{listener: l, fd: fd, pollFD: -1}
	if err := u.open(); err != nil {
		u.close()
		return err
	}
	l.udp = append(l.udp, u)
	return nil
}

func (u *udpSocket) open() error {
	l, inherited := u.listener, u.fd >= 0
	var family int
	var addr unix.Sockaddr
	if ip := l.at.Addr(); ip.Is4() {
		family, addr = unix.AF_INET, &unix.SockaddrInet4{Port: int(l.at.Port()), Addr: ip.As4()}
	} else {
		family, addr = unix.AF_INET6, &unix.SockaddrInet6{Port: int(l.at.Port()), Addr: ip.As16(), ZoneId: zoneID(ip.Zone())}
	}
	var err error
	if !inherited {
		if u.fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
			return fmt.Errorf("opening a socket: %w", err)
		}
	}
	if err := setOptions(u.fd, family == unix.AF_INET6, true); err != nil {
		return err
	}
	// More than the administrator's limit, if we may.
	if unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if !inherited {
		if err := unix.Bind(u.fd, addr); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if u.pollFD, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("waiting for datagrams: %w", err)
	}
	if err := unix.SetNonblock(u.pollFD, true); err != nil {
		return fmt.Errorf("waiting for datagrams: %w", err)
	}
	u.poll = os.NewFile(uintptr(u.pollFD), "epoll")
	if u.raw, err = u.poll.SyscallConn(); err != nil {
		return fmt.Errorf("waiting for datagrams: %w", err)
	}
	u.tryWake = u.wake
	return nil
}

// sleep waits until there may be a datagram. The worker's.
func (u *udpSocket) sleep() error {
	u.wakeful, u.asleep = 0, false
	return u.raw.Read(u.tryWake)
}

// wake is called by the runtime before it waits, and when the epoll instance has something to tell.
func (u *udpSocket) wake(fd uintptr) bool {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT}
	if !u.asleep {
		u.asleep = true
		op := uintptr(unix.EPOLL_CTL_MOD)
		if !u.added {
			op, u.added = unix.EPOLL_CTL_ADD, true
		}
		_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, fd, op, uintptr(u.fd), uintptr(unsafe.Pointer(&event)), 0, 0)
		// What is there already wakes the epoll instance at once, and the runtime with it. On an error the worker asks the socket.
		return errno != 0
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&event)), 1, 0, 0, 0)
		if errno != unix.EINTR {
			return n > 0 || errno != 0
		}
	}
}

// busy notes a turn without sleep. The worker's.
func (u *udpSocket) busy() {
	if u.wakeful++; u.added && u.wakeful == wakefulTurns {
		_, _, _ = unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(u.pollFD), unix.EPOLL_CTL_DEL, uintptr(u.fd), 0, 0, 0)
		u.added = false
	}
}

// stop has sleep return, now and later.
func (u *udpSocket) stop() { _ = u.poll.SetReadDeadline(past) }

// close closes the socket. The worker must have ended, or never been started.
func (u *udpSocket) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.closed = true
	switch {
	case u.poll != nil:
		_ = u.poll.Close()
	case u.pollFD >= 0:
		_ = unix.Close(u.pollFD)
	}
	if u.fd >= 0 {
		_ = unix.Close(u.fd)
	}
}

// answer sends an answer that was waited for. It never waits for room, as batch.flush doesn't.
func (u *udpSocket) answer(message []byte, to netip.AddrPort) {
	defer u.listener.pending.Add(-1)
	if len(message) == 0 {
		return
	}
	addr := newSockaddr(to)
	u.mu.RLock()
	defer u.mu.RUnlock()
	// Raw, as it doesn't wait: by an ordinary call the runtime wakes the thread that watches over such calls, after each rest.
	if u.closed || sendTo(u.fd, message, &addr) != 0 {
		u.listener.server.stats.count(sendFailed)
	}
}

// zoneID is the number of the interface that a link-local address belongs to; 0 if there is none. Of clients it is a number in text: no
// interface is looked up for a packet.
func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if id, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(id)
	}
	if link, err := net.InterfaceByName(zone); err == nil {
		return uint32(link.Index)
	}
	return 0
}
