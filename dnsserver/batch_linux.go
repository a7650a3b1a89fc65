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

	out     [batchSize]mmsghdr
	outIovs [batchSize]unix.Iovec
	replies [batchSize][replyRoom]byte
	queued  int
}

func newBatch(fd int) *batch {
	b := &batch{fd: fd}
	for i := range batchSize {
		b.inIovs[i].Base = &b.packets[i][0]
		b.inIovs[i].SetLen(maxQuery)
		h := &b.in[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.inIovs[i]
		h.SetIovlen(1)
		b.out[i].hdr.Iov = &b.outIovs[i]
		b.out[i].hdr.SetIovlen(1)
	}
	return b
}

// receive takes what datagrams are there, and returns how many; EAGAIN if there are none.
func (b *batch) receive() (int, syscall.Errno) {
	for i := range b.in {
		b.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.in)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
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
	h := &b.out[b.queued].hdr
	h.Name, h.Namelen = b.in[i].hdr.Name, b.in[i].hdr.Namelen
	b.outIovs[b.queued].Base = unsafe.SliceData(reply)
	b.outIovs[b.queued].SetLen(len(reply))
	b.queued++
}

// flush sends what is queued, and returns how many answers the kernel didn't take. It never waits for room: one guest whose device takes
// nothing must not hold up the others, and the client of a lost answer asks again.
func (b *batch) flush() (lost int) {
	for sent := 0; sent < b.queued; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.out[sent])), uintptr(b.queued-sent), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		default:
			// The first of the rest is what it can't be done for.
			sent++
			lost++
		}
	}
	b.queued = 0
	return lost
}
