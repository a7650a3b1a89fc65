package blocklist

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
)

// Reach is how far an entry reaches.
type Reach uint8

const (
	Exact  Reach = 1 << iota // blocks the name itself
	Below                    // blocks the name and every name below it
	Exempt                   // the name and every name below it are not blocked, whatever else says so
)

// Set is names and how far each reaches. Immutable; safe for concurrent use.
type Set struct {
	seed maphash.Seed
	// chunks hold the names one behind the other: a byte with the reach, then the name in wire format and lower case.
	chunks [][]byte
	// The table, open-addressed: by slot some bits of the name's hash (0: the slot is free), and the name's place in the chunks. The bits are read
	// first, since most slots that are looked at belong to another name, and a name may be far away in memory.
	tags   []uint8
	places []uint32
	names  int
}

const (
	chunkBits = 16
	chunkSize = 1 << chunkBits
	// maxName is the longest name in wire format, RFC 1035 section 3.1.
	maxName = 255
	// maxNames bounds a set; a place has 32 bits, which is more.
	maxNames = 16 << 20
	minSlots = 8
)

var errTooMany = errors.New("there are more than 16,777,216 names")

// Len returns how many different names there are.
func (s *Set) Len() int { return s.names }

// reach returns what the set says about a name in wire format and lower case; 0: nothing.
func (s *Set) reach(n []byte) Reach {
	slot, tag := s.slot(n)
	for s.tags[slot] != 0 {
		if s.tags[slot] == tag {
			// The root label ends a name, so that one which begins like n is n.
			if entry := s.entry(slot); bytes.HasPrefix(entry[1:], n) {
				return Reach(entry[0])
			}
		}
		slot = s.after(slot)
	}
	return 0
}

// slot returns where the search for a name begins, and the name's tag.
func (s *Set) slot(n []byte) (slot uint, tag uint8) {
	hash := maphash.Bytes(s.seed, n)
	high, _ := bits.Mul64(hash, uint64(len(s.tags)))
	return uint(high), uint8(hash) | 1
}

func (s *Set) after(slot uint) uint {
	if slot++; slot == uint(len(s.tags)) {
		return 0
	}
	return slot
}

// entry is the reach of a used slot and its name, and whatever comes behind it.
func (s *Set) entry(slot uint) []byte {
	place := s.places[slot]
	return s.chunks[place>>chunkBits][place&(chunkSize-1):]
}

// builder makes a set.
type builder struct{ *Set }

func newBuilder() *builder {
	b := &builder{&Set{seed: maphash.MakeSeed()}}
	b.rebuild(minSlots)
	return b
}

// expect makes room for the names of a file of so many bytes, as far as they can be guessed.
func (b *builder) expect(size int64) {
	if slots := int(min(size/20, maxNames)); slots > len(b.tags) {
		b.rebuild(slots)
	}
}

// add adds a name in wire format and lower case, which is not kept. A name that is there already gets both reaches.
func (b *builder) add(n []byte, r Reach) error {
	slot, tag := b.slot(n)
	for b.tags[slot] != 0 {
		if b.tags[slot] == tag {
			if entry := b.entry(slot); bytes.HasPrefix(entry[1:], n) {
				entry[0] |= byte(r)
				return nil
			}
		}
		slot = b.after(slot)
	}
	if b.names == maxNames {
		return errTooMany
	}
	b.tags[slot], b.places[slot] = tag, b.append(n, r)
	if b.names++; 4*b.names > 3*len(b.tags) {
		b.rebuild(2 * len(b.tags))
	}
	return nil
}

// append puts a name into the chunks and returns its place.
func (b *builder) append(n []byte, r Reach) uint32 {
	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last])+1+len(n) > chunkSize {
		b.chunks = append(b.chunks, make([]byte, 0, chunkSize))
		last++
	}
	chunk := &b.chunks[last]
	place := uint32(last)<<chunkBits | uint32(len(*chunk))
	*chunk = append(append(*chunk, byte(r)), n...)
	return place
}

// rebuild makes another table for the same names.
func (b *builder) rebuild(slots int) {
	old := *b.Set
	b.tags, b.places = make([]uint8, slots), make([]uint32, slots)
	for i, tag := range old.tags {
		if tag == 0 {
			continue
		}
		entry := old.entry(uint(i))
		slot, _ := b.slot(entry[1 : 1+wireLen(entry[1:])])
		for b.tags[slot] != 0 {
			slot = b.after(slot)
		}
		b.tags[slot], b.places[slot] = tag, old.places[i]
	}
}

// done returns the set, with no more memory than it needs.
func (b *builder) done() *Set {
	b.rebuild(max(minSlots, b.names+b.names/2))
	for i, chunk := range b.chunks {
		if cap(chunk)-len(chunk) > chunkSize/2 {
			b.chunks[i] = bytes.Clone(chunk)
		}
	}
	return b.Set
}

// wireLen returns the length of the name that b begins with.
func wireLen(b []byte) int {
	at := 0
	for b[at] != 0 {
		at += 1 + int(b[at])
	}
	return at + 1
}

// List is the sets of several files.
type List []*Set

// Verdict is what a list says about a name.
type Verdict uint8

const (
	Unlisted Verdict = iota
	Blocked
	Exempted // an exception says that it is not blocked
)

// Match returns what a list says about a name in wire format and lower case, and, of one that is blocked, where in it the part begins that says so: 0 for
// the name itself, else a name above it. It allocates nothing.
func (l List) Match(n []byte) (v Verdict, at int) {
	for i := 0; n[i] != 0; i += 1 + int(n[i]) {
		for _, s := range l {
			r := s.reach(n[i:])
			if r&Exempt != 0 {
				return Exempted, 0
			}
			if v == Unlisted && (r&Below != 0 || r&Exact != 0 && i == 0) {
				v, at = Blocked, i
			}
		}
	}
	return v, at
}

// Allow returns a set of domains that are not blocked, with everything below them, whatever the others of a list say.
func Allow(domains []string) (*Set, error) {
	b := newBuilder()
	var buffer wireName
	for _, d := range domains {
		n, err := buffer.parse([]byte(d))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", d, err)
		}
		if err := b.add(n, Exempt); err != nil {
			return nil, err
		}
	}
	return b.done(), nil
}
