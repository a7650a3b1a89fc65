package dnsserver

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxGathered is how long the answers of one message are at most together: what fits a UDP datagram over IPv4.
	maxGathered = 65507
	// apartFor is for how many batches every answer leaves alone, after the kernel refused some that were gathered.
	apartFor = 4096
	// gatherSlots is a power of two above batchSize, so that a search ends soon.
	gatherSlots = 2 * batchSize
)

// gather lays out the answers of a batch in messages: those for one client, if they are as long as each other, leave in one message, which the kernel
// cuts into datagrams as late as it can (UDP_SEGMENT, udp(7)). They pass the routing, the firewall and the bridge as one packet,
// which is where most of an answer's time goes. Only the last may be shorter than the others.
// A client that has several questions under way gets that: a resolver's A and AAAA, a guest that runs containers, a mail server.
type gather struct {
	out      [batchSize]mmsghdr
	iovs     [batchSize]unix.Iovec
	segments [batchSize]segmentControl
	messages [batchSize]gathered
	next     [batchSize]int16 // the answer that follows in the same message; -1 after the last
	n        int
	slots    [gatherSlots]uint8 // by client: the newest message to it, counted from 1
	alone    int                // for how many batches nothing is gathered
	never    bool               // as the kernel can't
}

// gathered is one message.
type gathered struct {
	to          *unix.RawSockaddrInet6
	toLen       uint32
	first, last int16 // answers
	count       int
	size        int  // of each, in bytes; the last may be shorter
	total       int  // bytes
	full        bool // nothing may follow the last
}

// segmentControl is the control message that tells how long each datagram is.
type segmentControl struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte
}

func (g *gather) init(fd int) {
	for i := range g.segments {
		c := &g.segments[i]
		c.header.Level, c.header.Type = unix.SOL_UDP, unix.UDP_SEGMENT
		c.header.SetLen(int(unsafe.Offsetof(c.size) + unsafe.Sizeof(c.size)))
	}
	// A kernel before 4.18 would take no notice of the control message, and send one long datagram.
	_, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	g.never = err != nil
}

// add puts an answer of so many bytes into the message to a client.
func (g *gather) add(answer, size int, to *unix.RawSockaddrInet6, toLen uint32) {
	g.next[answer] = -1
	together := !g.never && g.alone == 0
	slot := -1
	if together {
		var m *gathered
		if slot, m = g.find(to); m != nil && m.take(g, int16(answer), size) {
			return
		}
	}
	g.messages[g.n] = gathered{to: to, toLen: toLen, first: int16(answer), last: int16(answer), count: 1, size: size, total: size}
	g.n++
	if slot >= 0 {
		g.slots[slot] = uint8(g.n)
	}
}

// find returns a client's slot, and the message that is in it, or nil.
func (g *gather) find(to *unix.RawSockaddrInet6) (int, *gathered) {
	// A family, a port and an IPv4 address, or the flow label of IPv6, which is none.
	key := peerKey(to)
	if to.Family == unix.AF_INET6 {
		key ^= binary.NativeEndian.Uint64(to.Addr[:8]) ^ binary.NativeEndian.Uint64(to.Addr[8:])
	}
	for slot := key * 0x9e3779b97f4a7c15 >> 57; ; slot = (slot + 1) % gatherSlots {
		i := g.slots[slot]
		if i == 0 {
			return int(slot), nil
		}
		if m := &g.messages[i-1]; samePeer(m.to, to) {
			return int(slot), m
		}
	}
}

// peerKey is a whole client over IPv4.
func peerKey(a *unix.RawSockaddrInet6) uint64 {
	return binary.NativeEndian.Uint64((*[unix.SizeofSockaddrInet6]byte)(unsafe.Pointer(a))[:8])
}

func samePeer(a, b *unix.RawSockaddrInet6) bool {
	return peerKey(a) == peerKey(b) && (a.Family == unix.AF_INET || a.Addr == b.Addr && a.Scope_id == b.Scope_id)
}

// take adds an answer to a message, if it can be.
func (m *gathered) take(g *gather, answer int16, size int) bool {
	switch {
	case m.full || m.total+size > maxGathered:
		return false
	case size <= m.size:
		g.next[m.last] = answer
		m.last = answer
		m.full = size < m.size
	case m.count == 1:
		// The longer one goes first.
		g.next[answer] = m.first
		m.first = answer
		m.size, m.full = size, true
	default:
		return false
	}
	m.count++
	m.total += size
	return true
}

// lay fills out, and returns how many messages there are.
func (g *gather) lay(answers *[batchSize]unix.Iovec) int {
	used := 0
	for i := range g.n {
		m, h := &g.messages[i], &g.out[i].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(m.to)), m.toLen
		h.Iov = &g.iovs[used]
		h.SetIovlen(m.count)
		for answer := m.first; answer >= 0; answer = g.next[answer] {
			g.iovs[used] = answers[answer]
			used++
		}
		if m.count == 1 {
			h.Control = nil
			h.SetControllen(0)
			continue
		}
		c := &g.segments[i]
		c.size = uint16(m.size)
		h.Control = (*byte)(unsafe.Pointer(c))
		h.SetControllen(int(unsafe.Sizeof(*c)))
	}
	return g.n
}

// apart is called when the kernel didn't take a message. If that may be since its answers were gathered (a device that can't, a network whose MTU is
// below them), they are sent one by one, and those of the next batches too. It returns how many answers are lost.
func (g *gather) apart(fd, message int, errno unix.Errno) (lost int) {
	m, h := &g.messages[message], g.out[message].hdr
	if m.count == 1 {
		return 1
	}
	switch errno {
	case unix.EINVAL, unix.EIO, unix.EMSGSIZE, unix.EOPNOTSUPP:
		g.alone = apartFor
	default:
		return m.count
	}
	h.Control = nil
	h.SetControllen(0)
	iovs := unsafe.Slice(h.Iov, m.count)
	h.SetIovlen(1)
	for i := range iovs {
		h.Iov = &iovs[i]
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT)
		if errno != 0 {
			lost++
		}
	}
	return lost
}

// clear begins a new batch.
func (g *gather) clear() {
	g.n = 0
	g.slots = [gatherSlots]uint8{}
	g.alone = max(g.alone-1, 0)
}
