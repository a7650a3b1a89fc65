// Package tracer hands what happens to whoever watches, and never waits for them.
package tracer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Tracer hands events to whoever watches. Several servers may share one. The zero value is ready; all methods may be called
// by any goroutine.
type Tracer[E any] struct {
	mu       sync.Mutex // serialises changes of watchers
	watchers atomic.Pointer[[]*Subscription[E]]
}

// buffer is how many events wait for a slow reader; what comes then is lost to it.
const buffer = 1024

// Subscription is one reader of a Tracer. Next and Close are one goroutine's.
type Subscription[E any] struct {
	tracer *Tracer[E]
	match  func(*E) bool
	events chan traced[E]
	lost   atomic.Uint64 // since the last event that found room
	next   traced[E]     // behind the count of what was lost before it
}

// traced is an event, and how many the reader lost right before it.
type traced[E any] struct {
	event *E
	lost  uint64
}

// Subscribe starts handing over the events that match accepts, nil for all. match is called by the servers' goroutines: it
// must be quick, keep nothing and change nothing. Close ends the subscription.
func (t *Tracer[E]) Subscribe(match func(*E) bool) *Subscription[E] {
	sub := &Subscription[E]{tracer: t, match: match, events: make(chan traced[E], buffer)}
	t.change(func(all []*Subscription[E]) []*Subscription[E] { return append(all, sub) })
	return sub
}

// Watchers is how many subscriptions there are.
func (t *Tracer[E]) Watchers() int {
	if all := t.watchers.Load(); all != nil {
		return len(*all)
	}
	return 0
}

// change replaces the list of watchers; none are nil, so that servers see by one load that nobody watches.
func (t *Tracer[E]) change(f func([]*Subscription[E]) []*Subscription[E]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*Subscription[E]
	if old := t.watchers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = f(all); len(all) == 0 {
		t.watchers.Store(nil)
		return
	}
	t.watchers.Store(&all)
}

// Watched says whether anybody watches.
func (t *Tracer[E]) Watched() bool { return t.watchers.Load() != nil }

// Publish hands e over; it must not be changed any more. It never waits.
func (t *Tracer[E]) Publish(e *E) {
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

func (s *Subscription[E]) offer(e *E) {
	lost := s.lost.Swap(0)
	select {
	case s.events <- traced[E]{e, lost}:
	default:
		s.lost.Add(lost + 1)
	}
}

// Next waits for the next event, or returns how many were lost at this place because they weren't read in time: then lost is
// not 0 and there is no event. The error is ctx's; what is waiting already comes before it.
func (s *Subscription[E]) Next(ctx context.Context) (e *E, lost uint64, err error) {
	next := s.next
	s.next = traced[E]{}
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

func (s *Subscription[E]) receive(ctx context.Context) (traced[E], error) {
	select {
	case next := <-s.events:
		return next, nil
	default:
	}
	if lost := s.lost.Swap(0); lost > 0 {
		return traced[E]{lost: lost}, nil // nothing came after them so far
	}
	select {
	case next := <-s.events:
		return next, nil
	case <-ctx.Done():
		return traced[E]{}, context.Cause(ctx)
	}
}

// Close ends the subscription; it may be called twice.
func (s *Subscription[E]) Close() {
	s.tracer.change(func(all []*Subscription[E]) []*Subscription[E] {
		return slices.DeleteFunc(all, func(other *Subscription[E]) bool { return other == s })
	})
}
