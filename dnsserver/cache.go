package dnsserver

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	defaultCacheSize = 16 << 20 // bytes
	cacheShards      = 16
	// maxEntry bounds one answer's share: a few huge ones shall not push out thousands.
	maxEntry = 16 << 10
	// minHeads is the least number of chains in a shard; a power of two.
	minHeads = 64
)

// moment is a time by the monotonic clock, in nanoseconds since a second before the cache was made: one word that a
// clock set anew doesn't move. Never zero.
type moment int64

const never = moment(math.MaxInt64)

func (m moment) add(d time.Duration) moment { return m + moment(d) }

// cache holds answers of upstreams, bounded in bytes; CLOCK decides what goes when it is full. Who looks for an answer takes
// no lock and writes nothing but an answer's first mark of use, so that workers don't slow each other. Safe for concurrent use.
type cache struct {
	seed   maphash.Seed
	epoch  time.Time
	stale  atomic.Int64 // how long an answer may be used after its time, a time.Duration
	shards [cacheShards]shard
}

type shard struct {
	table atomic.Pointer[table] // walked without the lock

	mu      sync.Mutex // guards the rest, and what the table links
	entries int
	size    int64   // of the entries
	limit   int64   // of the slabs and the table
	evicted uint64  // entries that had to go before they expired
	slabs   []*slab // the oldest one first
	room    int64   // bytes of the slabs and of the table
	current *slab   // that entries go to; nil: none yet
	slot    int     // of the current one
	numbers uint64  // the last slab's
	_       [64]byte
}

// questionFlags is what makes another answer of the same name and type.
type questionFlags uint8

const (
	flagDO questionFlags = 1 << iota
	flagCD
	flagLAN // asked of upstreams on private addresses only
)

func newCache(size int64) *cache {
	c := &cache{seed: maphash.MakeSeed(), epoch: time.Now().Add(-time.Second)}
	for i := range c.shards {
		c.shards[i].table.Store(&table{heads: make([]atomic.Uint64, minHeads)})
	}
	c.resize(size)
	return c
}

// moment converts a time that has a monotonic reading.
func (c *cache) moment(now time.Time) moment { return moment(now.Sub(c.epoch)) }

// resize sets the bound. When it shrinks, what no longer fits goes at once.
func (c *cache) resize(size int64) {
	if size <= 0 {
		size = defaultCacheSize
	}
	now := c.moment(time.Now())
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.limit = size / cacheShards
		for len(s.slabs) > 0 && s.room > s.limit {
			s.clear(s.victim(), now)
		}
		s.mu.Unlock()
	}
}

// flags returns what of a question beside name and type makes another answer.
func (a *asked) flags() questionFlags {
	var f questionFlags
	if a.do {
		f |= flagDO
	}
	if a.cd {
		f |= flagCD
	}
	if a.lan {
		f |= flagLAN
	}
	return f
}

// appendKey appends the key of a question: what makes an answer another one, and nothing else.
func (a *asked) appendKey(key []byte) []byte {
	key = append(key, a.name...)
	key = binary.BigEndian.AppendUint16(key, a.qtype)
	key = append(key, byte(a.flags()))
	return binary.BigEndian.AppendUint64(key, a.group.key)
}

// hash hashes a name in lower case, followed by type and flags, of which flagLAN doesn't count.
func (c *cache) hash(question []byte) uint64 { return maphash.Bytes(c.seed, question) }

func (c *cache) hashOf(a *asked) uint64 {
	var scratch [maxName + 3]byte
	n := copy(scratch[:], a.name)
	binary.BigEndian.PutUint16(scratch[n:], a.qtype)
	scratch[n+2] = byte(a.flags() &^ flagLAN)
	return c.hash(scratch[:n+3])
}

// chain returns the first entry of the chain in which an answer is, or nil.
func (c *cache) chain(hash uint64) *entry {
	t := c.shards[hash%cacheShards].table.Load()
	return t.at(t.head(hash))
}

// find returns the entry of a chain, from e on, that questions of the configuration's generation lead to, or nil. Question is as hash takes it.
func (c *cache) find(e *entry, hash uint64, question []byte, generation uint32) *entry {
	for ; e != nil; e = c.shards[hash%cacheShards].table.Load().at(&e.next) {
		if e.hash == hash && e.route.Load() == generation && e.answers(question) {
			return e
		}
	}
	return nil
}

// answers tells whether an entry is for a question as hash takes it.
func (e *entry) answers(question []byte) bool {
	end, data := len(question)-1, e.data()
	return byte(e.flags&^flagLAN) == question[end] && len(data) > headerSize+end && string(data[headerSize:headerSize+end]) == string(question[:end])
}

