package leases

import (
	"time"

	"labnet/internal/histogram"
)

// Census is how many leases a network has, as they are committed; and offers.
type Census struct {
	Offered, Bound, Declined, Released, Expired int

	Addresses uint64 // in the ranges; 0 for a network that is no longer configured
	Leased    int    // of these, those that are Bound
}

// tally counts the committed leases of a network.
type tally struct {
	states [Expired + 1]int
	leased int // in the ranges
}

// recount notes that the committed record of s was old, and is r.
func (n *netTable) recount(s *slot, old, r *record) {
	n.tally.add(n, s, old, -1)
	n.tally.add(n, s, r, 1)
}

func (t *tally) add(n *netTable, s *slot, r *record, by int) {
	if r == nil {
		return
	}
	t.states[r.state] += by
	if r.state == Bound && n.pool != nil && n.pool.inSpans(s.addr) {
		t.leased += by
	}
}

// recountAll counts anew, for another pool.
func (n *netTable) recountAll() {
	n.tally = tally{}
	for _, s := range n.slots {
		n.tally.add(n, s, s.committed, 1)
	}
}

// Census counts every network that is configured or has leases, by name. It takes no longer for many leases than for few.
func (t *Table) Census() map[string]Census {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]Census, len(t.networks))
	for name, n := range t.networks {
		c := Census{
			Offered: n.held.length + n.heldOther.length,
			Bound:   n.tally.states[Bound], Declined: n.tally.states[Declined],
			Released: n.tally.states[Released], Expired: n.tally.states[Expired],
			Leased: n.tally.leased,
		}
		if n.pool != nil {
			c.Addresses = n.pool.size
		}
		if n.pool != nil || len(n.slots) > 0 {
			out[name] = c
		}
	}
	return out
}

// Commits is what became of the transactions since the table was made.
type Commits struct {
	Times  histogram.Reading // of those that succeeded: how long each took, its sync included
	Leases uint64            // that they made durable
	Failed uint64
}

// newCommitTimes has bounds from a disk with a cache that survives a power cut to one that is about to fail.
func newCommitTimes() *histogram.Histogram {
	const ms = time.Millisecond
	return histogram.New(ms/10, ms/4, ms/2, ms, 5*ms/2, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms, 1000*ms, 2500*ms, 10000*ms)
}

// Commits may be called by any goroutine.
func (t *Table) Commits() Commits {
	return Commits{Times: t.commitTimes.Read(), Leases: t.committed.Load(), Failed: t.commitsFailed.Load()}
}

// noteCommit notes a transaction that took so long.
func (t *Table) noteCommit(took time.Duration, leases int, err error) {
	if err != nil {
		t.commitsFailed.Add(1)
		return
	}
	t.commitTimes.Observe(took)
	t.committed.Add(uint64(leases))
}
