package dhcpserver

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"labnet/leases"
)

// Event is a message and what became of it. What a client sent may be any bytes.
type Event struct {
	Time      time.Time // when the message was received
	Network   string
	Interface string

	Message   string         // DISCOVER, REQUEST, DECLINE, RELEASE, INFORM, or a server's OFFER, ACK, NAK; "" where nothing tells
	State     string         // of a REQUEST, by RFC 2131 section 4.3.2: selecting, init-reboot, renew or rebind
	From      netip.AddrPort // the datagram's source
	Broadcast bool
	HWAddr    leases.HWAddr
	ClientID  string     // option 61
	Relay     netip.Addr // giaddr; this and the next two are invalid where the message has none
	Ciaddr    netip.Addr // the address that the client uses
	Requested netip.Addr // option 50
	Xid       uint32
	Hostname  string // the name that it asks for, by option 81 or 12
	Vendor    string // option 60

	Reply  string         // OFFER, ACK or NAK; "" for none
	To     netip.AddrPort // where the reply went
	Addr   netip.Addr     // what is given, refused, declined or released; may be invalid
	Name   string         // the DNS label that goes with the lease
	Reason Reason
	Beside []Reason      // what happened beside the decision: malformed_served, options_dropped, clone_detected
	Took   time.Duration // from receiving the message to having sent the reply, the commit included
	Err    string        // what went wrong, "" for nothing
}

// Tracer hands events to whoever watches. Several servers may share one. The zero value is ready; all methods may be called
// by any goroutine.
type Tracer struct {
	mu       sync.Mutex // serialises changes of watchers
	watchers atomic.Pointer[[]*Subscription]
}

// traceBuffer is how many events wait for a slow reader; what comes then is lost to it.
const traceBuffer = 1024

// Subscription is one reader of a Tracer. Next and Close are one goroutine's.
type Subscription struct {
	tracer *Tracer
	match  func(*Event) bool
	events chan traced
	lost   atomic.Uint64 // since the last event that found room
	next   traced        // behind the count of what was lost before it
}

// traced is an event, and how many the reader lost right before it.
type traced struct {
	event *Event
	lost  uint64
}

// Subscribe starts handing over the events that match accepts, nil for all. match is called by the servers' goroutines: it
// must be quick, keep nothing and change nothing. Close ends the subscription.
func (t *Tracer) Subscribe(match func(*Event) bool) *Subscription {
	sub := &Subscription{tracer: t, match: match, events: make(chan traced, traceBuffer)}
	t.change(func(all []*Subscription) []*Subscription { return append(all, sub) })
	return sub
}

// Watchers is how many subscriptions there are.
func (t *Tracer) Watchers() int {
	if all := t.watchers.Load(); all != nil {
		return len(*all)
	}
	return 0
}

// change replaces the list of watchers; none are nil, so that servers see by one load that nobody watches.
func (t *Tracer) change(f func([]*Subscription) []*Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*Subscription
	if old := t.watchers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = f(all); len(all) == 0 {
		t.watchers.Store(nil)
		return
	}
	t.watchers.Store(&all)
}

// watched says whether anybody watches.
func (t *Tracer) watched() bool { return t.watchers.Load() != nil }

// publish hands e over; it must not be changed any more. It never waits.
func (t *Tracer) publish(e *Event) {
	all := t.watchers.Load()
	if all == nil {
		return
	}
	for _, sub := range *all {
		if sub.match == nil || sub.match(e) {
			sub.offer(e)
		}
	}
}

func (s *Subscription) offer(e *Event) {
	lost := s.lost.Swap(0)
	select {
	case s.events <- traced{e, lost}:
	default:
		s.lost.Add(lost + 1)
	}
}

// Next waits for the next event, or returns how many were lost at this place because they weren't read in time: then lost is
// not 0 and there is no event. The error is ctx's; what is waiting already comes before it.
func (s *Subscription) Next(ctx context.Context) (e *Event, lost uint64, err error) {
	next := s.next
	s.next = traced{}
	if next.event == nil {
		if next, err = s.receive(ctx); err != nil {
			return nil, 0, err
		}
	}
	if next.lost > 0 {
		s.next.event = next.event
		return nil, next.lost, nil
	}
	return next.event, 0, nil
}

func (s *Subscription) receive(ctx context.Context) (traced, error) {
	select {
	case next := <-s.events:
		return next, nil
	default:
	}
	if lost := s.lost.Swap(0); lost > 0 {
		return traced{lost: lost}, nil // nothing came after them so far
	}
	select {
	case next := <-s.events:
		return next, nil
	case <-ctx.Done():
		return traced{}, context.Cause(ctx)
	}
}

// Close ends the subscription; it may be called twice.
func (s *Subscription) Close() {
	s.tracer.change(func(all []*Subscription) []*Subscription {
		return slices.DeleteFunc(all, func(other *Subscription) bool { return other == s })
	})
}