// matches tells whether an entry is for a question, whatever the configuration.
func (e *entry) matches(a *asked, hash uint64) bool {
	return e.hash == hash && e.group == a.group.key && e.flags == a.flags() && asks(e.data(), a.name, a.qtype)
}

// get returns the entry for a question, which may have expired, or nil. With mark, the entry has been used.
func (c *cache) get(a *asked, mark bool) *entry {
	hash := c.hashOf(a)
	s := &c.shards[hash%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table.Load()
	for e := t.at(t.head(hash)); e != nil; e = t.at(&e.next) {
		if e.matches(a, hash) {
			if mark {
				e.touch()
			}
			return e
		}
	}
	return nil
}

// touch marks an entry as used; only the first time writes.
func (e *entry) touch() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// fresh tells whether an entry may still be served.
func (e *entry) fresh(now moment) bool { return now < e.expires }

// terms is when an entry is what.
type terms struct{ expires, usable, refresh moment }

// put keeps an answer for ttl, in place of what was there. It returns the entry, nil if the answer isn't kept.
func (c *cache) put(a *asked, answer *packed, ttl time.Duration, now moment) *entry {
	t := terms{now.add(ttl), now.add(ttl), never}
	if a.group.key != ours && answer.rcode != dns.RcodeServerFailure {
		t.usable = t.expires.add(time.Duration(c.stale.Load()))
		if ttl >= prefetchMin {
			t.refresh = now.add(ttl - ttl/10)
		}
	}
	return c.insert(a, answer, t, now, ttl > 0)
}

// keep keeps an answer whose time is over, in place of what was there. The entry may be one that isn't in the cache.
func (c *cache) keep(a *asked, answer *packed, now, until, usable moment) *entry {
	t := terms{min(until, usable), usable, never}
	if e := c.insert(a, answer, t, now, true); e != nil {
		return e
	}
	alone := slab{words: make([]uint64, wordsFor(answer))}
	e := alone.entry(0)
	e.fill(a, c.hashOf(a), answer, t)
	return e
}

// fill makes an entry of an answer.
func (e *entry) fill(a *asked, hash uint64, answer *packed, t terms) {
	e.hash, e.group, e.flags = hash, a.group.key, a.flags()
	e.expires, e.usable = t.expires, t.usable
	e.refresh.Store(int64(t.refresh))
	e.write(answer)
}

// insert puts an answer in the place of what was there, which it takes away at least. It returns the entry, nil if the answer isn't kept.
func (c *cache) insert(a *asked, answer *packed, t terms, now moment, wanted bool) *entry {
	hash, words := c.hashOf(a), wordsFor(answer)
	s := &c.shards[hash%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(s.table.Load().head(hash), func(old *entry) bool { return old.matches(a, hash) })
	if !wanted || 8*words > maxEntry || charge(words) > s.limit {
		return nil
	}
	s.reserve(words, now)
	s.grow()
	e, r := s.take(words)
	e.fill(a, hash, answer, t)
	s.link(e, r)
	return e
}

// grow doubles the table once there is an entry a chain. s.mu is held.
func (s *shard) grow() {
	old := s.table.Load()
	if s.entries < len(old.heads) {
		return
	}
	larger := &table{make([]atomic.Uint64, 2*len(old.heads)), old.slots}
	for i := range old.heads {
		for link := old.heads[i].Load(); ; {
			e := old.entry(ref(link))
			if e == nil {
				break
			}
			next := e.next.Load()
			head := larger.head(e.hash)
			e.next.Store(head.Load())
			head.Store(link)
			link = next
		}
	}
	s.table.Store(larger)
}

// Cache returns how many answers of upstreams are held, and the bytes that they take. Safe for concurrent use.
func (s *Server) Cache() (entries int, bytes int64) {
	use := s.CacheUse()
	return use.Entries, use.Bytes
}

// kind tells why the cache answers as it does.
func (e *entry) kind() reason {
	switch {
	case e.group == ours || e.why == staleAnswer:
		return e.why
	case e.rcode == dns.RcodeServerFailure:
		return cacheFailure
	case e.negative:
		return cacheNegative
	}
	return cacheHit
}

// ours is the group of answers that the configuration decides, and no upstream.
const ours = 0

// keepOurs keeps an answer for ttl, as long as the configuration of generation holds. why is its reason.
func (c *cache) keepOurs(q *query, answer *packed, why reason, generation uint32, ttl time.Duration, now moment) {
	kept := *answer
	kept.why = why
	a := asked{group: &group{key: ours}, name: q.name, qtype: q.qtype, do: q.do, cd: q.cd}
	if e := c.put(&a, &kept, ttl, now); e != nil {
		e.route.Store(generation)
	}
}
