package dnsserver

import (
	"slices"
	"sync/atomic"
	"unsafe"
)

// Entries lie one after another in slabs of memory in which the collector of garbage has nothing to look for: a million of them cost it no more
// than a dozen. Nothing in a slab is ever used twice. When room is needed, the entries of one slab that shall stay are copied to a new one, and the
// old one is garbage as soon as nobody holds an entry of it. So who has found an entry may keep it, without a lock.
const (
	leastSlab = 1 << 10   // bytes
	mostSlab  = 256 << 10 // bytes
	slabShare = 32        // of a shard's bound is a slab, between the two
)

// entry is an answer and the question that it belongs to; all but the atomic fields is immutable. The answer's bytes follow it in
// memory, then the name at which it goes on.
type entry struct {
	next    atomic.Uint64 // ref
	hash    uint64
	group   uint64 // key of the upstreams that gave it
	expires moment
	usable  moment // until then it may be served if upstreams don't answer
	// refresh is when a hit shall have the answer fetched again; never if that is under way or not wanted.
	refresh atomic.Int64
	// route is the generation of the configuration by which questions as this one lead here, without anything in their way.
	route      atomic.Uint32
	used       atomic.Bool
	size       uint32 // bytes of the answer
	onwardSize uint8
	flags      questionFlags
	gone       bool // guarded by shard.mu: no chain leads here any more
	head
}

const entrySize = int(unsafe.Sizeof(entry{}))

// entryOverhead is what an entry costs beside its answer's bytes: the entry itself and its place in the table.
const entryOverhead = entrySize + 2*8

// wordsFor is the words that an entry with an answer takes.
func wordsFor(p *packed) int { return (entrySize + len(p.data) + len(p.onward) + 7) / 8 }

func (e *entry) words() int { return (entrySize + int(e.size) + int(e.onwardSize) + 7) / 8 }

// cost is the bytes that an entry takes.
func (e *entry) cost() int64 { return 8*int64(e.words()) + 2*8 }

// data is the answer as packed has it. It must not be changed.
func (e *entry) data() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), entrySize)), e.size)
}

// onward is the name at which the answer goes on, or "".
func (e *entry) onward() name {
	if e.onwardSize == 0 {
		return "" // a pointer behind the last entry would be one to somebody else's memory
	}
	return name(unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(e), entrySize+int(e.size))), e.onwardSize))
}

// packed is the answer; its bytes stay where they are.
func (e *entry) packed() packed { return packed{data: e.data(), onward: e.onward(), head: e.head} }

// write makes an entry in memory that is large enough, and that nobody else sees.
func (e *entry) write(p *packed) {
	e.head, e.size, e.onwardSize = p.head, uint32(len(p.data)), uint8(len(p.onward))
	room := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), entrySize)), len(p.data)+len(p.onward))
	copy(room[copy(room, p.data):], p.onward)
}

// ref says where an entry is: its slab's number, the slab's slot, the word in it. 0: nowhere.
type ref uint64

const (
	slotBits = 20
	wordBits = 20
)

func (r ref) slot() int      { return int(r >> wordBits & (1<<slotBits - 1)) }
func (r ref) word() int      { return int(r & (1<<wordBits - 1)) }
func (r ref) number() uint64 { return uint64(r >> (wordBits + slotBits)) }

// slab is a piece of memory full of entries.
type slab struct {
	words  []uint64
	number uint64 // tells it from those that had its slot before and after; never 0

	used, live int // words, of entries and of those that chains lead to; guarded by shard.mu
}

// entry is the one that begins at a word.
func (b *slab) entry(word int) *entry { return (*entry)(unsafe.Pointer(&b.words[word])) }

// table is the heads of chains, a power of two, and the slabs that their entries are in. While a larger one is made, or an entry leaves or moves, who
// walks a chain may miss an entry that is there: it is looked for under the lock before an upstream is asked.
type table struct {
	heads []atomic.Uint64 // refs
	slots []atomic.Pointer[slab]
}

func (t *table) head(hash uint64) *atomic.Uint64 {
	return &t.heads[hash/cacheShards&uint64(len(t.heads)-1)]
}

// at is the entry that a link leads to, or nil: there is none, or it isn't there any more.
func (t *table) at(link *atomic.Uint64) *entry { return t.entry(ref(link.Load())) }

func (t *table) entry(r ref) *entry {
	if r.slot() >= len(t.slots) { // of a larger table
		return nil
	}
	b := t.slots[r.slot()].Load()
	if b == nil || b.number != r.number() {
		return nil
	}
	return b.entry(r.word())
}

// open makes a slab of so many words the one that entries go to. s.mu is held.
func (s *shard) open(words int) {
	if s.current != nil && s.current.live == 0 {
		s.drop(s.current)
	}
	t := s.table.Load()
	slot := 0
	for slot < len(t.slots) && t.slots[slot].Load() != nil {
		slot++
	}
	if slot == len(t.slots) {
		more := make([]atomic.Pointer[slab], 2*len(t.slots)+4)
		for i := range t.slots {
			more[i].Store(t.slots[i].Load())
		}
		t = &table{t.heads, more}
		s.table.Store(t)
	}
	s.numbers = max(1, (s.numbers+1)&(1<<(64-slotBits-wordBits)-1))
	s.current, s.slot = &slab{words: make([]uint64, words), number: s.numbers}, slot
	s.room += charge(words)
	s.slabs = append(s.slabs, s.current)
	t.slots[slot].Store(s.current)
}

