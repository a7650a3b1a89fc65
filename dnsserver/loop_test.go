package dnsserver

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// An upstream that forwards to us is found out, and left alone until it no longer does.
func TestLoop(t *testing.T) {
	server := make(chan string, 1)
	at := ""
	var circle atomic.Bool
	up := startUpstream(t, func(x exchange) {
		if at == "" {
			at = <-server
		}
		if !circle.Load() && x.query.Question[0].Qtype == probeType {
			x.answer(dns.RcodeNameError)
			return
		}
		if x.query.Question[0].Qtype != probeType {
			world(x)
			return
		}
		client := dns.Client{Timeout: 5 * time.Second}
		r, _, err := client.Exchange(x.query, at)
		if err == nil {
			x.send(packMsg(r))
		}
	})
	up.probes.Store(true)
	circle.Store(true)
	var log journal
	s := startLogging(t, withUpstreams(t, up.addr), testLeases(), log.logger())
	server <- s.at
	looping := func(want bool) {
		t.Helper()
		nettest.Eventually(t, 10*time.Second, func() error {
			if got := s.Upstreams()[0]; got.Looping != want {
				return fmt.Errorf("upstream %+v", got)
			}
			return nil
		})
	}
	looping(true)
	r := ask(t, "udp", s.at, "www.example.org.", dns.TypeA, edns(1232, false))
	if r.Rcode != dns.RcodeServerFailure || !hasExtended(r, dns.ExtendedErrorCodeNoReachableAuthority) {
		t.Errorf("got %v", r)
	}
	if got := brief(ask(t, "udp", s.at, "builder.lab.internal.", dns.TypeA)); got != "NOERROR aa: builder.lab.internal. 60 A 127.10.0.10" {
		t.Errorf("a local name: %s", got)
	}
	probeNow := func() {
		u := s.known[up.addr]
		u.mu.Lock()
		defer u.mu.Unlock()
		u.probeAt = 1
	}
	refused := s.Stats()["refused_loop"]
	probeNow()
	nettest.Eventually(t, 10*time.Second, func() error {
		if s.Stats()["refused_loop"] == refused {
			return fmt.Errorf("it wasn't probed again")
		}
		return nil
	})
	if n := log.count("sends our questions back"); n != 1 {
		t.Errorf("%d lines tell of the loop", n)
	}
	circle.Store(false)
	probeNow()
	looping(false)
	if got := brief(ask(t, "udp", s.at, "www.example.org.", dns.TypeA)); got != "NOERROR: www.example.org. 300 A 192.0.2.80" {
		t.Errorf("afterwards: %s", got)
	}
	if n := log.count("no longer sends our questions back"); n != 1 {
		t.Errorf("%d lines tell of its end", n)
	}
}
