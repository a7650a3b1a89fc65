package dnsserver

import (
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Misses of one client, questions that need an upstream. Hits are cheap and not counted. Who is above the rate is served all the
// same while there is room that nobody else wants; but not for names that don't exist: a flood of those
// ("random subdomains") makes upstreams, and the servers behind them, refuse us all.
const (
	missRate  = 1000 // a second
	missBurst = 2000
	// idleFlights is how many flights may be under way for clients above their rate to be served.
	idleFlights = maxFlights / 8
	// absentRate is for names that turn out not to exist.
	absentRate  = 200
	absentBurst = 1000
	// maxBuckets bounds the clients that are remembered. Above it those are forgotten that have been quiet longest; a client
	// that is forgotten starts with full buckets.
	maxBuckets = 8192
)

// limits are the token buckets of clients.
type limits struct {
	mu      sync.Mutex // guards the rest
	clients map[netip.Prefix]*budget
}

// budget is what a client has left, as of a moment.
type budget struct {
	misses, absent float64
	at             moment
	loggedAt       moment
}

func newLimits() *limits { return &limits{clients: map[netip.Prefix]*budget{}} }

// clientKey is who counts as one client: an address, or what one IPv6 host has of them.
func clientKey(who netip.Addr) netip.Prefix {
	bits := who.BitLen()
	if who.Is6() {
		bits = 64
	}
	p, _ := who.WithZone("").Prefix(bits)
	return p
}

// of returns a client's budget, filled up until now. l.mu is held.
func (l *limits) of(who netip.Addr, now moment) *budget {
	key := clientKey(who)
	b := l.clients[key]
	if b == nil {
		if len(l.clients) >= maxBuckets {
			l.forget(now)
		}
		b = &budget{misses: missBurst, absent: absentBurst, at: now}
		l.clients[key] = b
		return b
	}
	passed := time.Duration(max(now-b.at, 0)).Seconds()
	b.misses = min(b.misses+passed*missRate, missBurst)
	b.absent = min(b.absent+passed*absentRate, absentBurst)
	b.at = now
	return b
}

// forget makes room: of the clients that a walk meets first, those who have been quiet until their buckets are full; else any.
func (l *limits) forget(now moment) {
	const full = time.Duration(float64(time.Second) * max(missBurst/missRate, absentBurst/absentRate))
	for key, b := range l.clients {
		if now > b.at.add(full) {
			delete(l.clients, key)
		}
	}
	for key := range l.clients {
		if len(l.clients) < maxBuckets {
			return
		}
		delete(l.clients, key)
	}
}

// allow takes a token for a miss, and tells whether the client may have it. active is the flights under way.
func (l *limits) allow(who netip.Addr, now moment, active int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(who, now)
	if b.absent <= 0 || b.misses < 1 && active >= idleFlights {
		return false
	}
	b.misses = max(b.misses-1, 0)
	return true
}

// absent notes that a client asked for a name that doesn't exist, which is known only now: the budget may go below zero.
func (l *limits) absent(who netip.Addr, now moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(who, now).absent--
}

const limitedLogEvery = time.Minute

// mayLog tells whether the log should say that a client is limited: once a minute each.
func (l *limits) mayLog(who netip.Addr, now moment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(who, now)
	if b.loggedAt != 0 && now < b.loggedAt.add(limitedLogEvery) {
		return false
	}
	b.loggedAt = now
	return true
}

// limit answers a client that is above its rate. SERVFAIL is what stub resolvers neither keep nor take for an answer: they try the
// next server, or tell the program to try again.
func (s *Server) limit(l *lookup, now moment) *packed {
	if who := l.client.addr.Addr(); s.limits.mayLog(who, now) {
		s.log.Warn("a client asks for too many names that don't exist or that nobody knows; some get SERVFAIL", "client", who, "network", l.view.network)
	}
	return l.fail(limited, dns.ExtendedErrorCodeOther, "this client asks too much")
}
