package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// Names that nobody knows, made up by one guest as fast as it can: the others get answers, whether the upstream denies those names
// or is silent about them.
func TestRandomSubdomains(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent %v", silent), func(t *testing.T) {
			var flood atomic.Int64
			up := startUpstream(t, func(x exchange) {
				n := strings.ToLower(x.query.Question[0].Name)
				switch {
				case !strings.Contains(n, ".flood."):
					x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
				case silent:
					flood.Add(1)
				default:
					flood.Add(1)
					x.answer(dns.RcodeNameError, "!flood.example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60")
				}
			})
			cfg := withUpstreams(t, up.addr)
			cfg.CacheSize = 1 << 20
			var log journal
			s := startLogging(t, cfg, testLeases(), log.logger())
			stop := make(chan struct{})
			var flooding sync.WaitGroup
			attacker := guest(t, "127.10.0.66", s.at)
			sent := 0
			ebb := sync.OnceFunc(func() {
				close(stop)
				flooding.Wait()
			})
			t.Cleanup(ebb)
			flooding.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					for range 5 {
						m := new(dns.Msg).SetQuestion(fmt.Sprintf("x%d.flood.example.org.", sent), dns.TypeA)
						_, _ = attacker.Write(packMsg(m))
						sent++
					}
					time.Sleep(time.Millisecond)
				}
			})
			nettest.Eventually(t, 30*time.Second, func() error {
				if st := s.Stats(); st["limited"]+st["busy"] == 0 {
					return fmt.Errorf("no bound was reached: %v", st)
				}
				return nil
			})
			started := time.Now()
			for i := range 100 {
				r := ask(t, "udp", s.at, fmt.Sprintf("n%d.example.org.", i), dns.TypeA)
				if got, want := brief(r), fmt.Sprintf("NOERROR: n%d.example.org. 300 A 192.0.2.1", i); got != want {
					t.Errorf("another guest got %s, want %s", got, want)
				}
			}
			t.Logf("100 new names of another guest took %v in the flood", time.Since(started))
			ebb()
			if _, size := s.Cache(); size > cfg.CacheSize {
				t.Errorf("the cache has %d bytes", size)
			}
			if n := log.count("asks for too many names"); n > 1+int(time.Since(started)/limitedLogEvery) || n == 0 && !silent {
				t.Errorf("%d lines tell of the flood", n)
			}
			t.Logf("%d of %d questions of the flood went upstream", flood.Load(), sent)
		})
	}
}

// What is remembered of clients is bounded, and a busy one isn't forgotten for those who come once.
func TestLimitsAreBounded(t *testing.T) {
	l, now := newLimits(), moment(time.Hour)
	busyOne := netip.MustParseAddr("10.0.0.1")
	for range absentBurst {
		l.absent(busyOne, now)
	}
	if l.allow(busyOne, now, 0) {
		t.Error("a client may go on whose names don't exist")
	}
	for i := range 3 * maxBuckets {
		l.allow(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), now, 0)
		if len(l.clients) > maxBuckets {
			t.Fatalf("%d clients are remembered", len(l.clients))
		}
		now = now.add(10 * time.Millisecond)
	}
	if !l.allow(busyOne, now.add(time.Minute), 0) {
		t.Error("a client is never forgiven")
	}
	// A host has a whole /64 to make addresses of.
	six := netip.MustParseAddr("2001:db8::1")
	for range missBurst {
		l.allow(six, now, idleFlights)
	}
	if l.allow(netip.MustParseAddr("2001:db8::2"), now, idleFlights) || !l.allow(netip.MustParseAddr("2001:db8:0:1::1"), now, idleFlights) {
		t.Error("an IPv6 client is not its /64")
	}
	if !l.allow(six, now, 0) {
		t.Error("who asks a lot isn't served though there is room")
	}
}
