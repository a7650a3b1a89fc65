package dnsserver

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkServe is what a reader does for one message, without its system calls.
func BenchmarkServe(b *testing.B) {
	cfg := labs(freePort(b))
	cfg.Upstreams = []UpstreamGroup{{Name: "default", Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}}}
	s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p := testAnswer(b, "www", 3600, time.Now())
	n, _ := parseName("www.example.org")
	a := asked{group: s.snap.Load().fallback, name: n, qtype: dns.TypeA}
	s.cache.put(a.appendKey(nil), p, time.Hour, time.Now())
	c := client{addr: netip.MustParseAddrPort("127.10.0.9:4000"), at: netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port)}
	for _, bench := range []struct{ what, name string }{
		{"cached", "www.example.org."}, {"host", "builder.lab.internal."}, {"lease", "vm1.lab.internal."}, {"nxdomain", "none.lab.internal."},
	} {
		b.Run(bench.what, func(b *testing.B) {
			packet := packMsg(new(dns.Msg).SetQuestion(bench.name, dns.TypeA))
			out := make([]byte, 0, maxTCP)
			b.ReportAllocs()
			for b.Loop() {
				if reply, pending := s.serve(packet, c, out[:0]); pending || len(reply) == 0 {
					b.Fatal("no answer")
				}
			}
		})
	}
}
