package dhcpserver

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"labnet/leases"
)

// receiver is the loop of a link: it receives a batch, decides it, sends what may be sent at once, and hands the rest to
// the committer. It belongs to one goroutine.
type receiver struct {
	s        *Server
	reader   *reader
	transmit *transmitter
	decider  decider
	received *traffic // nil where messages are decided that came before
	msg      message
	now      time.Time

	direct  []*packet // replies that wait for nothing
	beside  []Reason  // what else is to be said of the message, for who watches
	pending *batch

	drops      uint32    // of the reader, when last looked at
	overloaded time.Time // until then newcomers are shed
}

// While we can't keep up, so many newcomers a batch are still served, for so long after the last sign of it.
const (
	newcomersOverloaded = 4
	overloadMemory      = time.Second
)

func (s *Server) newReceiver() (*receiver, error) {
	r := &receiver{s: s, received: &s.traffic.received}
	r.decider = decider{table: s.table, probe: s.probe, cloned: r.cloned}
	var err error
	if r.reader, err = newReader(s.sockets.udp); err != nil {
		return nil, err
	}
	r.drops = r.reader.drops
	r.transmit, err = newTransmitter(s.sockets, &s.traffic.direct)
	return r, err
}

// run receives until the sockets are interrupted.
func (r *receiver) run() error {
	r.takeUp(r.s.former)
	r.s.former = nil
	for {
		n, err := r.reader.read()
		r.now = time.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			// The link is down or gone; it may come back, and the datagrams behind the error are good.
			r.s.counters.add(ReasonReceiveFailed, 1)
			r.s.journal.event(ReasonReceiveFailed, r.now, "receiving failed", slog.String("err", err.Error()))
			if r.s.pause(receivePause) {
				return nil
			}
			continue
		}
		r.s.pulse.Add(1)
		r.batch(n)
		r.s.pulse.Add(1)
	}
}

// receivePause keeps an error that stays from becoming a busy loop.
const receivePause = 20 * time.Millisecond

// batch serves the n datagrams that were just read.
func (r *receiver) batch(n int) {
	settings := r.s.settings.Load()
	if r.reader.backlogged {
		// Before anything is lost: what the kernel throws away may be a renewal.
		r.overloaded = r.now.Add(overloadMemory)
	}
	r.decider.newcomers = batchSize
	if r.now.Before(r.overloaded) || r.s.underway.Load() > shedAbove {
		r.decider.newcomers = newcomersOverloaded
	}
	r.pending = r.s.pools.batch()
	for i := range n {
		r.serve(settings, r.reader.datagram(i, settings.broadcast))
	}
	r.noteDrops()
	r.flush()
}

// flush sends what may be sent at once, and hands the rest to the committer.
func (r *receiver) flush() {
	r.noteConflicts()
	r.sendDirect()
	if len(r.pending.packets) == 0 {
		r.s.pools.release(r.pending)
		return
	}
	r.s.table.Submit(r.pending.changes, r.pending.done)
}

// serve handles one datagram. Nothing in it can end the loop.
func (r *receiver) serve(s *settings, d datagram) {
	var p *packet
	defer func() {
		if v := recover(); v != nil {
			r.survive(v, d, p)
		}
	}()
	r.beside = r.beside[:0]
	reason := ReasonTooLong
	if !d.truncated {
		reason = r.msg.parse(d.data)
	}
	if reason != "" {
		r.received.count(0)
		r.s.counters.add(reason, 1)
		r.s.journal.garbage(d, reason, r.now)
		r.s.traceGarbage(d, &r.msg, reason, r.now)
		return
	}
	m := &r.msg
	r.received.count(m.kind)
	if m.malformed {
		r.beside = append(r.beside, ReasonMalformedServed)
		if !r.decider.waited.addr.IsValid() { // else it was counted when it came
			r.s.counters.add(ReasonMalformedServed, 1)
		}
	}
	in := s.classify(m, d.from, d.broadcast)
	p = r.s.pools.packet()
	p.settings, p.xid, p.seed = s, m.xid, jitterSeed(m)
	if r.s.tracer.Watched() {
		p.event = r.s.observe(m, d, r.now)
	}
	if r.s.underway.Load() >= maxUnderway && mayChange(in.action) {
		p.decision = decision{reason: ReasonOverload, addr: in.addr}
	} else {
		p.decision = r.decider.decide(s, m, in, r.now)
	}
	if p.wait.addr.IsValid() {
		r.s.probe.park(p.client, d, p.wait, r.now)
	}
	if p.reason == ReasonChoseAnother {
		r.s.choseAnother(m, p.client, r.now)
	}
	if p.pending { // first of all: the table wants every change back
		r.s.underway.Add(1)
		r.pending.packets = append(r.pending.packets, p)
		r.pending.changes = append(r.pending.changes, p.change)
	}
	if p.reply != replyNone {
		r.encode(s, p, d)
	}
	if p.event != nil {
		p.event.Beside = slices.Clone(r.beside)
	}
	switch {
	case p.pending:
	case p.reply != replyNone:
		r.direct = append(r.direct, p)
	default:
		r.s.done(p, r.now)
		r.s.pools.releasePacket(p)
	}
}

