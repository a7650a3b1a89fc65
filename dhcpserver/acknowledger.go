package dhcpserver

import (
	"time"

	"labnet/leases"
)

// acknowledger sends the ACKs whose leases are durable. It belongs to one goroutine.
type acknowledger struct {
	s        *Server
	transmit *transmitter
	out      []*packet
}

func (s *Server) newAcknowledger() (*acknowledger, error) {
	t, err := newTransmitter(s.sockets, &s.traffic.acknowledged)
	return &acknowledger{s: s, transmit: t}, err
}

// run acknowledges what the committer has done, until stop is closed and nothing is under way any more, or until
// abandon is closed.
func (a *acknowledger) run(stop, abandon <-chan struct{}) {
	for {
		if stop == nil && a.s.underway.Load() == 0 {
			return
		}
		select {
		case b := <-a.s.committed:
			a.batch(b, time.Now())
		case <-stop:
			stop = nil
		case <-abandon:
			a.s.counters.add(ReasonAbandoned, int(a.s.underway.Load()))
			return
		}
	}
}

// batch acknowledges one batch after its commit.
func (a *acknowledger) batch(b *batch, now time.Time) {
	for _, p := range b.packets {
		if b.err != nil {
			a.salvage(p, b.err, now)
		}
		if p.reply != replyNone {
			a.out = append(a.out, p)
		}
	}
	if len(a.out) > 0 {
		a.s.send(a.transmit, a.out, now)
	}
	for _, p := range b.packets {
		a.s.done(p, now)
	}
	clear(a.out)
	a.out = a.out[:0]
	a.s.underway.Add(-int64(len(b.packets)))
	a.s.pools.release(b)
}

// salvage deals with a change that didn't become durable: nothing is said of it, except that a client which has a durable
// lease of the same address is assured of what is left of that, so that a full disk doesn't take the lab down.
func (a *acknowledger) salvage(p *packet, err error, now time.Time) {
	durable, ok := a.s.table.Durable(p.change, now)
	left := remaining(durable, now)
	p.err = err
	if p.reply != replyAck || !ok || durable.Addr != p.addr || left == 0 {
		p.reply, p.reason = replyNone, ReasonCommitFailed
		return
	}
	p.reason = ReasonAckDurable
	shortenTimes(p.buf[headersLen:], left, p.seed)
	p.finish(a.s.sockets.link.Load())
}

// remaining is how many seconds a lease still runs.
func remaining(l leases.Lease, now time.Time) uint32 {
	if l.Expiry.IsZero() {
		return seconds(leases.Infinite)
	}
	return seconds(max(0, l.Expiry.Sub(now)))
}
