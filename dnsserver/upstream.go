package dnsserver

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// upstream is one server, and what has been learnt about it. Shared by all groups and snapshots that name it.
type upstream struct {
	addr netip.AddrPort

	mu       sync.Mutex // guards the rest
	rtt      time.Duration
	failures int
	down     time.Time // others first until then
	// sameCase: until then its answers don't repeat the letter case of the question, so that 0x20 proves nothing.
	sameCase time.Time
}

const (
	// downAfter is how many failures in a row make a server the last choice, and downFor for how long at first and at most.
	downAfter  = 2
	downFor    = time.Second
	maxDownFor = 30 * time.Second
	// foldsFor is how long a server that changes letter case is remembered.
	foldsFor = time.Hour
)

func (u *upstream) answered(rtt time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rtt == 0 {
		u.rtt = rtt
	} else {
		u.rtt += (rtt - u.rtt) / 8
	}
	u.failures, u.down = 0, time.Time{}
}

// slow tells that another server was faster than this one, which hadn't answered after waited.
func (u *upstream) slow(waited time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rtt = max(u.rtt, waited)
}

func (u *upstream) failed(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failures++
	if u.failures >= downAfter {
		u.down = now.Add(min(downFor<<min(u.failures-downAfter, 10), maxDownFor))
	}
}

func (u *upstream) folds(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.sameCase)
}

func (u *upstream) setFolds(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sameCase = now.Add(foldsFor)
}

func (u *upstream) status(now time.Time) UpstreamStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	return UpstreamStatus{Addr: u.addr, RTT: u.rtt, Failures: u.failures, Down: now.Before(u.down)}
}

// ranked returns servers in the order in which they are asked: those that are up by round trip, the unknown first, then
// those that are down.
func ranked(servers []*upstream, now time.Time) []*upstream {
	type rank struct {
		u    *upstream
		down int
		rtt  time.Duration
	}
	ranks := make([]rank, len(servers))
	for i, u := range servers {
		status := u.status(now)
		ranks[i] = rank{u: u, rtt: status.RTT}
		if status.Down {
			ranks[i].down = status.Failures
		}
	}
	slices.SortStableFunc(ranks, func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.down, b.down), cmp.Compare(a.rtt, b.rtt))
	})
	order := make([]*upstream, len(ranks))
	for i, r := range ranks {
		order[i] = r.u
	}
	return order
}

// upstreams is every server that a configuration names, by address. Guarded by Server.mu.
type upstreams map[netip.AddrPort]*upstream

func (all upstreams) get(addr netip.AddrPort) *upstream {
	u := all[addr]
	if u == nil {
		u = &upstream{addr: addr}
		all[addr] = u
	}
	return u
}
