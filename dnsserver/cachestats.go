package dnsserver

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"
)

// CacheStats is how the cache does. The counters count since Listen.
type CacheStats struct {
	Entries int
	Bytes   int64  // that they take
	Limit   int64  // bytes that they may take
	Evicted uint64 // answers that had to go before they expired, since others needed the room
	Groups  []CacheGroup
}

// CacheGroup is what the cache holds of the answers of one group of upstreams. One with neither Name nor Ours is of servers that the configuration
// doesn't name any more: those answers are not served, and go in time.
type CacheGroup struct {
	Name     string
	Ours     bool // what the configuration itself answers, made ready for the wire; it has no Name
	Entries  int
	Bytes    int64
	Negative int // of the entries: that there is no such name or type
	Failures int // of the entries: that there was no answer
	Expired  int // of the entries: kept until the room is needed
}

// CacheStats walks the cache, which takes a while where there are many answers, and holds nobody up. Safe for concurrent use.
func (s *Server) CacheStats() CacheStats {
	use := s.CacheUse()
	stats := CacheStats{Entries: use.Entries, Bytes: use.Bytes, Limit: use.Limit, Evicted: use.Evicted}
	own, gone := CacheGroup{Ours: true}, CacheGroup{}
	names := map[uint64]string{}
	groups := map[string]*CacheGroup{}
	for g := range s.snap.Load().allGroups() {
		names[g.key] = g.name
		groups[g.name] = &CacheGroup{Name: g.name}
	}
	now := s.cache.moment(time.Now())
	for e := range s.cache.all() {
		switch g := groups[names[e.group]]; {
		case e.group == ours:
			own.add(e, now)
		case g == nil:
			gone.add(e, now)
		default:
			g.add(e, now)
		}
	}
	for _, g := range []*CacheGroup{&own, &gone} {
		if g.Entries > 0 {
			stats.Groups = append(stats.Groups, *g)
		}
	}
	for _, g := range groups {
		stats.Groups = append(stats.Groups, *g)
	}
	slices.SortStableFunc(stats.Groups, func(a, b CacheGroup) int { return cmp.Compare(a.Name, b.Name) })
	return stats
}

func (g *CacheGroup) add(e *entry, now moment) {
	g.Entries++
	g.Bytes += e.cost()
	switch e.kind() {
	case cacheNegative:
		g.Negative++
	case cacheFailure:
		g.Failures++
	}
	if !e.fresh(now) {
		g.Expired++
	}
}

// all yields the entries without a lock: those that come or go meanwhile may be missed.
func (c *cache) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for i := range c.shards {
			t := c.shards[i].table.Load()
			for i := range t.heads {
				for e := t.at(&t.heads[i]); e != nil; e = t.at(&e.next) {
					if !yield(e) {
						return
					}
				}
			}
		}
	}
}

// Flush takes answers of upstreams out of the cache, and returns how many: all for "", else those to questions about a name, of every type, and with below
// those about every name under it. Answers that are on their way come in after it. The error wraps ErrQuestion. Safe for concurrent use.
func (s *Server) Flush(text string, below bool) (int, error) {
	if text == "" {
		return s.cache.flush(func(name) bool { return true }), nil
	}
	n, err := parseName(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrQuestion, err)
	case below:
		return s.cache.flush(func(asked name) bool { return asked.under(n) }), nil
	}
	return s.cache.flush(func(asked name) bool { return asked == n }), nil
}

// flush takes out the answers of upstreams to questions about the names that leave chooses.
func (c *cache) flush(leave func(name) bool) int {
	before := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		before += s.entries
		heads := s.table.Load().heads
		for i := range heads {
			s.sweep(&heads[i], func(e *entry) bool { return !e.fixed() && leave(e.asked()) })
		}
		s.tidy()
		before -= s.entries
		s.mu.Unlock()
	}
	return before
}

// fixed tells an answer of the configuration that no upstream's has led to.
func (e *entry) fixed() bool { return e.group == ours && e.why != blocked && e.why != rebind }

// asked is the name that the answer is to.
func (e *entry) asked() name {
	data, at := e.data(), headerSize
	for data[at] != 0 {
		at += 1 + int(data[at])
	}
	return name(data[headerSize : at+1])
}

// Outcomes is how questions about names of the outside were answered since Listen.
type Outcomes struct {
	Hits     uint64 // from the cache: answers
	Negative uint64 // from the cache: that there is no such name or type
	Failures uint64 // from the cache: that there was no answer a moment ago
	Misses   uint64 // by asking upstreams, or trying to
}

// Outcomes is a view of Stats. Safe for concurrent use.
func (s *Server) Outcomes() Outcomes {
	var o Outcomes
	for r := range s.stats {
		n := s.stats[r].Load()
		switch reason(r) {
		case cacheHit:
			o.Hits += n
		case cacheNegative:
			o.Negative += n
		case cacheFailure:
			o.Failures += n
		case forwarded, forwardedNegative, upstreamTimeout, upstreamFailure:
			o.Misses += n
		}
	}
	return o
}
