package dnsserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// testQuestion is a question about the A of a name below example.org.
func testQuestion(t testing.TB, label string) *asked {
	t.Helper()
	n, err := parseName(label + ".example.org")
	if err != nil {
		t.Fatal(err)
	}
	return &asked{group: &group{key: 1}, name: n, qtype: dns.TypeA}
}

func testAnswer(t testing.TB, a *asked, ttl uint32, now moment) *packed {
	t.Helper()
	rr, err := dns.NewRR(fmt.Sprintf("%s %d A 192.0.2.1", a.name, ttl))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack(a.name, dns.TypeA, dns.RcodeSuccess, []dns.RR{rr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.made = now
	return p
}

func TestTTLCountsDown(t *testing.T) {
	c := newCache(1 << 20)
	start := c.moment(time.Now())
	a := testQuestion(t, "www")
	c.put(a, testAnswer(t, a, 10, start), 10*time.Second, start)
	for _, step := range []struct {
		after time.Duration
		want  uint32 // 0: gone
	}{{-time.Second, 10}, {0, 10}, {999 * time.Millisecond, 10}, {time.Second, 9}, {9999 * time.Millisecond, 1}, {10 * time.Second, 0}} {
		now := start.add(step.after)
		got := uint32(0)
		if e := c.get(a, true); e.fresh(now) {
			p := e.packed()
			q := query{question: p.wire()[headerSize : headerSize+len(a.name)+4]}
			reply, _ := q.appendReply(nil, &p, now, maxTCP)
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
	s := &Server{cache: newCache(size)}
	c := s.cache
	now := c.moment(time.Now())
	hot := testQuestion(t, "hot")
	c.put(hot, testAnswer(t, hot, 60, now), time.Hour, now)
	for i := range 20000 {
		a := testQuestion(t, fmt.Sprint("n", i))
		c.put(a, testAnswer(t, a, 60, now), time.Hour, now)
		if c.get(hot, true) == nil {
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
	c.put(hot, testAnswer(t, hot, 60, now), time.Hour, now)
	c.put(hot, testAnswer(t, hot, 60, now), 0, now)
	if c.get(hot, true) != nil {
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
