package dnsserver

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many datagrams one system call receives or sends at most.
	batchSize = 64
	// maxQuery is the longest query over UDP: one that has a whole question and any options that are in use is far shorter.
	maxQuery = 2048
	// replyRoom is where an answer is written; there is none over UDP that is longer.
	replyRoom = ednsSize + 64
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// batch receives and sends datagrams of one socket, many by one system call, without allocating. It belongs to one goroutine.
// The calls are raw and never wait: an ordinary one tells the scheduler, which takes the processor away from a call that
// takes as long as sixty-four deliveries do.
type batch struct {
	fd    int
	names [batchSize]unix.RawSockaddrInet6 // has room for both families

	in      [batchSize]mmsghdr
	inIovs  [batchSize]unix.Iovec
	packets [batchSize][maxQuery]byte
	filled  int // datagrams of the last receive

	replies [batchSize][replyRoom]byte
	answers [batchSize]unix.Iovec // that wait for flush
	queued  int
	gather  gather
}

func newBatch(fd int) *batch {
	b := &batch{fd: fd}
	for i := range batchSize {
		b.inIovs[i].Base = &b.packets[i][0]
		b.inIovs[i].SetLen(maxQuery)
		h := &b.in[i].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&b.names[i])), unix.SizeofSockaddrInet6
		h.Iov = &b.inIovs[i]
		h.SetIovlen(1)
	}
	b.gather.init(fd)
	return b
}

// receive takes what datagrams are there, and returns how many; EAGAIN if there are none.
func (b *batch) receive() (int, syscall.Errno) {
	for i := range b.filled {
		b.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	b.filled = 0
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.in)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.filled = int(n)
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// packet returns the i-th datagram of the last receive and its sender. A longer one than maxQuery is cut off.
func (b *batch) packet(i int) (packet []byte, from netip.AddrPort) {
	name := &b.names[i]
	port := *(*[2]byte)(unsafe.Pointer(&name.Port)) // network byte order
	var addr netip.Addr
	if name.Family == unix.AF_INET {
		addr = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr)
	} else {
		addr = netip.AddrFrom16(name.Addr).Unmap()
		if name.Scope_id != 0 {
			addr = addr.WithZone(zoneName(name.Scope_id))
		}
	}
	return b.packets[i][:b.in[i].len], netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port[:]))
}

// room is where the next answer may be written.
func (b *batch) room() []byte { return b.replies[b.queued][:0] }

// queue has an answer to the i-th datagram sent by the next flush. It may lie in room.
func (b *batch) queue(i int, reply []byte) {
	answer := &b.answers[b.queued]
	answer.Base = unsafe.SliceData(reply)
	answer.SetLen(len(reply))
	b.gather.add(b.queued, len(reply), &b.names[i], b.in[i].hdr.Namelen)
	b.queued++
}

// flush sends what is queued, and returns how many answers the kernel didn't take. It never waits for room: one guest whose device takes
// nothing must not hold up the others, and the client of a lost answer asks again.
func (b *batch) flush() (lost int) {
	n := b.gather.lay(&b.answers)
	for sent := 0; sent < n; {
		done, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.gather.out[sent])), uintptr(n-sent), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			sent += int(done)
		case unix.EINTR:
		default:
			// The first of the rest is what it can't be done for.
			lost += b.gather.apart(b.fd, sent, errno)
			sent++
		}
	}
	b.queued = 0
	b.gather.clear()
	return lost
}
