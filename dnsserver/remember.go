package dnsserver

import (
	"time"

	"github.com/miekg/dns"
)

// remembered returns what the cache has for a question; else an answer that says why there is none, or that it waits, or none of it.
func (s *Server) remembered(l *lookup, a *asked, now time.Time) (e *entry, answer *packed, pending bool) {
	at, trail := s.cache.moment(now), l.client.trail
	e = s.cache.get(a, false)
	trail.cache(l, a, e, at)
	if e != nil && e.fresh(at) {
		if trail == nil {
			if e.used.Load() {
				s.refreshAhead(e, a, l.snap, at)
			}
			e.touch()
		}
		return e, nil, false
	}
	if !l.rd {
		return nil, l.unasked(), false
	}
	if !trail.forward(l, a, now) {
		return nil, nil, true
	}
	if a.group.allDown(a.lan) {
		if stale := s.fallBack(e, a, at); stale != nil {
			s.flights.ahead(s, a, l.snap)
			return stale, nil, false
		}
	}
	landedWith, how := s.flights.board(s, a, l)
	switch how {
	case boarded:
		return nil, nil, true
	case repeated:
		return nil, nil, false
	case landed:
		p := landedWith.packed()
		trail.landed(l, &p)
		return landedWith, nil, false
	}
	if stale := s.fallBack(e, a, at); stale != nil {
		return stale, nil, false
	}
	if how == overRate {
		return nil, s.limit(l, at), false
	}
	return nil, l.fail(busy, dns.ExtendedErrorCodeOther, "too many questions under way"), false
}
