package generator

import (
	"math/bits"
	"time"
)

// Result is what came of a run.
type Result struct {
	Answers    int           // right ones, while questions were asked
	Elapsed    time.Duration // for how long questions were asked
	Lost       int           // questions that had no answer in time
	Failed     int           // answers without an address, for a reason that a server may have: REFUSED, SERVFAIL, …
	Wrong      int           // answers that a server must not give
	Example    string        // of Failed and Wrong
	Strays     int           // answers that nobody waited for
	Unsent     int           // questions that our own kernel didn't take
	Reconnects int           // TCP connections that the server has closed

	Times Histogram
}

// Rate is right answers a second.
func (r *Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answers) / r.Elapsed.Seconds()
}

// A histogram's classes are powers of two in parts: each is at most 1/parts wider than its lower end.
const (
	partBits = 6
	parts    = 1 << partBits
)

// Histogram is how long answers took.
type Histogram struct {
	classes [(40 - partBits) * parts]uint32
	n       uint64
}

func (h *Histogram) add(d time.Duration) {
	v := uint64(max(d, 0))
	class := int(v)
	if v >= 2*parts {
		shift := bits.Len64(v) - partBits - 1
		class = shift<<partBits + int(v>>shift)
	}
	h.classes[min(class, len(h.classes)-1)]++
	h.n++
}

// Quantile is what the fraction q (0 to 1) of the times didn't exceed, to 2 %; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	left := min(uint64(q*float64(h.n)), h.n-1)
	for class, n := range h.classes {
		if uint64(n) > left {
			if class < 2*parts {
				return time.Duration(class)
			}
			shift := class>>partBits - 1
			return time.Duration(uint64(class-shift<<partBits)<<shift + 1<<shift/2)
		}
		left -= uint64(n)
	}
	return 0
}
