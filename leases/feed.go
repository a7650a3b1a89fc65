package leases

import (
	"context"
	"errors"
	"time"
)

// feedLength is how many events are kept for those who read slowly.
const feedLength = 1 << 14

// ErrEventsLost says that the events which come next are kept no longer: what they said is in the next Snapshot.
var ErrEventsLost = errors.New("events were lost")

// EventKind says what happened to a lease.
type EventKind string

// What can happen to a lease.
const (
	EventBound    EventKind = "bound"    // a client has got the address
	EventRenewed  EventKind = "renewed"  // its client keeps it for longer
	EventChanged  EventKind = "changed"  // its client keeps it, and has another name or hardware address
	EventReleased EventKind = "released" // given back, by the client or an operator, or since the client has moved
	EventExpired  EventKind = "expired"
	EventConflict EventKind = "conflict" // the address is used by another machine, and rests
	EventCleared  EventKind = "cleared"  // an address that rested can be given out again
)

// Event is one committed change of a lease.
type Event struct {
	Seq    uint64 // counts the events of a Table, from 1 on
	At     time.Time
	Kind   EventKind
	Lease  Lease // as it is since
	Before Lease // as it was: its address is invalid where there was nothing
}

// feed is the last events, in a ring.
type feed struct {
	ring    []happening
	last    uint64        // the number of the last event
	changed chan struct{} // closed with the next event; nil: nobody waits for one
}

// happening is an event in the form that many of them are kept in.
type happening struct {
	slot          *slot
	before, after *record
	at            int64 // Unix nanoseconds
	kind          EventKind
}

// kindOf says what it is that a lease goes over from before to after; "" for nothing that anybody is told of.
func kindOf(before, after *record) EventKind {
	was := State(0)
	if before != nil {
		was = before.state
	}
	switch after.state {
	case Bound:
		switch {
		case was != Bound || before.id() != after.id():
			return EventBound
		case before.name() != after.name() || before.hw() != after.hw():
			return EventChanged
		}
		return EventRenewed
	case Declined:
		return EventConflict
	case Released, Expired:
		switch {
		case was == Declined:
			return EventCleared
		case was != Bound:
			return ""
		case after.state == Released:
			return EventReleased
		}
		return EventExpired
	}
	return ""
}

// add notes that the committed lease of s goes over from before to after.
func (f *feed) add(s *slot, before, after *record) {
	kind := kindOf(before, after)
	if kind == "" {
		return
	}
	h := happening{s, before, after, time.Now().UnixNano(), kind}
	if len(f.ring) < feedLength {
		f.ring = append(f.ring, h)
	} else {
		f.ring[f.last%feedLength] = h
	}
	f.last++
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Events is a reader of what happens to the leases of a Table. It belongs to one goroutine, costs nothing while it isn't read, and
// needs no end.
type Events struct {
	table *Table
	seen  uint64
}

// Events returns a reader of the events after the one with the number after: the Seq of an event, or of a Snapshot. A number that no
// event has had yet is one whose events are lost.
func (t *Table) Events(after uint64) *Events { return &Events{t, after} }

// Next waits for the next event. The error is ErrEventsLost, and the same again, where the reader has fallen too far behind, or
// ctx's.
func (e *Events) Next(ctx context.Context) (Event, error) {
	for {
		event, changed, err := e.table.feed.next(e)
		if changed == nil {
			return event, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// next returns the event after what e has seen, or what is closed when there is one.
func (f *feed) next(e *Events) (Event, <-chan struct{}, error) {
	e.table.mu.Lock()
	defer e.table.mu.Unlock()
	switch {
	case e.seen == f.last:
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		return Event{}, f.changed, nil
	case e.seen > f.last || f.last-e.seen > uint64(len(f.ring)):
		return Event{}, nil, ErrEventsLost
	}
	h := &f.ring[e.seen%feedLength]
	e.seen++
	event := Event{Seq: e.seen, At: time.Unix(0, h.at).UTC(), Kind: h.kind, Lease: h.after.lease(h.slot)}
	if h.before != nil {
		event.Before = h.before.lease(h.slot)
	}
	return event, nil, nil
}

// LastEvent returns the number of the last event.
func (t *Table) LastEvent() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.feed.last
}
