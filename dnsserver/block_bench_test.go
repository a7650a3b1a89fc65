package dnsserver

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkBlocked sets answers about blocked names, of a list of a million, beside answers of the cache, without system calls: 10,000 different names
// each, so that neither has its memory at hand.
func BenchmarkBlocked(b *testing.B) {
	const names = 10_000
	var list strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&list, "0.0.0.0 ads%06d.track%02d.example\n", i, i%100)
	}
	cfg := labs(freePort(b))
	cfg.Upstreams = []UpstreamGroup{{Name: "default", Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}}}
	cfg.Block.Files = []string{listFile(b, list.String())}
	s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c := client{addr: netip.MustParseAddrPort("127.10.0.9:4000"), at: netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port)}
	var cached, listed [][]byte
	now := s.cache.moment(time.Now())
	for i := range names {
		a := testQuestion(b, fmt.Sprintf("www%06d", i))
		a.group = s.snap.Load().fallback
		s.cache.put(a, testAnswer(b, a, 3600, now), time.Hour, now)
		cached = append(cached, packMsg(new(dns.Msg).SetQuestion(a.name.String(), dns.TypeA).SetEdns0(1232, false)))
		s.serve(cached[i], c, nil) // which knows the way then
		listed = append(listed, packMsg(new(dns.Msg).SetQuestion(fmt.Sprintf("ads%06d.track%02d.example.", 97*i, 97*i%100), dns.TypeA).SetEdns0(1232, false)))
	}
	for _, bench := range []struct {
		what    string
		packets [][]byte
	}{{"cached", cached}, {"blocked", listed}} {
		b.Run(bench.what, func(b *testing.B) {
			out := make([]byte, 0, replyRoom)
			h, g := hot{server: s}, glimpse{}
			h.begin(c.at)
			i := 0
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				h.look(&g, bench.packets[i], c.addr.Addr())
				if _, ok := h.fast(&g, false, out); !ok {
					b.Fatal("no answer")
				}
				if i++; i == names {
					i = 0
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is what the process has used, whatever else runs on the machine.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
