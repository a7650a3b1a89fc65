package dnsserver

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Bounds on what waits for upstreams; above them the answer is SERVFAIL, at once.
const (
	maxFlights   = 2048 // different questions, each with a few sockets
	maxWaiting   = 8192 // clients' questions in all
	maxPerClient = 1024 // of them from one address
)

// flights is the questions that upstreams are being asked. Equal ones share a flight, however many clients ask.
type flights struct {
	mu      sync.Mutex // guards the rest
	active  map[string]*flight
	waiting int
	clients map[netip.Addr]int
}

type flight struct{ waiters []*lookup }

func newFlights() *flights {
	return &flights{active: map[string]*flight{}, clients: map[netip.Addr]int{}}
}

// board lets a question wait for its flight, and starts the flight if it is the first. It tells whether there was room. landed is the answer
// of a flight that has ended meanwhile; then nobody waits.
func (f *flights) board(s *Server, a *asked, l *lookup) (landed *entry, ok bool) {
	var scratch [maxName + 16]byte
	key := a.appendKey(scratch[:0])
	f.mu.Lock()
	defer f.mu.Unlock()
	who := l.client.addr.Addr()
	if f.waiting >= maxWaiting || f.clients[who] >= maxPerClient {
		return nil, false
	}
	running := f.active[string(key)]
	if running == nil {
		// Answers are kept before their flight lands.
		if e := s.cache.get(a, l.client.trail == nil); e != nil && e.fresh(s.cache.moment(time.Now())) {
			return e, true
		}
		if len(f.active) >= maxFlights {
			return nil, false
		}
		running = &flight{}
		k, question, snap := string(key), *a, l.snap
		f.active[k] = running
		s.work.Go(func() { s.fly(k, question, snap) })
	}
	l.own()
	running.waiters = append(running.waiters, l)
	f.waiting++
	f.clients[who]++
	return nil, true
}

// land ends a flight and returns who waited for it.
func (f *flights) land(key string) []*lookup {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiters := f.active[key].waiters
	delete(f.active, key)
	f.waiting -= len(waiters)
	for _, l := range waiters {
		who := l.client.addr.Addr()
		if f.clients[who]--; f.clients[who] == 0 {
			delete(f.clients, who)
		}
	}
	return waiters
}

// fly asks the upstreams, keeps the answer, and hands it to everyone who waits.
func (s *Server) fly(key string, a asked, snap *snapshot) {
	p := s.resolve(key, &a, snap)
	for _, l := range s.flights.land(key) {
		if l.group == a.group {
			l.by = a.by
		}
		s.deliver(l, p)
	}
}

// resolve asks the upstreams and keeps what they say. It returns an answer whatever happens.
func (s *Server) resolve(key string, a *asked, snap *snapshot) (p *packed) {
	defer func() {
		if bug := recover(); bug != nil {
			s.recovered(bug)
			p = failure(a.name, a.qtype, dns.RcodeServerFailure, recovered, nil)
		}
	}()
	m, err := s.race(s.base, a.group.askable(a.lan), a)
	var ttl time.Duration
	if err != nil {
		why, code, text := upstreamFailure, dns.ExtendedErrorCodeNetworkError, "the upstreams can't be reached"
		if timeout, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err); ok && timeout.Timeout() {
			why, code, text = upstreamTimeout, dns.ExtendedErrorCodeNoReachableAuthority, "no upstream answered in time"
		}
		p, ttl = failure(a.name, a.qtype, dns.RcodeServerFailure, why, explain(code, text)), timeoutTTL
		if s.base.Err() != nil {
			return p // we are stopping: it says nothing about the upstreams
		}
		s.log.Debug("no answer from upstreams", "name", a.name.String(), "upstream", a.group.name, "err", err)
	} else {
		p, ttl = distill(a, m, func(n name) bool { return snap.route(n) == a.group && !snap.speaksFor(n) })
	}
	p.made = s.cache.moment(time.Now())
	s.cache.put(a, p, ttl, p.made)
	return p
}

// deliver resumes one waiter; a bug that one question meets is not the others'.
func (s *Server) deliver(l *lookup, p *packed) {
	defer func() {
		if bug := recover(); bug != nil {
			s.recovered(bug)
			l.client.reply(l.appendError(nil, dns.RcodeServerFailure, nil))
		}
	}()
	s.resume(l, p)
}
