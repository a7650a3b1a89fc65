package dnsserver

import (
	"bytes"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Bounds on what waits for upstreams; above them the answer is stale or SERVFAIL, at once.
const (
	maxFlights   = 2048 // different questions, each with a few sockets
	maxWaiting   = 8192 // clients' questions in all
	maxPerClient = 1024 // of them from one address
	// maxPulse is the answers that one client gets of one flight: who makes a thousand questions wait for one answer has them all
	// answered at the same moment ("DNSBomb").
	maxPulse = 128
)

// flights is the questions that upstreams are being asked. Equal ones share a flight, however many clients ask.
type flights struct {
	mu      sync.Mutex // guards the rest
	active  map[string]*flight
	waiting int
	clients map[netip.Addr]int
}

func newFlights() *flights {
	return &flights{active: map[string]*flight{}, clients: map[netip.Addr]int{}}
}

// flight is one question upstream, from its first message to its end. Its steps are made by whoever has news: the worker that
// starts it, the pump, a TCP connection. None of them waits.
type flight struct {
	asked
	server  *Server
	snap    *snapshot
	key     string
	waiters []*lookup    // guarded by flights.mu
	due     atomic.Int64 // the moment of the next step that nothing but time brings
	staleAt atomic.Int64 // the moment when whoever waits gets a stale answer, if there is one

	mu       sync.Mutex // guards the rest
	order    []*upstream
	allDown  bool
	started  moment
	attempts []*attempt // under way
	sends    int
	turn     int // in order, round after round
	hedgeAt  moment
	soft     *packed // the last answer that another server may better
	softTTL  time.Duration
	err      error
	result   *packed
	ttl      time.Duration
	over     bool
}

// boarding is what came of wanting to wait for a flight.
type boarding uint8

const (
	boarded  boarding = iota
	landed            // the flight has ended meanwhile, with the entry that comes along
	full              // there is no room
	overRate          // the client asks for more than its share
	repeated          // the very same message waits already; one answer is enough
)

// board lets a question wait for its flight, and starts the flight if it is the first.
func (f *flights) board(s *Server, a *asked, l *lookup) (*entry, boarding) {
	var scratch [maxName + 16]byte
	key := a.appendKey(scratch[:0])
	started, e, how := f.seat(s, a, l, key)
	if started != nil {
		started.depart()
	}
	return e, how
}

func (f *flights) seat(s *Server, a *asked, l *lookup, key []byte) (start *flight, e *entry, how boarding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	who := l.client.addr.Addr()
	if f.waiting >= maxWaiting || f.clients[who] >= maxPerClient {
		return nil, nil, full
	}
	running := f.active[string(key)]
	switch {
	case running != nil:
		if how := running.seatFor(l); how != boarded {
			return nil, nil, how
		}
	default:
		now := s.cache.moment(time.Now())
		// Answers are kept before their flight lands.
		if e := s.cache.get(a, false); e != nil && e.fresh(now) {
			return nil, e, landed
		}
		// Nobody gets more than is left for the others: who floods leaves room, and so do several.
		if room := maxFlights - len(f.active); room <= 0 || f.clients[who] > room {
			return nil, nil, full
		}
		if l.client.trail == nil && !s.limits.allow(who, now, len(f.active)) {
			return nil, nil, overRate
		}
		running = f.open(s, a, l.snap, key)
		start = running
	}
	l.own()
	running.waiters = append(running.waiters, l)
	f.waiting++
	f.clients[who]++
	return start, nil, boarded
}

// seatFor tells whether a question may wait for the flight too. flights.mu is held.
func (f *flight) seatFor(l *lookup) boarding {
	same := 0
	for _, other := range f.waiters {
		if other.client.addr.Addr() != l.client.addr.Addr() {
			continue
		}
		// A client that asks again as nothing came: not over TCP, where each question is owed an answer.
		if !l.client.tcp && other.client.addr == l.client.addr && other.id == l.id && other.client.at == l.client.at && bytes.Equal(other.question, l.question) {
			return repeated
		}
		if same++; same >= maxPulse {
			return overRate
		}
	}
	return boarded
}

// open makes a flight. f.mu is held; the caller lets it depart afterwards.
func (f *flights) open(s *Server, a *asked, snap *snapshot, key []byte) *flight {
	running := &flight{asked: *a, server: s, snap: snap, key: string(key)}
	running.due.Store(int64(never))
	running.staleAt.Store(int64(never))
	f.active[running.key] = running
	return running
}

// ahead starts a flight that nobody waits for, unless there is one or the server is busy.
func (f *flights) ahead(s *Server, a *asked, snap *snapshot) {
	var scratch [maxName + 16]byte
	key := a.appendKey(scratch[:0])
	f.mu.Lock()
	var running *flight
	if f.active[string(key)] == nil && len(f.active) < maxFlights/2 {
		running = f.open(s, a, snap, key)
	}
	f.mu.Unlock()
	if running != nil {
		running.depart()
	}
}

// dismiss takes those who wait off a flight; with land it has ended.
func (f *flights) dismiss(fl *flight, land bool) []*lookup {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiters := fl.waiters
	fl.waiters = nil
	if land {
		delete(f.active, fl.key)
	}
	f.waiting -= len(waiters)
	for _, l := range waiters {
		who := l.client.addr.Addr()
		if f.clients[who]--; f.clients[who] == 0 {
			delete(f.clients, who)
		}
	}
	return waiters
}

// advance makes the steps that are due, and tells whether any flight is under way.
func (f *flights) advance(now moment) bool {
	f.mu.Lock()
	any := len(f.active) > 0
	var due []*flight
	for _, fl := range f.active {
		if min(fl.due.Load(), fl.staleAt.Load()) <= int64(now) {
			due = append(due, fl)
		}
	}
	f.mu.Unlock()
	for _, fl := range due {
		fl.step(fl.timeout)
		if fl.staleAt.Load() <= int64(now) {
			fl.staleAt.Store(int64(never))
			fl.server.appease(fl)
		}
	}
	return any
}

// abandon ends all flights: the server stops.
func (f *flights) abandon() {
	f.mu.Lock()
	var all []*flight
	for _, fl := range f.active {
		all = append(all, fl)
	}
	f.mu.Unlock()
	for _, fl := range all {
		fl.step(func(moment) { fl.err = errStopped; fl.conclude() })
	}
}

// step makes one step of a flight, and lands it if that was the last.
func (f *flight) step(do func(now moment)) {
	if f.guarded(do) {
		f.land()
	}
}

// guarded makes a step under the lock and tells whether it ended the flight. A bug ends the flight, and nothing else.
func (f *flight) guarded(do func(now moment)) (ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return false
	}
	defer func() {
		if bug := recover(); bug != nil {
			f.server.recovered(bug)
			f.result = failure(f.name, f.qtype, dns.RcodeServerFailure, recovered, nil)
			f.conclude()
			ended = true
		}
	}()
	do(f.server.now())
	if !f.over && len(f.attempts) == 0 {
		f.conclude()
	}
	if !f.over {
		f.due.Store(int64(min(f.hedgeAt, f.started.add(patience))))
	}
	return f.over
}

// conclude ends the flight: what it has is what it has.
func (f *flight) conclude() {
	f.over = true
	f.due.Store(int64(never))
}

// land keeps the answer, hands it to everyone who waits, and closes the sockets, which nobody waits for.
func (f *flight) land() {
	p := f.server.settle(f)
	for _, l := range f.server.flights.dismiss(f, true) {
		if l.group == f.group {
			l.by = f.by
		}
		f.server.deliver(l, p)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.attempts {
		at.close(f.server)
	}
	f.attempts = nil
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

// now is the time as the cache counts it.
func (s *Server) now() moment { return s.cache.moment(time.Now()) }
