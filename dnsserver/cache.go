package dnsserver

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultCacheSize = 16 << 20 // bytes
	cacheShards      = 16
	// entryOverhead is what an entry costs beside its bytes: structs, slice headers, its place in the map and the ring.
	entryOverhead = 320
	// maxEntry bounds one answer's share: a few huge ones shall not push out thousands.
	maxEntry = 16 << 10
)

// cache holds answers of upstreams, bounded in bytes; CLOCK decides what goes when it is full. Safe for concurrent use.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

type shard struct {
	mu      sync.RWMutex // guards the rest
	entries map[string]*entry
	ring    []*entry
	hand    int
	size    int64
	limit   int64
}

type entry struct {
	key     string
	answer  *packed
	expires time.Time
	place   int // in the ring
	used    atomic.Bool
}

func newCache(size int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = map[string]*entry{}
	}
	c.resize(size)
	return c
}

// resize sets the bound. When it shrinks, what no longer fits goes at once.
func (c *cache) resize(size int64) {
	if size <= 0 {
		size = defaultCacheSize
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.limit = size / cacheShards
		s.evict(0)
		s.mu.Unlock()
	}
}

// appendKey appends the key of a question: what makes an answer another one, and nothing else.
func (a *asked) appendKey(key []byte) []byte {
	var flags byte
	if a.do {
		flags |= 1
	}
	if a.cd {
		flags |= 2
	}
	if a.lan {
		flags |= 4
	}
	key = binary.BigEndian.AppendUint64(key, a.group.key)
	key = append(key, flags)
	key = binary.BigEndian.AppendUint16(key, a.qtype)
	return append(key, a.name...)
}

func (c *cache) shard(key []byte) *shard {
	return &c.shards[maphash.Bytes(c.seed, key)%cacheShards]
}

// get returns the answer for a key, or nil.
func (c *cache) get(key []byte, now time.Time) *packed {
	s := c.shard(key)
	s.mu.RLock()
	e := s.entries[string(key)]
	s.mu.RUnlock()
	if e == nil || !now.Before(e.expires) {
		return nil
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.answer
}

// put keeps an answer for ttl.
func (c *cache) put(key []byte, answer *packed, ttl time.Duration, now time.Time) {
	e := &entry{key: string(key), answer: answer, expires: now.Add(ttl)}
	cost := e.cost()
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[e.key]; old != nil {
		s.remove(old)
	}
	if ttl <= 0 || cost > maxEntry || cost > s.limit {
		return
	}
	s.evict(cost)
	e.place = len(s.ring)
	s.ring = append(s.ring, e)
	s.entries[e.key] = e
	s.size += cost
}

// evict makes room for cost bytes: it walks the ring, and spares once what was asked for since it last came by.
func (s *shard) evict(cost int64) {
	for s.size+cost > s.limit && len(s.ring) > 0 {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.used.Swap(false) {
			s.hand++
			continue
		}
		s.remove(e)
	}
}

// remove takes an entry out; the ring's last takes its place.
func (s *shard) remove(e *entry) {
	last := s.ring[len(s.ring)-1]
	s.ring[e.place] = last
	last.place = e.place
	s.ring[len(s.ring)-1] = nil
	s.ring = s.ring[:len(s.ring)-1]
	delete(s.entries, e.key)
	s.size -= e.cost()
}

func (e *entry) cost() int64 {
	cost := entryOverhead + len(e.key) + cap(e.answer.wire) + 2*cap(e.answer.ttls) + len(e.answer.next)
	for _, x := range e.answer.extended {
		cost += 24 + len(x.text)
	}
	return int64(cost)
}

// Cache returns how many answers of upstreams are held, and the bytes that they take. Safe for concurrent use.
func (s *Server) Cache() (entries int, bytes int64) {
	for i := range s.cache.shards {
		shard := &s.cache.shards[i]
		shard.mu.RLock()
		entries += len(shard.ring)
		bytes += shard.size
		shard.mu.RUnlock()
	}
	return entries, bytes
}
