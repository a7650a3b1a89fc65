package leases

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// maxSleep bounds how late Run notices that the clock was set, or an offer ran out.
const maxSleep = 30

// maxLate bounds how many ends of leases go along with one commit, so that nobody's ACK waits for a crowd of them.
const maxLate = 1024

// retryAfter is the time in seconds after which a store that has failed is tried again when nobody else does.
const retryAfter = 5

// queue is what waits for the committer.
type queue struct {
	changes []*pending
	groups  []group
}

// group is what one Submit handed in: the next count changes of the queue.
type group struct {
	count int
	done  func(error)
}

func (q *queue) reset() {
	clear(q.changes)
	clear(q.groups)
	q.changes, q.groups = q.changes[:0], q.groups[:0]
}

// Submit hands changes to the committer: one transaction and one fsync serve everything that waits. done is called
// once, from the committer's goroutine and in the order of submission, when all of them are durable (nil) or taken
// back (the error). It must not block, and may be nil. A change never becomes durable without those that were decided before it for the
// same address, client or name, and is taken back with them; what such a later change has made durable already stays, even
// if the rest of its own submission is taken back. After Run has ended, done is called at once.
func (t *Table) Submit(changes []Change, done func(error)) {
	t.mu.Lock()
	before := len(t.waiting.changes)
	for i := range changes {
		if p := changes[i].pending; p != nil {
			t.waiting.changes = append(t.waiting.changes, p)
		}
	}
	t.waiting.groups = append(t.waiting.groups, group{len(t.waiting.changes) - before, done})
	closed := t.closed
	if closed {
		takeBackAll(t.waiting.changes, errClosed)
		t.waiting.reset()
	}
	t.mu.Unlock()
	if closed {
		if done != nil {
			done(errClosed)
		}
		return
	}
	t.poke()
}

// Run commits what Submit hands in, and ends leases whose time is over, until ctx ends; then it commits what still waits
// and returns nil. It may be called again when it has returned.
func (t *Table) Run(ctx context.Context) error {
	t.mu.Lock()
	t.closed = false
	t.mu.Unlock()
	c := committer{table: t}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			c.drain(context.WithoutCancel(ctx))
			return nil
		case <-t.wake:
		case <-timer.C:
		}
		timer.Reset(c.round(context.WithoutCancel(ctx), time.Now()))
	}
}

// committer is what Run alone uses; its slices are kept from one commit to the next.
type committer struct {
	table  *Table
	taken  queue
	batch  []*pending
	late   []lateWrite
	leases []Lease
	ahead  int64 // of the clock when leases was made
}