// survive deals with a panic while d was handled. If its change is on the way to the committer already, it goes there
// without a reply.
func (r *receiver) survive(v any, d datagram, p *packet) {
	if p != nil {
		p.reply = replyNone
	}
	r.s.counters.add(ReasonPanic, 1)
	r.s.traceGarbage(d, &r.msg, ReasonPanic, r.now)
	r.s.journal.event(ReasonPanic, r.now, "a message could not be handled: this is a bug, please report it",
		slog.String("err", fmt.Sprint(v)), slog.String("message", fmt.Sprintf("%x", d.data)), slog.String("stack", string(debug.Stack())))
}

// note counts what happens beside the decision.
func (r *receiver) note(reason Reason) {
	r.s.counters.add(reason, 1)
	r.beside = append(r.beside, reason)
}

// encode makes the reply of p to r.msg.
func (r *receiver) encode(s *settings, p *packet, d datagram) {
	m := &r.msg
	p.to = destinationOf(m, p.reply, p.addr, d.from)
	var room [headersLen]byte
	var dropped bool
	p.buf, dropped = s.appendReply(append(p.buf[:0], room[:]...), m, p.say(m))
	if dropped {
		r.note(ReasonOptionsDropped)
		r.s.journal.event(ReasonOptionsDropped, r.now, "not all options fit into the reply that the client takes",
			slog.String("client", hardwareText(p.client.HWAddr)), slog.String("addr", addrText(p.addr)))
	}
	p.finish(r.s.sockets.link.Load())
}

// sendDirect sends the replies that wait for nothing.
func (r *receiver) sendDirect() {
	if len(r.direct) == 0 {
		return
	}
	r.s.send(r.transmit, r.direct, r.now)
	for i, p := range r.direct {
		r.s.done(p, r.now)
		r.s.pools.releasePacket(p)
		r.direct[i] = nil
	}
	r.direct = r.direct[:0]
}

// noteDrops notices that the kernel had to throw datagrams away: then newcomers give way to the others.
func (r *receiver) noteDrops() {
	if lost := r.reader.drops - r.drops; lost != 0 {
		r.drops = r.reader.drops
		r.overloaded = r.now.Add(overloadMemory)
		r.s.counters.add(ReasonQueueOverflow, int(lost))
		r.s.traceLost(lost, r.now)
		r.s.journal.event(ReasonQueueOverflow, r.now, "messages lost: more arrive than can be served", slog.Int("lost", int(lost)))
	}
}

// cloned reports a clone.
func (r *receiver) cloned(c leases.Client, holder leases.Lease) {
	r.note(ReasonCloneDetected)
	if r.s.clones.first(clonePair{holder.ID, holder.HWAddr, c.HWAddr}, r.now) {
		r.s.journal.clone(c, holder, r.now)
	}
}

// mayChange says whether an action may need a commit.
func mayChange(a action) bool {
	switch a {
	case actCommit, actSelecting, actInitReboot, actRenew, actRebind, actDecline, actRelease:
		return true
	default:
		return false
	}
}
