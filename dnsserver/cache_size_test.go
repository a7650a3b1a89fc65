package dnsserver

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkAMillionAnswers tells what a cached answer takes, and holds that the cache counts it: a full cache is within its bound.
func BenchmarkAMillionAnswers(b *testing.B) {
	const answers = 1_000_000
	for b.Loop() {
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		s := &Server{cache: newCache(1 << 30)}
		now := s.cache.moment(time.Now())
		g := &group{key: 1}
		for i := range answers {
			n, err := parseName(fmt.Sprintf("name%07d.example.org", i))
			if err != nil {
				b.Fatal(err)
			}
			p, err := pack(n, dns.TypeA, dns.RcodeSuccess, []dns.RR{addressRecord(n, netip.AddrFrom4([4]byte{192, 0, 2, 1}), 300)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			s.cache.put(&asked{group: g, name: n, qtype: dns.TypeA}, p, time.Hour, now)
		}
		took := heap() - before
		entries, counted := s.Cache()
		if entries != answers || counted < int64(took) {
			b.Fatalf("%d entries are counted as %d bytes and take %d", entries, counted, took)
		}
		b.ReportMetric(float64(took)/answers, "B/answer")
		b.ReportMetric(float64(counted)/answers, "counted-B/answer")
		start := time.Now()
		runtime.GC()
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/GC")
	}
}
