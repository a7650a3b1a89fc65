package leases

import (
	"cmp"
	"iter"
	"slices"
)

// Snapshot is the committed leases of one moment, in every state but Offered. It holds 16 bytes for each; leases are made of them
// as they are read. It may be read by several goroutines.
type Snapshot struct {
	all []found
	seq uint64
}

type found struct {
	slot   *slot
	record *record
}

// Snapshot returns the committed leases of a network ("" for all), ordered by network and address.
func (t *Table) Snapshot(network string) Snapshot {
	var s Snapshot
	t.mu.Lock()
	s.seq = t.feed.last
	for name, n := range t.networks {
		if network != "" && network != name {
			continue
		}
		s.all = slices.Grow(s.all, len(n.slots))
		for _, slot := range n.slots {
			if slot.committed != nil {
				s.all = append(s.all, found{slot, slot.committed})
			}
		}
	}
	t.mu.Unlock()
	// Records, and what is read of slots here, never change.
	slices.SortFunc(s.all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.slot.net.name, b.slot.net.name), cmp.Compare(a.slot.addr, b.slot.addr))
	})
	return s
}

// Seq is the number of the last event that the snapshot shows: Events of it follows the snapshot.
func (s Snapshot) Seq() uint64 { return s.seq }

// Len is the number of leases.
func (s Snapshot) Len() int { return len(s.all) }

// All gives the leases, one at a time.
func (s Snapshot) All() iter.Seq[Lease] {
	return func(yield func(Lease) bool) {
		for _, f := range s.all {
			if !yield(f.record.lease(f.slot)) {
				return
			}
		}
	}
}

// Where returns the leases that match.
func (s Snapshot) Where(match func(Lease) bool) Snapshot {
	kept := Snapshot{seq: s.seq}
	for _, f := range s.all {
		if match(f.record.lease(f.slot)) {
			kept.all = append(kept.all, f)
		}
	}
	return kept
}

// SortFunc orders the leases; those that are equal keep their order.
func (s Snapshot) SortFunc(compare func(a, b Lease) int) {
	slices.SortStableFunc(s.all, func(a, b found) int { return compare(a.record.lease(a.slot), b.record.lease(b.slot)) })
}

// Leases returns the committed leases of a network ("" for all) in every state but Offered, ordered by network and address.
func (t *Table) Leases(network string) []Lease {
	s := t.Snapshot(network)
	leases := make([]Lease, 0, s.Len())
	for l := range s.All() {
		leases = append(leases, l)
	}
	return leases
}
