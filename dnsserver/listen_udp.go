package dnsserver

import (
	"runtime"
	"strconv"
	"time"

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

// serveUDP answers what comes to a socket until the listener stops; what needs an upstream is left to flights.
func (l *listener) serveUDP(socket *udpSocket) {
	w := &worker{hot: hot{server: l.server, ledger: &socket.ledger}, batch: newBatch(socket.fd), listener: l, socket: socket}
	var pace pace
	var linger linger
	pump := l.server.pump
	for since := 0; !l.stopping(); {
		n, errno := w.receive()
		switch errno {
		case 0:
		case unix.EAGAIN:
			// To fall asleep and to be woken takes longer than a rest.
			if rest := pace.turn(0, time.Now()); rest > 0 {
				pump.rest(rest)
				pump.help(nil)
			} else if !linger.sleep(w) {
				return
			}
			continue
		default:
			if !l.pause(errno, "reading a DNS socket") {
				return
			}
			continue
		}
		socket.pulse.Add(1)
		w.turn(n)
		socket.pulse.Add(1)
		socket.busy()
		rest := pace.turn(n, w.clock)
		// Raw calls don't let others in: without this, a busy socket would keep answers of upstreams and leases waiting until the
		// scheduler takes the processor away, 10 ms later.
		if since += n; since >= batchSize || rest > 0 {
			since = 0
			runtime.Gosched()
		}
		switch {
		case rest > 0:
			pump.rest(rest)
			pump.help(nil)
		case n == batchSize:
			pump.help(nil)
		case !linger.wait(w) && !linger.sleep(w):
			return
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
		reply, pending := w.server.serve(packet, client{addr: from, at: w.listener.at, back: w.socket, ledger: w.ledger}, w.room())
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
			w.warmth += uint64(e.data()[headerSize])
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

// zoneName is the zone of a client's link-local address.
func zoneName(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
