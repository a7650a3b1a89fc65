package dhcpclient

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// loop feeds the machine with what the readers bring, and does what it wants done. All but hints belongs to its goroutine.
type loop struct {
	*Client
	machine *machine
	handle  func(Event) error
	inputs  chan func(now time.Duration)
	hints   atomic.Pointer[hint] // for the readers, which keep away what isn't worth a look
	armed   time.Duration
}

// put hands something to the loop; it is false when the loop ends.
func (l *loop) put(ctx context.Context, input func(now time.Duration)) bool {
	select {
	case l.inputs <- input:
		return true
	case <-ctx.Done():
		return false
	}
}

// run is the loop. It ends with ctx.
func (l *loop) run(ctx context.Context) error {
	now := l.clock.now()
	l.machine.start(now, l.socks.current().carrier)
	for {
		if err := l.perform(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case input := <-l.inputs:
			input(l.clock.now())
		}
	}
}

// perform does what the machine wants, and has it woken at its next deadline.
func (l *loop) perform() error {
	out := l.machine.out
	l.machine.out = nil
	// An answer may come at once.
	hint := l.machine.hint()
	l.hints.Store(&hint)
	for _, a := range out {
		if a.frame == nil {
			if err := l.handle(a.event); err != nil {
				return err
			}
			continue
		}
		if err := l.socks.send(a.frame); err != nil {
			// Whatever matters is sent again.
			l.log.Debug("a frame can't be sent", "err", err)
		}
	}
	if at := l.machine.deadline(); at != l.armed {
		l.armed = at
		return l.clock.arm(at)
	}
	return nil
}

// tick is called when the deadline has come.
func (l *loop) tick(now time.Duration) {
	l.armed = 0
	l.machine.elapsed(now)
}

// message takes a DHCP message.
func (l *loop) message(now time.Duration, d datagram) {
	r, err := readReply(d.payload, l.machine.own, l.cfg.ClientID)
	switch {
	case errors.Is(err, errNotForUs):
	case err != nil:
		l.machine.complain(now, "an answer of a DHCP server can't be used", "err", err)
	default:
		r.hop = d.from
		l.machine.received(now, r)
	}
}

// link takes that something about links has changed.
func (l *loop) link(now time.Duration) {
	was := l.socks.current()
	is, err := l.socks.refresh()
	switch {
	case err != nil:
		l.log.Warn("the interface can't be looked at", "err", err)
		return
	case is == was:
		return
	case is.index != was.index || is.mac != was.mac:
		if was.index == is.index {
			l.machine.removed(now, "the interface has another hardware address")
		} else {
			l.machine.removed(now, "the interface is gone")
		}
		l.machine.own = is.mac
	}
	if is.carrier != was.carrier {
		l.log.Debug("the link has changed", "carrier", is.carrier)
	}
	l.machine.setCarrier(now, is.carrier)
}
