// Package batch receives and sends UDP datagrams by the dozen: recvmmsg and sendmmsg on a socket that one thread alone uses. The
// system calls are raw: the runtime doesn't learn of them, so that they cost what they cost a C program. It is for bench/dns alone.
package batch

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Size is how many datagrams one system call moves at most; MaxPacket is how long one may be.
const (
	Size      = 64
	MaxPacket = 1500
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// Batch is room for datagrams. It belongs to one thread, and must not be copied.
type Batch struct {
	hdrs  [Size]mmsghdr
	iovs  [Size]unix.Iovec
	peers [Size]unix.RawSockaddrInet4
	bufs  [Size][MaxPacket]byte
	named bool
	n     int // put, to be sent
}

// New makes room; named is for sockets without a fixed peer, where a reply goes to whom the datagram came from.
func New(named bool) *Batch {
	b := &Batch{named: named}
	for i := range b.hdrs {
		b.hdrs[i].hdr.Iov = &b.iovs[i]
		b.hdrs[i].hdr.SetIovlen(1)
		if named {
			b.hdrs[i].hdr.Name = (*byte)(unsafe.Pointer(&b.peers[i]))
		}
	}
	return b
}

// Receive returns how many datagrams, up to most, have come; with wait it sleeps until there is one, else there may be none.
func (b *Batch) Receive(fd, most int, wait bool) (int, error) {
	flags := uintptr(unix.MSG_DONTWAIT)
	if wait {
		flags = unix.MSG_WAITFORONE
	}
	for i := range b.hdrs[:most] {
		b.iovs[i].Base = &b.bufs[i][0]
		b.iovs[i].SetLen(MaxPacket)
		if b.named {
			b.hdrs[i].hdr.Namelen = unix.SizeofSockaddrInet4
		}
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.hdrs)), uintptr(most), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN, unix.ECONNREFUSED: // nobody listens there yet
			return 0, nil
		default:
			return 0, fmt.Errorf("receiving: %w", errno)
		}
	}
}

// Data is the i-th datagram of the last Receive.
func (b *Batch) Data(i int) []byte { return b.bufs[i][:min(int(b.hdrs[i].len), MaxPacket)] }

// Room is the whole buffer of the i-th datagram, where a reply may be made of it.
func (b *Batch) Room(i int) []byte { return b.bufs[i][:] }

// SetReply makes the first n bytes of the i-th buffer what Reply sends to whom the i-th datagram came from; of 0, nothing is.
func (b *Batch) SetReply(i, n int) { b.iovs[i].SetLen(n) }

// Reply sends the replies to the first n datagrams. What the kernel doesn't take is lost, as on any network.
func (b *Batch) Reply(fd, n int) error {
	kept := 0
	for i := range n {
		if b.iovs[i].Len == 0 {
			continue
		}
		if kept != i {
			b.iovs[kept], b.peers[kept] = b.iovs[i], b.peers[i]
		}
		kept++
	}
	_, err := b.send(fd, kept, unix.MSG_DONTWAIT)
	return err
}

// Put queues a datagram to the socket's fixed peer, and says whether the batch is full. The bytes must stay as they are until Flush.
func (b *Batch) Put(data []byte) (full bool) {
	b.iovs[b.n].Base = &data[0]
	b.iovs[b.n].SetLen(len(data))
	b.n++
	return b.n == Size
}

// Flush sends what was put, and returns how many datagrams the kernel didn't take.
func (b *Batch) Flush(fd int) (refused int, err error) {
	n := b.n
	b.n = 0
	return b.send(fd, n, unix.MSG_DONTWAIT)
}

func (b *Batch) send(fd, n int, flags uintptr) (refused int, err error) {
	for sent := 0; sent < n; {
		done, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.hdrs[sent])), uintptr(n-sent), flags, 0, 0)
		switch errno {
		case 0:
			sent += int(done)
		case unix.EINTR:
		case unix.ENOBUFS, unix.EAGAIN, unix.ECONNREFUSED: // a full queue, or what an ICMP message said of a datagram before
			refused++
			sent++
		default:
			return refused, fmt.Errorf("sending: %w", errno)
		}
	}
	return refused, nil
}

// Listen opens a UDP socket at an IPv4 address.
func Listen(at netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening a socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}); err != nil {
		return 0, fmt.Errorf("binding to %v: %w", at, err)
	}
	Enlarge(fd)
	return fd, nil
}

// Enlarge makes the queues of a socket of the benchmark as large as they may be: the measured server shall lose datagrams, not we.
func Enlarge(fd int) {
	for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		// Without CAP_NET_ADMIN the usual size has to do: what is lost shows in the results.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 16<<20)
	}
}
