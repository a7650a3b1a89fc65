package dnsserver

import (
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// worker serves one UDP socket: a batch of questions in, their answers out.
type worker struct {
	hot
	*batch
	listener *listener
	socket   *udpSocket
	glimpses [batchSize]glimpse
	left     [batchSize]int // the questions of a batch that fast left
	warmth   uint64         // what warm has read, so that it is read
}

// readUDP answers what comes to a socket until the listener stops; what needs an upstream is left to flights.
func (l *listener) readUDP(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		l.server.log.Error("a DNS socket can't be used", "addr", l.at, "err", err)
		return
	}
	w := &worker{hot: hot{server: l.server}, batch: newBatch(raw), listener: l, socket: &udpSocket{raw, l}}
	for since := 0; ; {
		n, err := w.read()
		if err != nil {
			if l.pause(err, "reading a DNS socket") {
				continue
			}
			return
		}
		w.turn(n)
		// Raw calls don't let others in: without this, a busy socket would keep answers of upstreams and leases waiting until the
		// scheduler takes the processor away, 10 ms later.
		if since += n; since >= batchSize {
			since = 0
			runtime.Gosched()
		}
	}
}

// turn answers a batch: first what is known, so that nobody who asks for that waits for the others.
func (w *worker) turn(n int) {
	quick := w.begin(w.listener.at)
	if quick {
		w.lookAhead(n)
	}
	left := 0
	for i := range n {
		if quick {
			if reply, ok := w.fast(&w.glimpses[i], false, w.room()); ok {
				w.queue(i, reply)
				continue
			}
		}
		w.left[left] = i
		left++
	}
	// Before anybody can know of an answer it is counted.
	w.end()
	w.sendQueued()
	for _, i := range w.left[:left] {
		packet, from := w.packet(i)
		if from.Port() == 0 {
			continue // nobody to answer
		}
		// Counted before it may be answered: an answer never meets a listener that believes to have none under way.
		w.listener.pending.Add(1)
		reply, pending := w.server.serve(packet, client{addr: from, at: w.listener.at, back: w.socket}, w.room())
		if pending {
			continue
		}
		w.listener.pending.Add(-1)
		if len(reply) > 0 {
			w.queue(i, reply)
		}
	}
	w.sendQueued()
}

// lookAhead looks at a whole batch before any of it is answered, and reads a word of each place that its answers are at: these are seldom
// in the processor's caches, and many such reads take as long as one as long as none waits for another.
func (w *worker) lookAhead(n int) {
	for i := range n {
		packet, from := w.packet(i)
		g := &w.glimpses[i]
		if w.look(g, packet, from.Addr()); from.Port() == 0 {
			g.n, g.chain = 0, nil
		}
	}
	for i := range n {
		if e := w.glimpses[i].chain; e != nil {
			w.warmth += e.hash
		}
	}
	for i := range n {
		if e := w.glimpses[i].chain; e != nil {
			w.warmth += uint64(e.data[headerSize])
		}
	}
}

func (w *worker) sendQueued() {
	if w.queued == 0 {
		return
	}
	if lost := w.flush(); lost > 0 {
		w.server.stats[sendFailed].Add(uint64(lost))
	}
}

// udpSocket sends answers that were waited for, one at a time.
type udpSocket struct {
	raw      syscall.RawConn
	listener *listener
}

// answer sends without ever waiting for room, as batch.flush does.
func (u *udpSocket) answer(message []byte, to netip.AddrPort) {
	defer u.listener.pending.Add(-1)
	var sockaddr unix.Sockaddr
	if to.Addr().Is4() {
		sockaddr = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	} else {
		sockaddr = &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16(), ZoneId: zoneID(to.Addr().Zone())}
	}
	var failed error
	if err := u.raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), message, unix.MSG_DONTWAIT, sockaddr)
		return true
	}); err != nil || failed != nil {
		u.listener.server.stats.count(sendFailed)
	}
}

// zoneID and zoneName convert the zone of a link-local address. It is the number of its interface: none is looked up for a packet.
func zoneID(zone string) uint32 {
	id, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(id)
}

func zoneName(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
