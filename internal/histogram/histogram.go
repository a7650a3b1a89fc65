package histogram

import (
	"sync/atomic"
	"time"
)

// Histogram counts durations. It must be made by New. Any goroutine may observe and read; nobody waits.
type Histogram struct {
	bounds []time.Duration
	counts []atomic.Uint64 // one for each bound, and one for what is above the last
	sum    atomic.Int64    // nanoseconds
}

// Reading is a histogram at a moment. An observation that comes meanwhile may be in Sum and not yet in the counts, or the other way round.
type Reading struct {
	Bounds []time.Duration // ascending; the upper end of each bucket, which belongs to it
	Counts []uint64        // of each bucket alone; one more than Bounds: what is above the last
	Sum    time.Duration
}

// New returns an empty histogram whose buckets end at bounds, in ascending order. The slice is the histogram's from then on.
func New(bounds ...time.Duration) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one duration; one below zero, as from a clock that was set, counts as zero. It allocates nothing.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Read returns what was counted so far.
func (h *Histogram) Read() Reading {
	r := Reading{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: time.Duration(h.sum.Load())}
	for i := range h.counts {
		r.Counts[i] = h.counts[i].Load()
	}
	return r
}

// Count is how many durations were counted.
func (r Reading) Count() (n uint64) {
	for _, c := range r.Counts {
		n += c
	}
	return n
}
