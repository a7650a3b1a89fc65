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
	// entryOverhead is what an entry costs beside its answer's bytes: the entry itself and its place in the table.
	entryOverhead = 144
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
	size    int64
	limit   int64
	hand    int    // the chain that CLOCK comes to next
	evicted uint64 // entries that had to go before they expired
	_       [64]byte
}

// table is the heads of chains, a power of two. While a larger one is made, or an entry leaves, who walks a chain may miss an
// entry that is there: it is looked for under the lock before an upstream is asked.
type table struct{ heads []atomic.Pointer[entry] }

func (t *table) head(hash uint64) *atomic.Pointer[entry] {
	return &t.heads[hash/cacheShards&uint64(len(t.heads)-1)]
}

// entry is an answer and the question that it belongs to; all but the atomic fields is immutable.
type entry struct {
	next    atomic.Pointer[entry]
	hash    uint64
	group   uint64 // key of the upstreams that gave it
	expires moment
	usable  moment // until then it may be served if upstreams don't answer
	// refresh is when a hit shall have the answer fetched again; never if that is under way or not wanted.
	refresh atomic.Int64
	// route is the generation of the configuration by which questions as this one lead here, without anything in their way.
	route atomic.Uint32
	used  atomic.Bool
	flags questionFlags
	packed
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
		c.shards[i].table.Store(&table{make([]atomic.Pointer[entry], minHeads)})
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
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.limit = size / cacheShards
		s.evict(0, 0)
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
	return c.shards[hash%cacheShards].table.Load().head(hash).Load()
}

// find returns the entry of a chain that questions of the configuration's generation lead to, or nil. Question is as hash takes it.
func (e *entry) find(hash uint64, question []byte, generation uint32) *entry {
	end := len(question) - 1
	for ; e != nil; e = e.next.Load() {
		if e.hash == hash && e.route.Load() == generation && byte(e.flags&^flagLAN) == question[end] &&
			len(e.data) > headerSize+end && string(e.data[headerSize:headerSize+end]) == string(question[:end]) {
			return e
		}
	}
	return nil
}

// matches tells whether an entry is for a question, whatever the configuration.
func (e *entry) matches(a *asked, hash uint64) bool {
	return e.hash == hash && e.group == a.group.key && e.flags == a.flags() && e.asks(a.name, a.qtype)
}

// get returns the entry for a question, which may have expired, or nil. With mark, the entry has been used.
func (c *cache) get(a *asked, mark bool) *entry {
	hash := c.hashOf(a)
	s := &c.shards[hash%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.table.Load().head(hash).Load(); e != nil; e = e.next.Load() {
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

// put keeps an answer for ttl, in place of what was there. It returns the entry, nil if the answer isn't kept.
func (c *cache) put(a *asked, answer *packed, ttl time.Duration, now moment) *entry {
	e := c.entry(a, answer, now.add(ttl))
	if a.group.key != ours && answer.rcode != dns.RcodeServerFailure {
		e.usable = e.expires.add(time.Duration(c.stale.Load()))
		if ttl >= prefetchMin {
			e.refresh.Store(int64(now.add(ttl - ttl/10)))
		}
	}
	if !c.insert(a, e, now, ttl > 0) {
		return nil
	}
	return e
}

// keep keeps an answer whose time is over, in place of what was there.
func (c *cache) keep(a *asked, answer *packed, now, until, usable moment) *entry {
	e := c.entry(a, answer, min(until, usable))
	e.usable = usable
	c.insert(a, e, now, true)
	return e
}

func (c *cache) entry(a *asked, answer *packed, expires moment) *entry {
	e := &entry{hash: c.hashOf(a), group: a.group.key, expires: expires, usable: expires, flags: a.flags(), packed: *answer}
	e.refresh.Store(int64(never))
	return e
}

// insert puts an entry in the place of what was there, which it takes away at least, and tells whether it did.
func (c *cache) insert(a *asked, e *entry, now moment, wanted bool) bool {
	hash, cost := e.hash, e.cost()
	s := &c.shards[hash%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeIf(hash, func(old *entry) bool { return old.matches(a, hash) })
	if !wanted || cost > maxEntry || cost > s.limit {
		return false
	}
	s.evict(cost, now)
	s.grow()
	head := s.table.Load().head(hash)
	e.next.Store(head.Load())
	head.Store(e)
	s.entries++
	s.size += cost
	return true
}

// removeIf takes the entries of one hash's chain out that leave chooses. s.mu is held.
func (s *shard) removeIf(hash uint64, leave func(*entry) bool) {
	s.sweep(s.table.Load().head(hash), leave)
}

func (s *shard) sweep(link *atomic.Pointer[entry], leave func(*entry) bool) {
	for e := link.Load(); e != nil; e = link.Load() {
		if !leave(e) {
			link = &e.next
			continue
		}
		// e.next stays: who stands at e goes on from there.
		link.Store(e.next.Load())
		s.entries--
		s.size -= e.cost()
	}
}

// evict makes room for cost bytes: it goes round the chains, and spares once what was asked for since it last came by and
// hasn't expired. s.mu is held.
func (s *shard) evict(cost int64, now moment) {
	heads := s.table.Load().heads
	for s.size+cost > s.limit && s.entries > 0 {
		if s.hand >= len(heads) {
			s.hand = 0
		}
		s.sweep(&heads[s.hand], func(e *entry) bool {
			switch {
			case s.size+cost <= s.limit:
				return false
			case !e.fresh(now):
				return true
			case e.used.Swap(false):
				return false
			}
			s.evicted++
			return true
		})
		s.hand++
	}
}

// grow doubles the table once there is an entry a chain. s.mu is held.
func (s *shard) grow() {
	old := s.table.Load()
	if s.entries < len(old.heads) {
		return
	}
	larger := &table{make([]atomic.Pointer[entry], 2*len(old.heads))}
	for i := range old.heads {
		for e := old.heads[i].Load(); e != nil; {
			next := e.next.Load()
			head := larger.head(e.hash)
			e.next.Store(head.Load())
			head.Store(e)
			e = next
		}
	}
	s.table.Store(larger)
	s.hand = 0
}

// cost is the bytes that an entry takes.
func (e *entry) cost() int64 { return entryOverhead + allocated(cap(e.data)) + int64(len(e.onward)) }

// allocated is about what the allocator takes for n bytes.
func allocated(n int) int64 {
	if n > 256 {
		n += n / 8
	}
	return int64(n+15) &^ 15
}

// Cache returns how many answers of upstreams are held, and the bytes that they take. Safe for concurrent use.
func (s *Server) Cache() (entries int, bytes int64) {
	for i := range s.cache.shards {
		shard := &s.cache.shards[i]
		shard.mu.Lock()
		entries += shard.entries
		bytes += shard.size
		shard.mu.Unlock()
	}
	return entries, bytes
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
