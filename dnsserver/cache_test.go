package dnsserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func testAnswer(t testing.TB, label string, ttl uint32, now time.Time) *packed {
	t.Helper()
	n, err := parseName(label + ".example.org")
	if err != nil {
		t.Fatal(err)
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d A 192.0.2.1", n, ttl))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack(n, dns.TypeA, dns.RcodeSuccess, []dns.RR{rr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.made = now
	return p
}

func TestTTLCountsDown(t *testing.T) {
	start := time.Now()
	p := testAnswer(t, "www", 10, start)
	c := newCache(1 << 20)
	key := []byte("key")
	c.put(key, p, 10*time.Second, start)
	for _, step := range []struct {
		after time.Duration
		want  uint32 // 0: gone
	}{{-time.Second, 10}, {0, 10}, {999 * time.Millisecond, 10}, {time.Second, 9}, {9999 * time.Millisecond, 1}, {10 * time.Second, 0}} {
		now := start.Add(step.after)
		got := uint32(0)
		if p := c.get(key, now); p != nil {
			q := query{name: "x", question: p.wire[headerSize:]}
			q.question = p.wire[headerSize : headerSize+len("\x03www\x07example\x03org\x00")+4]
			reply, _ := q.appendReply(nil, p, now, maxTCP)
			m := new(dns.Msg)
			if err := m.Unpack(reply); err != nil {
				t.Fatal(err)
			}
			got = m.Answer[0].Header().Ttl
		}
		if got != step.want {
			t.Errorf("after %v: TTL %d, want %d", step.after, got, step.want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	const size = 1 << 20
	now := time.Now()
	s := &Server{cache: newCache(size)}
	c := s.cache
	hot := []byte("hot")
	c.put(hot, testAnswer(t, "hot", 60, now), time.Hour, now)
	for i := range 20000 {
		c.put(fmt.Append(nil, i), testAnswer(t, fmt.Sprint("n", i), 60, now), time.Hour, now)
		if c.get(hot, now) == nil {
			t.Fatalf("what is asked for all the time was evicted after %d others", i)
		}
	}
	entries, bytes := s.Cache()
	if bytes > size || bytes < size*3/4 || entries < 1000 {
		t.Errorf("%d entries take %d bytes of %d", entries, bytes, size)
	}
	c.resize(size / 4)
	if _, bytes := s.Cache(); bytes > size/4 {
		t.Errorf("%d bytes after shrinking to %d", bytes, size/4)
	}
	c.put(hot, testAnswer(t, "hot", 60, now), time.Hour, now)
	c.put(hot, testAnswer(t, "hot", 60, now), 0, now)
	if c.get(hot, now) != nil {
		t.Error("an answer that may not be kept left the old one in place")
	}
}

// The key tells apart everything that makes another answer, and nothing else.
func TestCacheKey(t *testing.T) {
	base := asked{group: &group{key: 1}, name: "\x01a\x00", qtype: 1}
	seen := map[string]asked{string(base.appendKey(nil)): base}
	for _, change := range []func(*asked){
		func(a *asked) { a.group = &group{key: 2} },
		func(a *asked) { a.name = "\x01b\x00" },
		func(a *asked) { a.qtype = 28 },
		func(a *asked) { a.do = true },
		func(a *asked) { a.cd = true },
		func(a *asked) { a.lan = true },
	} {
		a := base
		change(&a)
		key := string(a.appendKey(nil))
		if other, ok := seen[key]; ok {
			t.Errorf("%+v and %+v share a key", a, other)
		}
		seen[key] = a
	}
}
