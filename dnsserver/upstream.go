package dnsserver

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"labnet/internal/histogram"
)

// upstream is one server, and what has been learnt about it. Shared by all groups and snapshots that name it.
type upstream struct {
	addr    netip.AddrPort
	looping atomic.Bool // it asks us what we ask it

	times *histogram.Histogram // of its answers
	lost  atomic.Uint64        // messages that came to nothing

	mu       sync.Mutex // guards the rest
	rtt      time.Duration
	spread   time.Duration // how far round trips are from rtt, on average
	failures int
	heard    moment // the last answer
	measured moment // when the round trip was last found out, or wanted to be
	retry    moment // while it is down: when it is next asked beside another
	silent   bool   // that it is down stands in the log
	// sameCase: until then its answers don't repeat the letter case of the question, so that 0x20 proves nothing.
	sameCase moment
	// noEDNS: until then it is asked without EDNS, which it doesn't understand.
	noEDNS     moment
	complained [complaints]moment // when each stood in the log
	probeAt    moment             // when it is next asked whether it loops
}

const (
	// downAfter is how many failures in a row make a server the last choice. One question finds out whether it is back after downFor at
	// first, and after maxDownFor at most.
	downAfter  = 2
	downFor    = time.Second
	maxDownFor = 30 * time.Second
	// remember is how long it is known of a server that it changes letter case, or doesn't understand EDNS.
	remember = time.Hour
	// remeasure is after which time the round trip of a server that isn't the first choice is found out anew.
	remeasure = time.Minute
	// firstHedge is how long a server is waited for whose round trip isn't known, before the question is sent again, to the next; minHedge
	// and maxHedge are the bounds for the others.
	firstHedge = 400 * time.Millisecond
	minHedge   = 100 * time.Millisecond
	maxHedge   = 800 * time.Millisecond
)

// hedge is how long a server is waited for before the next is asked beside it: about as long as it hardly ever takes (RFC 6298).
func (u *upstream) hedge() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rtt == 0 {
		return firstHedge
	}
	return min(max(u.rtt+4*u.spread, minHedge), maxHedge)
}

// answered tells of an answer, and returns whether the server was said to be down. detour: it came over TCP, after something else, and says
// little about how long answers take.
func (u *upstream) answered(rtt time.Duration, detour bool, now moment) (wasSilent bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.rtt == 0:
		u.rtt, u.spread = rtt, rtt/2
	case !detour:
		off := rtt - u.rtt
		u.rtt += off / 8
		u.spread += (max(off, -off) - u.spread) / 4
	}
	u.failures, u.heard, u.measured = 0, now, now
	wasSilent, u.silent = u.silent, false
	return wasSilent
}

// slow tells that another server was faster than this one, which hadn't answered after waited.
func (u *upstream) slow(waited time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rtt = max(u.rtt, waited)
}

// failed tells that a message sent at a time came to nothing, and returns whether the server is down since now. Silence on one question
// says nothing about a server that has answered others since.
func (u *upstream) failed(sent moment, err error, now moment) (down bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if errors.Is(err, errNoAnswer) && u.heard > sent {
		return false
	}
	u.failures++
	if u.failures < downAfter {
		return false
	}
	u.retry = now.add(min(downFor<<min(u.failures-downAfter, 10), maxDownFor))
	down = !u.silent
	u.silent = true
	return down
}

func (u *upstream) down() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failures >= downAfter
}

func (u *upstream) folds(now moment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now < u.sameCase
}

func (u *upstream) setFolds(now moment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sameCase = now.add(remember)
}

func (u *upstream) plain(now moment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now < u.noEDNS
}

func (u *upstream) setPlain(now moment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noEDNS = now.add(remember)
}

func (u *upstream) status() UpstreamStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	return UpstreamStatus{Addr: u.addr, RTT: u.rtt, Failures: u.failures, Down: u.failures >= downAfter, Looping: u.looping.Load()}
}

// sounded tells whether it is time to ask a server beside another one, for its state alone; then it isn't anybody else's.
func (u *upstream) sounded(now moment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failures >= downAfter {
		if now < u.retry {
			return false
		}
		u.retry = now.add(maxDownFor)
		return true
	}
	if u.measured == 0 || now < u.measured.add(remeasure) {
		return false
	}
	u.measured = now
	return true
}

// ranked returns servers in the order in which they are asked: those that are up by round trip, the unknown first, then
// those that are down.
func ranked(servers []*upstream) (order []*upstream, allDown bool) {
	if len(servers) < 2 {
		return servers, len(servers) == 1 && servers[0].down()
	}
	type rank struct {
		u    *upstream
		down int
		rtt  time.Duration
	}
	ranks := make([]rank, len(servers))
	for i, u := range servers {
		status := u.status()
		ranks[i] = rank{u: u, rtt: status.RTT}
		if status.Down {
			ranks[i].down = status.Failures
		}
	}
	slices.SortStableFunc(ranks, func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.down, b.down), cmp.Compare(a.rtt, b.rtt))
	})
	order = make([]*upstream, len(ranks))
	for i, r := range ranks {
		order[i] = r.u
	}
	return order, ranks[0].down > 0
}

// unsounded returns the servers behind the first whose state is to be found out now, beside it.
func unsounded(order []*upstream, now moment) (some []*upstream) {
	for _, u := range order[min(1, len(order)):] {
		if u.sounded(now) {
			some = append(some, u)
		}
	}
	return some
}

// upstreams is every server that a configuration names, by address. Guarded by Server.mu.
type upstreams map[netip.AddrPort]*upstream

func (all upstreams) get(addr netip.AddrPort) *upstream {
	u := all[addr]
	if u == nil {
		u = &upstream{addr: addr, times: newUpstreamTimes()}
		all[addr] = u
	}
	return u
}
