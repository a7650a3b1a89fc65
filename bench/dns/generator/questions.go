package generator

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"labnet/bench/dns/answerer"
)

// Draws is in which order names are drawn, by their numbers, before it begins anew.
type Draws []uint32

// Zipf draws among n names by Zipf's law: the i-th name is drawn 1/i as often as the first. The draws are the same in every run.
func Zipf(n int) Draws {
	sums, sum := make([]float64, n), 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	random := rand.New(rand.NewPCG(1, 2))
	// Neighbours in rank shall not be neighbours in memory, here or in a server.
	order := random.Perm(n)
	drawn := make(Draws, 1<<20)
	for i := range drawn {
		rank, _ := slices.BinarySearch(sums, random.Float64()*sum)
		drawn[i] = uint32(order[min(rank, n-1)])
	}
	return drawn
}

// Set is names that are asked for, type A, and the addresses that they must have.
type Set struct {
	queries [][]byte // messages whose ID is 0
	want    []uint32
}

// NewSet makes n names by name, and their addresses by addr, which gets the name in wire format too.
func NewSet(n int, name func(i int) string, addr func(i int, wire []byte) netip.Addr) *Set {
	s := &Set{queries: make([][]byte, n), want: make([]uint32, n)}
	for i := range n {
		s.queries[i] = query(name(i))
		s.want[i] = number(addr(i, s.queries[i][12:questionEnd(s.queries[i])-4]))
	}
	return s
}

// Upstream gives the addresses of the upstream's names.
func Upstream(_ int, wire []byte) netip.Addr { return answerer.AddrOf(wire) }

// Echo gives the address that an echo answers with.
func Echo(int, []byte) netip.Addr { return answerer.EchoAddr }

// query is a question with RD and an OPT record (size 1232).
func query(name string) []byte {
	m := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1}
	for len(name) > 0 {
		label := name
		for i := range name {
			if name[i] == '.' {
				label = name[:i]
				break
			}
		}
		m = append(append(m, byte(len(label))), label...)
		name = name[min(len(label)+1, len(name)):]
	}
	m = append(m, 0, 0, 1, 0, 1)
	return append(m, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0)
}

// questionEnd is where the question of a query of ours ends.
func questionEnd(query []byte) int {
	i := 12
	for query[i] != 0 {
		i += int(query[i]) + 1
	}
	return i + 5
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// Source is where a run's questions come from.
type Source struct {
	set    *Set
	draws  Draws
	next   int
	unique []byte // a query whose name's first label ends in digits
	count  uint64
	share  int // one in so many is unique; 0: none
}

// digits is how many digits a unique name has.
const digits = 10

// Drawn asks for the names of a set as they are drawn, without end.
func Drawn(s *Set, draws Draws) *Source { return &Source{set: s, draws: draws} }

// Each asks for every name of a set, in turn, without end: a run's Count bounds it.
func Each(s *Set) *Source { return &Source{set: s} }

// Unique asks for names below a domain that nobody has asked for, if the prefix, six characters at most, is a new one.
func Unique(prefix, domain string) *Source {
	name := fmt.Sprintf("%s%0*d.%s", prefix, digits, 0, domain)
	return &Source{unique: query(name), share: 1}
}

// Among asks for the names of Unique again, n of the first of them in a random order.
func Among(prefix, domain string, first, n int) *Source {
	names := rand.New(rand.NewPCG(3, 4)).Perm(first)
	return Each(NewSet(min(n, first), func(i int) string { return fmt.Sprintf("%s%0*d.%s", prefix, digits, names[i], domain) }, Upstream))
}

// Mixed asks for names of a set as they are drawn, and for a unique name one time in every.
func Mixed(s *Set, draws Draws, every int, prefix, domain string) *Source {
	m := Unique(prefix, domain)
	m.set, m.draws, m.share = s, draws, every
	return m
}

// put writes the next question into buf, and returns its length and the address that it must be answered with.
func (s *Source) put(buf []byte) (n int, want uint32) {
	s.next++
	if s.share == 1 || s.share > 1 && s.next%s.share == 0 {
		return s.putUnique(buf)
	}
	at := uint32((s.next - 1) % len(s.set.queries))
	if s.draws != nil {
		at = s.draws[s.next%len(s.draws)]
	}
	return copy(buf, s.set.queries[at]), s.set.want[at]
}

func (s *Source) putUnique(buf []byte) (n int, want uint32) {
	end := 13 + int(s.unique[12])
	for i, v := end-1, s.count; i >= end-digits; i, v = i-1, v/10 {
		s.unique[i] = '0' + byte(v%10)
	}
	s.count++
	wire := s.unique[12 : questionEnd(s.unique)-4]
	return copy(buf, s.unique), number(answerer.AddrOf(wire))
}
