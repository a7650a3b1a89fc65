package dhcpserver

import (
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many messages one system call receives or sends at most.
const batchSize = 64

// controlLen has room for IP_PKTINFO and SO_RXQ_OVFL, each with its header.
const controlLen = 96

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// reader receives batches from the UDP socket without allocating. It belongs to one goroutine.
type reader struct {
	conn  syscall.RawConn
	hdrs  [batchSize]mmsghdr
	iovs  [batchSize]unix.Iovec
	names [batchSize]unix.RawSockaddrInet4
	ctrls [batchSize][controlLen / 8]uint64 // words, for the alignment of the headers in them
	bufs  [batchSize][maxMessage]byte

	try   func(fd uintptr) bool // r.receive, bound once
	n     int
	errno syscall.Errno
	drops uint32 // the kernel's count of datagrams that it lost at this socket

	backlogged bool // behind the last batch more waits than backlogShare allows
}

// backlogShare is the part of the socket's queue, one in so many, that may wait without being a backlog.
const backlogShare = 8

func newReader(udp *os.File) (*reader, error) {
	conn, err := udp.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn}
	r.try = r.receive
	// A socket of a former server has lost what it has: that was said.
	if err := conn.Control(func(fd uintptr) { r.drops = memInfo(fd)[unix.SK_MEMINFO_DROPS] }); err != nil {
		return nil, err
	}
	for i := range r.hdrs {
		r.iovs[i].Base = &r.bufs[i][0]
		r.iovs[i].SetLen(maxMessage)
		h := &r.hdrs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&r.ctrls[i]))
	}
	return r, nil
}

// read waits for datagrams and returns how many there are; datagram gives them.
func (r *reader) read() (int, error) {
	for i := range r.hdrs {
		h := &r.hdrs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet4
		h.SetControllen(controlLen)
	}
	if err := r.conn.Read(r.try); err != nil {
		return 0, err
	}
	if r.errno != 0 {
		return 0, r.errno
	}
	return r.n, nil
}

// receive is one system call; it returns false if there is nothing to receive yet.
func (r *reader) receive(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		}
		r.n, r.errno = int(n), errno
		r.backlogged = r.n == batchSize && backlog(fd)
		return true
	}
}

// backlog says whether the socket's queue is filling up. Where the kernel can't tell, its drops do.
func backlog(fd uintptr) bool {
	info := memInfo(fd)
	return info[unix.SK_MEMINFO_RMEM_ALLOC] > info[unix.SK_MEMINFO_RCVBUF]/backlogShare
}

// memInfo is SO_MEMINFO, uapi/linux/sock_diag.h; zeros where the kernel can't tell.
func memInfo(fd uintptr) (info [unix.SK_MEMINFO_VARS]uint32) {
	size := uint32(unsafe.Sizeof(info))
	_, _, _ = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return info
}

// datagram returns the i-th datagram of the last read.
func (r *reader) datagram(i int, subnetBroadcast netip.Addr) datagram {
	h := &r.hdrs[i]
	name := &r.names[i]
	port := *(*[2]byte)(unsafe.Pointer(&name.Port)) // network byte order
	d := datagram{
		data:      r.bufs[i][:h.len],
		from:      netip.AddrPortFrom(netip.AddrFrom4(name.Addr), binary.BigEndian.Uint16(port[:])),
		truncated: h.hdr.Flags&unix.MSG_TRUNC != 0,
	}
	controls := (*[controlLen]byte)(unsafe.Pointer(&r.ctrls[i]))[:min(int(h.hdr.Controllen), controlLen)]
	for len(controls) >= unix.SizeofCmsghdr {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&controls[0]))
		end := int(c.Len)
		if end < unix.SizeofCmsghdr || end > len(controls) {
			break
		}
		value := controls[unix.CmsgLen(0):end]
		switch {
		case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO && len(value) >= unix.SizeofInet4Pktinfo:
			to := netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(&value[0])).Addr)
			d.broadcast = to == broadcastAddr || to == subnetBroadcast
		case c.Level == unix.SOL_SOCKET && c.Type == unix.SO_RXQ_OVFL && len(value) >= 4:
			r.drops = *(*uint32)(unsafe.Pointer(&value[0]))
		}
		controls = controls[min(unix.CmsgSpace(len(value)), len(controls)):]
	}
	return d
}