// drain commits what waits, and closes the table for more.
func (c *committer) drain(ctx context.Context) {
	t := c.table
	for {
		c.round(ctx, time.Now())
		t.mu.Lock()
		if len(t.waiting.groups) == 0 && (len(t.late) == 0 || t.storeErr != nil) {
			t.closed = true
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}

// round makes one commit of everything that waits, and returns for how long there is nothing more to do.
func (c *committer) round(ctx context.Context, now time.Time) time.Duration {
	t := c.table
	t.mu.Lock()
	sec := t.seconds(now)
	t.expire(sec, expireSome)
	for _, n := range t.networks {
		n.expireHolds(sec)
	}
	c.collect()
	before, steps := t.storeErr, t.steps
	t.steps = nil
	t.mu.Unlock()
	logSteps(t.log, steps)

	err := before
	if len(c.leases) > 0 || before != nil {
		began := time.Now()
		if err = t.store.Commit(ctx, c.leases); err != nil {
			err = fmt.Errorf("committing leases: %w", err)
		}
		t.noteCommit(time.Since(began), len(c.leases), err)
		c.resolve(err)
	}
	switch {
	case err != nil && before == nil:
		t.log.Error("leases can't be stored: no new lease is acknowledged until they can", "err", err)
	case err == nil && before != nil:
		t.log.Info("leases can be stored again")
	}
	c.answer()
	return c.sleep(err != nil)
}

// collect takes what waits and makes the records of a transaction from it.
func (c *committer) collect() {
	t := c.table
	c.taken.reset()
	c.taken, t.waiting = t.waiting, c.taken
	c.takeBackBroken()

	clear(c.batch)
	c.batch, c.leases = c.batch[:0], c.leases[:0]
	t.batches++
	c.ahead = t.clock.ahead.Load()
	for _, p := range c.taken.changes {
		c.add(p)
	}
	slices.SortFunc(c.batch, func(a, b *pending) int { return cmp.Compare(a.seq, b.seq) })

	// The ends of leases come first: changes of the same addresses were decided after them.
	clear(c.late)
	c.late = c.late[:0]
	rest := t.late[:0]
	for _, w := range t.late {
		switch {
		case w.slot.committed != w.record: // the address has a new lease by now
		case len(c.late) < maxLate || w.slot.last != nil: // what follows it mustn't come first
			c.late = append(c.late, w)
			c.leases = append(c.leases, w.record.lease(w.slot))
		default:
			rest = append(rest, w)
		}
	}
	clear(t.late[len(rest):])
	t.late = rest
	for _, p := range c.batch {
		for _, e := range p.effects {
			c.leases = append(c.leases, e.next.lease(e.slot))
		}
	}
	if len(c.leases) == 0 && t.storeErr != nil {
		c.leases = t.appendAny(c.leases) // to learn whether the store works again: what it has already
	}
}

// appendAny appends one committed lease, if there are any.
func (t *Table) appendAny(to []Lease) []Lease {
	for _, n := range t.networks {
		for _, s := range n.slots {
			if s.committed != nil {
				return append(to, s.committed.lease(s))
			}
		}
	}
	return to
}

// takeBackBroken takes back the rest of each group that has lost a change already.
func (c *committer) takeBackBroken() {
	for again := true; again; {
		again = false
		next := 0
		for _, g := range c.taken.groups {
			members := c.taken.changes[next : next+g.count]
			next += g.count
			if err := broken(members); err != nil && slices.ContainsFunc(members, (*pending).isOpen) {
				takeBackAll(members, err)
				again = true // that may have broken others
			}
		}
	}
}

func (p *pending) isOpen() bool { return p.outcome == open }

// broken returns why a change of a group was taken back, or nil if none was.
func broken(members []*pending) error {
	for _, p := range members {
		if p.outcome == takenBack {
			return p.err
		}
	}
	return nil
}

// add puts p into the batch, with everything that it builds on.
func (c *committer) add(p *pending) {
	if p.outcome != open || p.batch == c.table.batches {
		return
	}
	p.batch = c.table.batches
	c.batch = append(c.batch, p)
	for _, q := range p.deps {
		c.add(q)
	}
}

// resolve publishes the batch, or takes it back.
func (c *committer) resolve(err error) {
	t := c.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.storeErr = err
	if err != nil {
		takeBackAll(c.batch, err)
		t.late = append(t.late, c.late...)
		return
	}
	c.restampBatch()
	for _, p := range c.batch {
		p.publish()
	}
}

// answer calls everybody back.
func (c *committer) answer() {
	next := 0
	for _, g := range c.taken.groups {
		err := broken(c.taken.changes[next : next+g.count])
		next += g.count
		if g.done != nil {
			g.done(err)
		}
	}
}

// sleep decides when Run wakes by itself.
func (c *committer) sleep(failed bool) time.Duration {
	t := c.table
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	t.sleeping = sec + maxSleep
	if at, ok := t.timers.next(); ok {
		t.sleeping = min(t.sleeping, at)
	}
	switch {
	case failed:
		t.sleeping = min(t.sleeping, sec+retryAfter)
	case len(t.late) > 0:
		return 0
	}
	return max(0, t.clock.wall(t.sleeping).Sub(now))
}
