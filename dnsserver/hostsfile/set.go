package hostsfile

import (
	"net/netip"
	"strings"
)

// Entry is a name of a file with an address that it has.
type Entry struct {
	Name string // uncompressed wire format, lower case, as it was written: without dots it belongs to whatever domain the reader has
	Addr netip.Addr
	Line int // from 1
}

// entry is an Entry in few bytes, and where the next one of the same name is.
type entry struct {
	name string // a piece of the set's one text
	addr [16]byte
	line uint32
	next uint32 // index plus one; 0: none
}

// Set is what a file says. Immutable, for any number of readers at once. The nil set is empty.
type Set struct {
	entries []entry
	names   map[string]uint32   // the first entry of a name
	addrs   map[[16]byte]uint32 // the first entry of an address that has a name
	above   map[string]struct{} // names with dots have these above them
}

// Has tells whether a name, in lower case wire format, has an address.
func (s *Set) Has(name []byte) bool {
	if s == nil {
		return false
	}
	_, ok := s.names[string(name)]
	return ok
}

// Above tells whether there are names below name, which is in lower case wire format and not the root.
func (s *Set) Above(name []byte) bool {
	if s == nil {
		return false
	}
	_, ok := s.above[string(name)]
	return ok
}

// Lookup returns the entries of a name, in the order of the file.
func (s *Set) Lookup(name []byte) []Entry {
	if s == nil {
		return nil
	}
	at, ok := s.names[string(name)]
	if !ok {
		return nil
	}
	found := []Entry{s.entries[at].full()}
	for next := s.entries[at].next; next != 0; next = s.entries[next-1].next {
		found = append(found, s.entries[next-1].full())
	}
	return found
}

// NameOf returns the first name of an address: the one that resolvers show for it. Loopback and unspecified addresses, which mean another machine to each
// reader, have none.
func (s *Set) NameOf(addr netip.Addr) (Entry, bool) {
	if s == nil {
		return Entry{}, false
	}
	at, ok := s.addrs[addr.As16()]
	if !ok {
		return Entry{}, false
	}
	return s.entries[at].full(), true
}

func (e *entry) full() Entry {
	return Entry{Name: e.name, Addr: netip.AddrFrom16(e.addr).Unmap(), Line: int(e.line)}
}

// builder collects what becomes a Set. Names stand in one text while the file is read, so that they cost their bytes and nothing else.
type builder struct {
	text  strings.Builder
	found []place
}

type place struct {
	start, end uint32
	addr       [16]byte
	line       uint32
}

func (b *builder) add(name []byte, addr netip.Addr, line int) {
	start := b.text.Len()
	b.text.Write(name)
	b.found = append(b.found, place{uint32(start), uint32(b.text.Len()), addr.As16(), uint32(line)})
}

// done makes the set. What stands in the file twice counts once.
func (b *builder) done() *Set {
	text := b.text.String()
	s := &Set{
		entries: make([]entry, 0, len(b.found)), names: make(map[string]uint32, len(b.found)),
		addrs: make(map[[16]byte]uint32, len(b.found)), above: map[string]struct{}{},
	}
	last := make(map[uint32]uint32) // of names with several addresses: the first entry, and the last
	for _, p := range b.found {
		e := entry{name: text[p.start:p.end], addr: p.addr, line: p.line}
		index := uint32(len(s.entries))
		if first, again := s.names[e.name]; again {
			end, several := last[first]
			if !several {
				end = first
			}
			if s.says(first, e.addr) {
				continue
			}
			s.entries[end].next = index + 1
			last[first] = index
		} else {
			s.names[e.name] = index
			s.addAbove(e.name)
		}
		s.entries = append(s.entries, e)
		if a := netip.AddrFrom16(e.addr).Unmap(); a.IsLoopback() || a.IsUnspecified() {
			continue
		}
		if _, named := s.addrs[e.addr]; !named {
			s.addrs[e.addr] = index
		}
	}
	return s
}

// maxPerName bounds the addresses of a name: an answer can't have more, and each is compared with all before it.
const maxPerName = 256

// says tells whether the name of an entry has an address already, or all that it can have.
func (s *Set) says(at uint32, addr [16]byte) bool {
	for n := 1; ; n++ {
		e := &s.entries[at]
		if e.addr == addr || n == maxPerName {
			return true
		}
		if e.next == 0 {
			return false
		}
		at = e.next - 1
	}
}

func (s *Set) addAbove(name string) {
	for {
		name = name[1+name[0]:]
		if name == "\x00" {
			return
		}
		if _, known := s.above[name]; known {
			return
		}
		s.above[name] = struct{}{}
	}
}
