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
	a := testQuestion(b, "www")
	a.group = s.snap.Load().fallback
	now := s.cache.moment(time.Now())
	s.cache.put(a, testAnswer(b, a, 3600, now), time.Hour, now)
	c := client{addr: netip.MustParseAddrPort("127.10.0.9:4000"), at: netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port)}
	for _, bench := range []struct {
		what, name string
		options    []string
	}{
		{"cached", "www.example.org.", nil},
		{"cookie", "www.example.org.", []string{"10 0102030405060708010000005cf79f111f8130c3eee29480"}},
		{"host", "builder.lab.internal.", nil},
		{"lease", "vm1.lab.internal.", nil},
		{"nxdomain", "none.lab.internal.", nil},
	} {
		m := new(dns.Msg).SetQuestion(bench.name, dns.TypeA)
		optionsOf(b, bench.options...)(m)
		packet := packMsg(m)
		b.Run("fast/"+bench.what, func(b *testing.B) {
			out := make([]byte, 0, replyRoom)
			s.serve(packet, c, nil) // which knows the way then
			h, g := hot{server: s, ledger: new(ledger)}, glimpse{}
			b.ReportAllocs()
			for b.Loop() {
				if !h.begin(c.at) {
					b.Fatal("watched")
				}
				h.look(&g, packet, c.addr.Addr())
				if _, ok := h.fast(&g, false, out); !ok {
					b.Fatal("no answer")
				}
				h.end()
			}
		})
		b.Run(bench.what, func(b *testing.B) {
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
