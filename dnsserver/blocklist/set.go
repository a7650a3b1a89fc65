package blocklist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"runtime"
)

// Reach is how far an entry reaches.
type Reach uint8

const (
	Exact  Reach = 1 << iota // blocks the name itself
	Below                    // blocks the name and every name below it
	Exempt                   // the name and every name below it are not blocked, whatever else says so
)

// Set is names and how far each reaches. Immutable; safe for concurrent use. Its memory is given back when nothing refers to it any more.
type Set struct {
	seed   maphash.Seed
	memory *memory
	// chunks hold the names one behind the other: a byte with the reach, then the name in wire format and lower case.
	chunks [][]byte
	// The table, open-addressed: by slot some bits of the name's hash (0: the slot is free), and the name's place in the chunks. The bits are read
	// first, since most slots that are looked at belong to another name, and a name may be far away in memory.
	tags   []byte
	places []byte // four bytes each
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
				r := Reach(entry[0])
				runtime.KeepAlive(s)
				return r
			}
		}
		slot = s.after(slot)
	}
	// Until here: the collector doesn't know that the names are s's.
	runtime.KeepAlive(s)
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
	place := binary.NativeEndian.Uint32(s.places[4*slot:])
	return s.chunks[place>>chunkBits][place&(chunkSize-1):]
}

// builder makes a set.
type builder struct{ *Set }

func newBuilder() (*builder, error) {
	b := &builder{&Set{seed: maphash.MakeSeed(), memory: &memory{}}}
	runtime.AddCleanup(b.Set, (*memory).free, b.memory)
	return b, b.rebuild(minSlots)
}

// expect makes room for the names of a file of so many bytes, as far as they can be guessed.
func (b *builder) expect(size int64) error {
	if slots := int(min(size/20, maxNames)); slots > len(b.tags) {
		return b.rebuild(slots)
	}
	return nil
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
	place, err := b.append(n, r)
	if err != nil {
		return err
	}
	b.set(slot, tag, place)
	if b.names++; 4*b.names > 3*len(b.tags) {
		return b.rebuild(2 * len(b.tags))
	}
	return nil
}

func (b *builder) set(slot uint, tag uint8, place uint32) {
	b.tags[slot] = tag
	binary.NativeEndian.PutUint32(b.places[4*slot:], place)
}

// append puts a name into the chunks and returns its place.
func (b *builder) append(n []byte, r Reach) (uint32, error) {
	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last])+1+len(n) > chunkSize {
		chunk, err := b.memory.get(chunkSize)
		if err != nil {
			return 0, err
		}
		b.chunks = append(b.chunks, chunk[:0])
		last++
	}
	chunk := &b.chunks[last]
	place := uint32(last)<<chunkBits | uint32(len(*chunk))
	*chunk = append(append(*chunk, byte(r)), n...)
	return place, nil
}

// rebuild makes another table for the same names.
func (b *builder) rebuild(slots int) error {
	table, err := b.memory.get(5 * slots)
	if err != nil {
		return err
	}
	old := *b.Set
	b.tags, b.places = table[:slots:slots], table[slots:]
	for i, tag := range old.tags {
		if tag == 0 {
			continue
		}
		entry := old.entry(uint(i))
		slot, _ := b.slot(entry[1 : 1+wireLen(entry[1:])])
		for b.tags[slot] != 0 {
			slot = b.after(slot)
		}
		b.set(slot, tag, binary.NativeEndian.Uint32(old.places[4*i:]))
	}
	b.memory.put(old.tags)
	return nil
}

// done returns the set, with no more memory than it needs.
func (b *builder) done() (*Set, error) { return b.Set, b.rebuild(max(minSlots, b.names+b.names/2)) }

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
	b, err := newBuilder()
	if err != nil {
		return nil, err
	}
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
	return b.done()
}
