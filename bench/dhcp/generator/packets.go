package generator

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many packets one system call receives or sends at most; maxPacket is how long one may be.
const (
	batchSize = 64
	maxPacket = 1600
)

// socketBuffer is what the kernel may queue at a socket of ours: the measured server shall lose packets, not we.
const socketBuffer = 16 << 20

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// packets is room for the packets of one recvmmsg or sendmmsg on a socket. It belongs to one goroutine.
type packets struct {
	fd    int
	hdrs  [batchSize]mmsghdr
	iovs  [batchSize]unix.Iovec
	names [batchSize]unix.RawSockaddrInet4 // of the peers, if named
	bufs  [batchSize][maxPacket]byte
	named bool
	n     int // queued to be sent
}

// newPackets makes room for a socket; named is for a UDP socket without a fixed peer.
func newPackets(fd int, named bool) *packets {
	p := &packets{fd: fd, named: named}
	for i := range p.hdrs {
		p.iovs[i].Base = &p.bufs[i][0]
		p.hdrs[i].hdr.Iov = &p.iovs[i]
		p.hdrs[i].hdr.SetIovlen(1)
		if named {
			p.hdrs[i].hdr.Name = (*byte)(unsafe.Pointer(&p.names[i]))
		}
	}
	return p
}

// receive returns how many packets came, 0 if there are none yet; data gives them.
func (p *packets) receive() (int, error) {
	for i := range p.hdrs {
		p.iovs[i].SetLen(maxPacket)
		if p.named {
			p.hdrs[i].hdr.Namelen = unix.SizeofSockaddrInet4
		}
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&p.hdrs)), batchSize, unix.MSG_DONTWAIT, 0, 0)
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

// data is the i-th packet of the last receive.
func (p *packets) data(i int) []byte { return p.bufs[i][:min(int(p.hdrs[i].len), maxPacket)] }

// room is an empty buffer for the next packet to be sent. There must be less than batchSize queued.
func (p *packets) room() []byte { return p.bufs[p.n][:0] }

// push queues the packet that was made in room, to the peer of that place if the socket has no fixed one.
func (p *packets) push(b []byte) {
	p.iovs[p.n].Base = &b[0]
	p.iovs[p.n].SetLen(len(b))
	p.n++
}

// full says whether the queue must be flushed before the next push.
func (p *packets) full() bool { return p.n == batchSize }

// flush sends what is queued, and returns how many packets the kernel would not take.
func (p *packets) flush() (refused int, err error) {
	for sent := 0; sent < p.n; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&p.hdrs[sent])), uintptr(p.n-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		case unix.ENOBUFS, unix.EAGAIN, unix.ECONNREFUSED: // a full queue, or what an ICMP message said of a packet before
			refused++
			sent++
		default:
			p.n = 0
			return refused, fmt.Errorf("sending: %w", errno)
		}
	}
	p.n = 0
	return refused, nil
}

// enlarge makes the queues of a socket as large as they may be.
func enlarge(fd int) {
	for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		// Without CAP_NET_ADMIN the usual size has to do: what is lost shows in the results.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, socketBuffer)
	}
}
