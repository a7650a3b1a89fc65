package dnsserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// An upstream that forwards to us, at once or through others, sends us our own questions. Those join the flight that they come from, so
// that nothing multiplies; but nobody gets an answer. A question for a name that nobody else can know tells: if it comes back, it
// went in a circle.

const (
	// probeType is what is asked: a type that hardly anybody asks for.
	probeType = dns.TypeHINFO
	// reprobe is after which time an upstream that loops is asked again, and the least time between two that fail.
	reprobe = time.Minute
)

// probes are the names that upstreams are being asked for, to see whether they come back.
type probes struct {
	mu    sync.Mutex // guards the rest
	names map[name]*probed
}

type probed struct {
	upstream *upstream
	came     atomic.Bool // back
}

// probeSoon has a server that went silent probed, but not over and over again.
func (u *upstream) probeSoon(now moment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.probeAt == never || u.probeAt == 0 {
		u.probeAt = now
	}
}

// probeDue tells whether a server is to be probed now. New ones are, if they are near enough to know us.
func (u *upstream) probeDue(now moment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.probeAt == 0 && !private(u.addr.Addr()) {
		u.probeAt = never
	}
	if now < u.probeAt {
		return false
	}
	u.probeAt = never
	return true
}

// findLoops probes the upstreams whose turn it is.
func (s *Server) findLoops() {
	snap, now := s.snap.Load(), s.now()
	for n, g := range snap.routes() {
		for _, u := range g.servers {
			if u.probeDue(now) {
				s.work.Go(func() { s.probe(u, g, n) })
			}
		}
	}
}

// probe asks an upstream for a random name below n, which it is responsible for.
func (s *Server) probe(u *upstream, g *group, n name) {
	var random [12]byte
	_, _ = rand.Read(random[:])
	n, ok := n.child(hex.EncodeToString(random[:4]))
	if ok {
		n, ok = n.child(hex.EncodeToString(random[4:]))
	}
	if !ok {
		return // no room for a name below such a long one
	}
	back := &probed{upstream: u}
	s.probes.set(n, back)
	defer s.probes.set(n, nil)
	ctx, cancel := context.WithTimeout(s.base, soundFor)
	defer cancel()
	err := once(ctx, u, &asked{group: g, name: n, qtype: probeType})
	switch {
	case back.came.Load():
		u.again(s.now())
	case err != nil:
		u.again(s.now()) // neither back nor answered: nothing has been learnt
	case u.looping.Swap(false):
		s.log.Info("an upstream no longer sends our questions back; it is asked again", "upstream", u.addr)
	}
}

func (u *upstream) again(now moment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.probeAt = now.add(reprobe)
}

// cameBack tells whether a client asks for the name of a probe. Then the upstream that was asked for it is asked no more.
func (s *Server) cameBack(q *query, from netip.Addr) bool {
	if q.qtype != probeType {
		return false
	}
	back := s.probes.get(q.name)
	if back == nil {
		return false
	}
	back.came.Store(true)
	if !back.upstream.looping.Swap(true) {
		s.log.Warn("an upstream sends our questions back to us, so it is asked no more: take it out of the configuration, or us out of its",
			"upstream", back.upstream.addr, "from", from)
	}
	return true
}

func (p *probes) set(n name, back *probed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if back == nil {
		delete(p.names, n)
	} else {
		p.names[n] = back
	}
}

func (p *probes) get(n name) *probed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names[n]
}
