package dnsserver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// numbered is an answer of a size that says which one it is, in its first TTL's place.
func numbered(a *asked, version uint32, size int) *packed {
	p := failure(a.name, a.qtype, dns.RcodeSuccess, forwarded, make([]byte, size))
	binary.BigEndian.PutUint32(p.data[p.ttlsEnd:], version)
	for i := int(p.ttlsEnd) + 4; i < len(p.data); i++ {
		p.data[i] = byte(version)
	}
	if version%3 == 0 {
		p.onward = name(fmt.Sprintf("\x08%08d\x00", version))
	}
	return p
}

// TestCacheAgainstModel makes random steps and compares with a map: what the cache has is the last that was put in, and it keeps its bound and its books.
func TestCacheAgainstModel(t *testing.T) {
	for _, size := range []int64{64 << 10, 1 << 20, 8 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(size)))
			s := &Server{cache: newCache(size)}
			c, now := s.cache, moment(time.Second)
			model := map[int]uint32{}
			var questions []*asked
			for i := range int(size / 100) {
				questions = append(questions, testQuestion(t, fmt.Sprint("n", i)))
			}
			found, limit := 0, size
			for step := range uint32(60000) {
				now += moment(time.Millisecond)
				i := random.IntN(len(questions))
				if step%2 == 0 {
					i = random.IntN(len(questions) / 50) // some are wanted again and again
				}
				a := questions[i]
				switch random.IntN(20) {
				default:
					e := c.get(a, true)
					want, there := model[i]
					if e == nil {
						break
					}
					found++
					if !there || binary.BigEndian.Uint32(e.data()[e.ttlsEnd:]) != want || e.onwardSize > 0 != (want%3 == 0) {
						t.Fatalf("step %d: %s has %d, want %d (%v)", step, a.name, binary.BigEndian.Uint32(e.data()[e.ttlsEnd:]), want, there)
					}
				case 0, 1, 2, 3, 4, 5:
					bytes := 4 + random.IntN(200)
					if random.IntN(100) == 0 {
						bytes = 4 + random.IntN(maxEntry)
					}
					model[i] = step
					if c.put(a, numbered(a, step, bytes), time.Minute, now) == nil {
						delete(model, i)
					}
				case 6:
					delete(model, i)
					c.put(a, numbered(a, step, 10), 0, now)
				case 7:
					if step%100 == 0 {
						limit = size >> random.IntN(4)
						c.resize(limit)
					}
				}
				if step%1000 == 0 {
					audit(t, c, limit)
				}
			}
			if found < 5000 {
				t.Errorf("only %d of the answers were found again", found)
			}
			c.flush(func(name) bool { return true })
			audit(t, c, limit)
			if entries, bytes := s.Cache(); entries != 0 || bytes != 0 {
				t.Errorf("%d entries of %d bytes after everything was taken out", entries, bytes)
			}
		})
	}
}

// audit holds the books against what is there.
func audit(t *testing.T, c *cache, limit int64) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		entries, size, room := 0, int64(0), int64(0)
		live := map[*slab]int{}
		tab := s.table.Load()
		for i := range tab.heads {
			for link := &tab.heads[i]; ; {
				e := tab.at(link)
				if e == nil {
					break
				}
				if e.gone {
					t.Fatal("a chain leads to an entry that is gone")
				}
				entries++
				size += e.cost()
				live[tab.slots[ref(link.Load()).slot()].Load()] += e.words()
				link = &e.next
			}
		}
		for _, b := range s.slabs {
			room += charge(len(b.words))
			if live[b] != b.live || b.used > len(b.words) {
				t.Fatalf("a slab has %d words of %d that are reached, and counts %d", live[b], len(b.words), b.live)
			}
		}
		if entries != s.entries || size != s.size || room != s.room {
			t.Fatalf("%d entries, %d bytes, %d of slabs; counted are %d, %d, %d", entries, size, room, s.entries, s.size, s.room)
		}
		if room > limit/cacheShards {
			t.Fatalf("a shard takes %d bytes of %d", room, limit/cacheShards)
		}
	}
}

// TestReadersWhileEntriesMove: who looks without a lock never sees anything but a whole answer to his question, also one that he keeps.
func TestReadersWhileEntriesMove(t *testing.T) {
	c := newCache(256 << 10)
	now := moment(time.Second)
	var questions []*asked
	for i := range 4000 {
		questions = append(questions, testQuestion(t, fmt.Sprint("n", i)))
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for r := range 2 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(r)))
			var kept []*entry
			for {
				select {
				case <-done:
					return
				default:
				}
				a := questions[random.IntN(len(questions))]
				var question [maxName + 3]byte
				n := copy(question[:], a.name)
				binary.BigEndian.PutUint16(question[n:], a.qtype)
				hash := c.hash(question[:n+3])
				e := c.find(c.chain(hash), hash, question[:n+3], 1)
				if e == nil {
					continue
				}
				e.touch()
				if kept = append(kept, e); len(kept) == 100 {
					runtime.GC()
					for _, e := range kept {
						whole(t, e)
					}
					kept = nil
				}
				whole(t, e)
			}
		})
	}
	random := rand.New(rand.NewPCG(9, 9))
	for step := range uint32(100_000) {
		a := questions[random.IntN(len(questions))]
		if e := c.put(a, numbered(a, step, 4+random.IntN(300)), time.Minute, now); e != nil {
			e.route.Store(1)
		}
		if step%20000 == 0 {
			c.flush(func(n name) bool { return n[2]%2 == 0 })
		}
	}
	close(done)
	readers.Wait()
}

func whole(t *testing.T, e *entry) {
	data := e.data()
	version := binary.BigEndian.Uint32(data[e.ttlsEnd:])
	for _, b := range data[e.ttlsEnd+4:] {
		if b != byte(version) {
			t.Error("an answer is of two pieces")
			return
		}
	}
	if onward := e.onward(); version%3 == 0 && onward != name(fmt.Sprintf("\x08%08d\x00", version)) {
		t.Errorf("answer %d goes on at %q", version, onward)
	}
}
