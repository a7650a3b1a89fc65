package generator

import (
	"slices"
	"time"
)

// Result is what came of a run.
type Result struct {
	Exchanges int           // complete: acknowledged
	Elapsed   time.Duration // until no further exchange began
	Repeated  int           // messages that were said again
	Lost      int           // exchanges that were given up
	NAKs      int           // exchanges that were refused
	Strays    int           // answers that nobody waited for
	Unsent    int           // packets that our own kernel didn't take
	Wrong     int           // what a server must not do: an address given twice, another address than was asked for, …
	Example   string        // of Wrong

	inTime      int             // exchanges that were complete when no further one began
	whole, acks []time.Duration // sorted when the run is over
}

func (r *Result) finish() {
	slices.Sort(r.whole)
	slices.Sort(r.acks)
}

// Rate is exchanges a second while the window was full: what is still in flight when no further exchange begins doesn't
// count, neither its number nor its time, or else one lost packet would cost a short run a second.
func (r *Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.inTime) / r.Elapsed.Seconds()
}

// Whole is the time that the fraction q of the exchanges took at most, from the first message to the ACK.
func (r *Result) Whole(q float64) time.Duration { return Quantile(r.whole, q) }

// Ack is the time that the fraction q of the ACKs took at most, from the REQUEST on.
func (r *Result) Ack(q float64) time.Duration { return Quantile(r.acks, q) }

// Quantile is the value that the fraction q (0 to 1) of sorted values doesn't exceed; 0 of none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
