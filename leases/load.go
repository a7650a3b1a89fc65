package leases

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// futureTime is how far in the future a client may have been heard of, in seconds, before the time of day is in doubt.
const futureTime = 60

// Load reads the store. It is called once, before Run. Leases whose time is over become Expired and keep their clients in
// mind. Records that contradict others, as no commit leaves them, are made to agree; the newest wins.
func (t *Table) Load(ctx context.Context, now time.Time) error {
	all, bad, err := t.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading leases: %w", err)
	}
	for _, b := range bad {
		t.log.Warn("a stored lease can't be understood and was set aside", "key", b.Key, "reason", b.Reason)
	}
	t.mu.Lock()
	sec := t.seconds(now)
	slots := make([]*slot, 0, len(all))
	var ignored []BadRecord
	for _, l := range all {
		s, reason := t.restore(l)
		if reason != "" {
			ignored = append(ignored, BadRecord{Key: fmt.Sprintf("%s %v", l.Network, l.Addr), Reason: reason})
			continue
		}
		slots = append(slots, s)
	}
	// The newest first, so that it gets what two claim.
	slices.SortFunc(slots, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(b.cur.seen, a.cur.seen), cmp.Compare(b.cur.start, a.cur.start), cmp.Compare(a.addr, b.addr))
	})
	ahead := 0
	for _, s := range slots {
		if s.cur.seen > sec+futureTime {
			ahead++
		}
		t.adopt(s, sec)
	}
	// The longest free first, as the free list has it.
	slices.SortFunc(slots, func(a, b *slot) int { return cmp.Compare(a.cur.expiry, b.cur.expiry) })
	for _, s := range slots {
		r := s.cur
		s.cur = nil
		s.net.setCur(s, r)
	}
	t.mu.Unlock()
	for _, b := range ignored {
		t.log.Warn("a stored lease makes no sense and is ignored", "key", b.Key, "reason", b.Reason)
	}
	if ahead > 0 {
		t.log.Warn("clients were last heard of in the future: is the time of day right?", "leases", ahead, "now", now.UTC().Format(time.RFC3339))
	}
	t.poke()
	return nil
}

// restore puts a stored lease at its address, or says why it can't be one.
func (t *Table) restore(l Lease) (s *slot, reason string) {
	addr, ok := key(l.Addr)
	switch {
	case l.Network == "":
		return nil, "no network"
	case !ok:
		return nil, "no IPv4 address"
	case l.ID == "":
		return nil, "no client"
	case l.State < Bound || l.State > Expired:
		return nil, "state " + l.State.String()
	}
	s = t.networkOf(l.Network).slotAt(addr)
	if s.cur != nil {
		return nil, "the address appears twice"
	}
	s.cur = t.clock.record(l)
	s.committed = s.cur
	s.net.recount(s, nil, s.committed)
	return s, ""
}

// adopt gives s's client its address and its name. Newer records had their turn.
func (t *Table) adopt(s *slot, now int64) {
	n, r := s.net, s.cur
	c := n.clientOf(r.id())
	switch {
	case r.blocks() && r.expiry <= now:
		r = r.ended(Expired, r.expiry)
	case r.state != Bound && r.name() != "":
		r = r.ended(r.state, r.expiry)
	case r.state == Bound && c.slot != nil && c.slot.cur.state == Bound:
		r = r.ended(Released, now) // the client has moved
	case r.name() != "" && r.state == Bound && n.names[r.name()] != nil:
		r = r.nameless(now)
	}
	if r.state == Declined {
		for rest := r.expiry - r.seen; rest >= quarantineTime && s.strikes < maxStrikes; rest /= 2 {
			s.strikes++
		}
	} else if c.slot == nil || r.state == Bound && c.slot.cur.state != Bound {
		c.slot = s
	}
	n.settle(c.id)
	if r.name() != "" {
		n.names[r.name()] = &nameCell{owner: s, published: s}
	}
	if r != s.cur {
		t.late = append(t.late, lateWrite{s, r})
	}
	n.recount(s, s.committed, r)
	s.cur, s.committed = r, r
}