// drop gives a slab up, whose entries are gone. s.mu is held.
func (s *shard) drop(b *slab) {
	at := slices.Index(s.slabs, b)
	if at < 0 {
		return
	}
	s.slabs = slices.Delete(s.slabs, at, at+1)
	t := s.table.Load()
	for i := range t.slots {
		if t.slots[i].Load() == b {
			t.slots[i].Store(nil)
		}
	}
	s.room -= charge(len(b.words))
	if s.current == b {
		s.current = nil
	}
}

// take is so many words of the current slab, which has them. s.mu is held.
func (s *shard) take(words int) (*entry, ref) {
	b := s.current
	e, r := b.entry(b.used), ref(b.number<<(slotBits+wordBits)|uint64(s.slot)<<wordBits|uint64(b.used))
	b.used += words
	return e, r
}

// link puts an entry at the head of its chain. s.mu is held; what the entry says is complete.
func (s *shard) link(e *entry, r ref) {
	head := s.table.Load().head(e.hash)
	e.next.Store(head.Load())
	head.Store(uint64(r))
	s.current.live += e.words()
	s.entries++
	s.size += e.cost()
}

// fits tells whether the current slab has so many words.
func (s *shard) fits(words int) bool {
	return s.current != nil && s.current.used+words <= len(s.current.words)
}

// reserve makes the current slab one that has so many words, at the cost of other entries if there is no room; they must be fewer than the bound. s.mu is held.
func (s *shard) reserve(words int, now moment) {
	if s.fits(words) {
		return
	}
	size := max(words, int(min(mostSlab, max(leastSlab, s.limit/slabShare)))/8)
	if charge(size) > s.limit {
		size = words
	}
	for s.full(size) && len(s.slabs) > 0 {
		b := s.victim()
		if s.room-charge(len(b.words))+charge(size) > s.limit {
			s.clear(b, now)
			continue
		}
		s.open(size)
		s.move(b, max(words, size/8), now)
		return
	}
	s.open(size)
}

// full tells whether a slab of so many words more is too much.
func (s *shard) full(words int) bool { return s.room+charge(words) > s.limit }

// charge is the bytes that a slab of so many words takes, with the places in the table of as many entries as it may hold.
func charge(words int) int64 { return 8*int64(words) + 2*8*int64(words/leastEntry+1) }

// leastEntry is the words that no entry takes less than.
const leastEntry = (entrySize + headerSize + 5) / 8

// spacious tells whether it is what is gone that takes the room.
func (s *shard) spacious() bool { return s.size < s.limit/4*3 }

// victim is the slab whose entries have to go or to move: the one that gains most where much is gone, else the oldest one. s.mu is held.
func (s *shard) victim() *slab {
	best := s.slabs[0]
	if s.spacious() {
		for _, b := range s.slabs[1:] {
			if b.live*len(best.words) < best.live*len(b.words) {
				best = b
			}
		}
	}
	return best
}

// move copies those entries of a slab to the current one that shall stay, and gives the slab up: CLOCK's second chance for those that were
// asked for since they came to lie there, and for all that may still be of use where there is room enough. Spare words are left. s.mu is held.
func (s *shard) move(b *slab, spare int, now moment) {
	all := s.spacious()
	s.each(b, func(e *entry) {
		stays := e.fresh(now) && e.used.Load() || all && now < max(e.expires, e.usable)
		if stays && s.fits(e.words()+spare) {
			to, r := s.take(e.words())
			to.hash, to.group, to.expires, to.usable, to.flags = e.hash, e.group, e.expires, e.usable, e.flags
			to.refresh.Store(e.refresh.Load())
			to.route.Store(e.route.Load())
			to.used.Store(all && e.used.Load())
			p := e.packed()
			to.write(&p)
			s.link(to, r)
			s.unlink(e)
			return
		}
		s.leave(e, now)
	})
	s.drop(b)
}

// clear gives a slab up with all that is in it. s.mu is held.
func (s *shard) clear(b *slab, now moment) {
	s.each(b, func(e *entry) { s.leave(e, now) })
	s.drop(b)
}

// each calls do for the entries of a slab that chains lead to.
func (s *shard) each(b *slab, do func(*entry)) {
	for at := 0; at < b.used; {
		e := b.entry(at)
		at += e.words()
		if !e.gone {
			do(e)
		}
	}
}

// leave takes an entry out for want of room.
func (s *shard) leave(e *entry, now moment) {
	if e.fresh(now) {
		s.evicted++
	}
	s.unlink(e)
}

// unlink takes an entry out of its chain.
func (s *shard) unlink(gone *entry) {
	s.sweep(s.table.Load().head(gone.hash), func(e *entry) bool { return e == gone })
}

// sweep takes those entries out of a chain that leave chooses. s.mu is held.
func (s *shard) sweep(link *atomic.Uint64, leave func(*entry) bool) {
	t := s.table.Load()
	for e := t.at(link); e != nil; e = t.at(link) {
		if !leave(e) {
			link = &e.next
			continue
		}
		e.gone = true
		t.slots[ref(link.Load()).slot()].Load().live -= e.words()
		// e.next stays: who stands at e goes on from there.
		link.Store(e.next.Load())
		s.entries--
		s.size -= e.cost()
	}
}

// tidy gives up the slabs that nothing is left in, but for the current one. s.mu is held.
func (s *shard) tidy() {
	for i := len(s.slabs) - 1; i >= 0; i-- {
		if b := s.slabs[i]; b.live == 0 && b != s.current {
			s.drop(b)
		}
	}
}
