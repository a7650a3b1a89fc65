package dhcpserver

import "sync/atomic"

// counters counts by reason. The map itself never changes, so that counting takes no lock.
type counters map[Reason]*atomic.Uint64

func newCounters() counters {
	c := make(counters, len(reasons))
	for _, r := range reasons {
		c[r] = new(atomic.Uint64)
	}
	return c
}

func (c counters) add(r Reason, n int) { c[r].Add(uint64(n)) }

// Stats returns how often each Reason occurred since Listen, those with zero too. It may be called by any goroutine.
func (s *Server) Stats() map[string]uint64 {
	out := make(map[string]uint64, len(s.counters))
	for r, n := range s.counters {
		out[string(r)] = n.Load()
	}
	return out
}
