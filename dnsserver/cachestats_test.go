package dnsserver

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

func TestFlushAndStats(t *testing.T) {
	s, _ := pathsServer(t)
	s.cache.flush(func(name) bool { return true })
	groups := map[string]*group{}
	for g := range s.snap.Load().allGroups() {
		groups[g.name] = g
	}
	keep := func(text string, qtype uint16, ttl time.Duration, p *packed) {
		n, err := parseName(text)
		if err != nil {
			t.Fatal(err)
		}
		s.cache.put(&asked{group: groups["default"], name: n, qtype: qtype}, p, ttl, s.cache.moment(time.Now()))
	}
	answer := func(text string, qtype uint16) *packed {
		n, err := parseName(text)
		if err != nil {
			t.Fatal(err)
		}
		return failure(n, qtype, dns.RcodeSuccess, forwarded, nil)
	}
	fill := func() {
		keep("example.org", dns.TypeA, time.Hour, answer("example.org", dns.TypeA))
		keep("www.example.org", dns.TypeA, time.Hour, answer("www.example.org", dns.TypeA))
		keep("www.example.org", dns.TypeAAAA, time.Nanosecond, answer("www.example.org", dns.TypeAAAA))
		negative := answer("a.www.example.org", dns.TypeA)
		negative.negative = true
		keep("a.www.example.org", dns.TypeA, time.Hour, negative)
		failed := answer("wwww.example.org", dns.TypeA)
		failed.rcode = dns.RcodeServerFailure
		keep("wwww.example.org", dns.TypeA, time.Hour, failed)
		gone := answer("gone.example", dns.TypeA)
		n, _ := parseName("gone.example")
		s.cache.put(&asked{group: &group{key: 7}, name: n, qtype: dns.TypeA}, gone, time.Hour, s.cache.moment(time.Now()))
	}
	fill()
	stats := s.CacheStats()
	if entries, bytes := s.Cache(); stats.Entries != 6 || entries != 6 || stats.Bytes != bytes || stats.Limit != defaultCacheSize {
		t.Errorf("%+v", stats)
	}
	var some []CacheGroup
	for _, g := range stats.Groups {
		if g.Entries > 0 {
			g.Bytes /= int64(g.Entries * entryOverhead)
			some = append(some, g)
		}
	}
	if diff := cmp.Diff([]CacheGroup{{Entries: 1, Bytes: 1}, {Name: "default", Entries: 5, Bytes: 1, Negative: 1, Failures: 1, Expired: 1}}, some); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, test := range []struct {
		name       string
		text       string
		below      bool
		want, left int
	}{
		{"a name", "WWW.example.org.", false, 2, 4},
		{"a name and what is below", "www.example.org", true, 3, 3},
		{"a domain", "example.org", true, 5, 1},
		{"everything", "", false, 6, 0},
		{"everything, from the root", ".", true, 6, 0},
		{"the root alone", ".", false, 0, 6},
		{"nothing", "org.example", true, 0, 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			fill()
			went, err := s.Flush(test.text, test.below)
			if left, bytes := s.Cache(); err != nil || went != test.want || left != test.left || left == 0 && bytes != 0 {
				t.Errorf("%v: %d went, %d are left with %d bytes", err, went, left, bytes)
			}
		})
	}
	if _, err := s.Flush("a..b", false); !errors.Is(err, ErrQuestion) {
		t.Errorf("%v", err)
	}
}

// What expired and goes is no loss; what is good and has to go is.
func TestEvictionsAreCounted(t *testing.T) {
	s, _ := pathsServer(t)
	if n := s.CacheStats().Evicted; n != 0 {
		t.Errorf("%d before", n)
	}
	entries, _ := s.Cache()
	s.cache.resize(1)
	if n := s.CacheStats().Evicted; n == 0 || n > uint64(entries) {
		t.Errorf("%d of %d", n, entries)
	}
}

func TestOutcomes(t *testing.T) {
	s, _, _ := explaining(t)
	for range 3 {
		ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
		ask(t, "udp", s.at, "none.example.org.", dns.TypeA)
	}
	ask(t, "udp", s.at, "vm1.", dns.TypeA)
	ask(t, "udp", s.at, "broken.example.org.", dns.TypeA)
	ask(t, "udp", s.at, "broken.example.org.", dns.TypeA)
	// A batch is counted when its answers have been sent.
	nettest.Eventually(t, 20*time.Second, func() error {
		if diff := cmp.Diff(Outcomes{Hits: 2, Negative: 2, Failures: 1, Misses: 3}, s.Outcomes()); diff != "" {
			return errors.New("-want +got:\n" + diff)
		}
		return nil
	})
}
