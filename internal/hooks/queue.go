package hooks

import "net/netip"

// queue is what waits for a hook. The events of one address come out one at a time and in order, addresses in turn.
type queue struct {
	lanes   map[place]*lane
	ready   []*lane // that have an event, and nobody at work on an earlier one
	waiting int     // events
}

// place is what events are in order for.
type place struct {
	network string
	addr    netip.Addr
}

// lane is the events of one address.
type lane struct {
	at     place
	events []*Event
}

func (q *queue) put(e *Event) {
	at := place{e.Network, e.Lease.Address}
	l := q.lanes[at]
	if l == nil {
		if q.lanes == nil {
			q.lanes = map[place]*lane{}
		}
		l = &lane{at: at}
		q.lanes[at] = l
		q.ready = append(q.ready, l)
	}
	l.events = append(l.events, e)
	q.waiting++
}

// take returns the next event; its lane rests until free is called. nil: there is none that may be taken.
func (q *queue) take() (*lane, *Event) {
	if len(q.ready) == 0 {
		return nil, nil
	}
	l := q.ready[0]
	q.ready[0] = nil
	q.ready = q.ready[1:]
	e := l.events[0]
	l.events[0] = nil
	l.events = l.events[1:]
	q.waiting--
	return l, e
}

// free says that the work on what take returned with l is done.
func (q *queue) free(l *lane) {
	switch {
	case q.lanes[l.at] != l: // cleared meanwhile
	case len(l.events) == 0:
		delete(q.lanes, l.at)
	default:
		q.ready = append(q.ready, l)
	}
}

// clear throws away what waits and returns how many events that was.
func (q *queue) clear() int {
	lost := q.waiting
	*q = queue{}
	return lost
}
