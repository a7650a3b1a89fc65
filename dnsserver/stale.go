package dnsserver

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/miekg/dns"
)

const (
	// staleTTL is what a stale answer says, and how long it is served before the upstreams are asked again, RFC 8767 sections 4 and 5.
	staleTTL = 30 * time.Second
	// Failures are remembered for a second at first, and up to thirty while they go on, RFC 9520 section 3.2.
	firstFailureTTL = time.Second
	maxFailureTTL   = 30 * time.Second
	// prefetchMin is the shortest TTL whose answer is fetched again before its end: in the last tenth of its time, if it is asked for then and
	// was before.
	prefetchMin = 10 * time.Second
)

// settle keeps what a flight has found out, and returns the answer for those who wait.
func (s *Server) settle(f *flight) *packed {
	now := s.now()
	p, ttl := f.result, f.ttl
	if p == nil {
		p = f.soft
	}
	if p == nil {
		p = f.noAnswer()
		s.log.Debug("no answer from upstreams", "name", f.name.String(), "upstream", f.group.name, "err", f.err)
	}
	if errors.Is(f.err, errStopped) {
		return p
	}
	if p.rcode == dns.RcodeServerFailure {
		return s.withoutAnswer(f, p, now)
	}
	p.made = now
	s.cache.put(&f.asked, p, ttl, now)
	if p.rcode == dns.RcodeNameError {
		s.absent(f, now)
	}
	return p
}

// absent charges those who wait for a name that doesn't exist, each client once.
func (s *Server) absent(f *flight, now moment) {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	if len(f.waiters) > 0 {
		s.limits.absent(f.waiters[0].client.addr.Addr(), now) // who started the flight
	}
}

// noAnswer is the answer if no upstream gave one.
func (f *flight) noAnswer() *packed {
	why, code, text := upstreamFailure, dns.ExtendedErrorCodeNetworkError, "the upstreams can't be reached"
	if errors.Is(f.err, errNoAnswer) {
		why, code, text = upstreamTimeout, dns.ExtendedErrorCodeNoReachableAuthority, "no upstream answered in time"
	}
	return failure(f.name, f.qtype, dns.RcodeServerFailure, why, explain(code, text))
}

// withoutAnswer is what comes of a flight that failed: the former answer, as long as it may be used, or the failure, which is remembered.
func (s *Server) withoutAnswer(f *flight, p *packed, now moment) *packed {
	old := s.cache.get(&f.asked, false)
	ttl := firstFailureTTL
	switch {
	case old == nil:
	case old.rcode == dns.RcodeServerFailure:
		if lasted := time.Duration(old.expires - old.made); now < old.expires.add(2*lasted+patience) {
			ttl = min(2*lasted, maxFailureTTL)
		}
	case old.fresh(now):
		p := old.packed() // it was to be renewed ahead of time
		return &p
	case now < old.usable:
		p := s.renewStale(old, &f.asked, now).packed()
		return &p
	}
	p.made = now
	s.cache.put(&f.asked, p, ttl, now)
	return p
}

// renewStale lets an answer whose time is over be served for a while, without asking upstreams for it.
func (s *Server) renewStale(old *entry, a *asked, now moment) *entry {
	p := old.packed()
	return s.cache.keep(a, p.stale(), now, now.add(staleTTL), old.usable)
}

// appease gives those who wait for a flight a stale answer, if there is one. The flight goes on.
func (s *Server) appease(f *flight) {
	now := s.now()
	old := s.cache.get(&f.asked, false)
	if old == nil || !old.fresh(now) && now >= old.usable || old.rcode == dns.RcodeServerFailure {
		return
	}
	p := old.packed()
	if !old.fresh(now) {
		p = s.renewStale(old, &f.asked, now).packed()
	}
	for _, l := range s.flights.dismiss(f, false) {
		s.deliver(l, &p)
	}
}

// stale makes the answer that is given when there is no fresh one: its TTLs stay at staleTTL, and it says what it is, RFC 8914.
func (p *packed) stale() *packed {
	code := dns.ExtendedErrorCodeStaleAnswer
	if p.rcode == dns.RcodeNameError {
		code = dns.ExtendedErrorCodeStaleNXDOMAINAnswer
	}
	old := *p
	out := old
	out.made, out.why = 0, staleAnswer
	out.data = make([]byte, 0, len(old.data[:old.ttlsEnd])+optSize)
	out.data = append(append(out.data, old.data[:old.ttlsEnd]...), explain(code, "")...)
	for ttls := out.ttls(); len(ttls) >= 2; ttls = ttls[2:] {
		at := binary.BigEndian.Uint16(ttls)
		binary.BigEndian.PutUint32(out.data[at:], seconds(staleTTL))
	}
	return &out
}

// fallBack returns a stale answer at once, where asking is no use or there is no room for it; nil if there is none.
func (s *Server) fallBack(e *entry, a *asked, now moment) *entry {
	if e == nil || now >= e.usable || e.rcode == dns.RcodeServerFailure {
		return nil
	}
	return s.renewStale(e, a, now)
}

// refreshAhead fetches an answer again that is about to expire and is wanted.
func (s *Server) refreshAhead(e *entry, a *asked, snap *snapshot, now moment) {
	due := moment(e.refresh.Load())
	if now < due || !e.refresh.CompareAndSwap(int64(due), int64(never)) {
		return
	}
	s.stats.count(prefetched)
	s.flights.ahead(s, a, snap)
}
