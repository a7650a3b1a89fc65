package netcfg

import (
	"sync/atomic"
	"time"
)

// Stats is how a Host has done since Open.
type Stats struct {
	Repaired uint64    // changes that Run made since others had taken or changed what was set up
	Failures uint64    // looks at the host, or repairs, that failed
	Resting  bool      // repairs rest, since someone keeps changing things
	Applied  time.Time // when the last Apply ended; zero: none yet
	Failed   bool      // it failed
}

// stats are the counters behind Stats.
type stats struct {
	repaired, failures atomic.Uint64
	applied            atomic.Int64 // Unix nanoseconds
	failed             atomic.Bool
}

// noteApply remembers how the last Apply ended.
func (s *stats) noteApply(err error) {
	s.failed.Store(err != nil)
	s.applied.Store(time.Now().UnixNano())
}

// Stats may be called at any time, also while something is being changed.
func (h *Host) Stats() Stats {
	out := Stats{
		Repaired: h.stats.repaired.Load(), Failures: h.stats.failures.Load(), Failed: h.stats.failed.Load(),
		Resting: h.resting(time.Now()) != nil,
	}
	if at := h.stats.applied.Load(); at != 0 {
		out.Applied = time.Unix(0, at)
	}
	return out
}
