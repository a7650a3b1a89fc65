package observe

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// share is how many addresses are remembered of the machines behind one port, and how many names. A port that shows more loses those
	// that were seen longest ago, and no other port any.
	share = 128
	// forgetAfter is how long a machine that is silent is remembered.
	forgetAfter = 24 * time.Hour
)

// Guest is an address that a machine uses.
type Guest struct {
	Port     string // of the bridge
	MAC      [6]byte
	Addr     netip.Addr
	Hostname string    // what it calls itself when it asks for an address: any bytes; "" if it wasn't heard to
	Expires  time.Time // when the lease ends by which a server gave the address; zero if that wasn't heard, or if it doesn't end
	First    time.Time
	Last     time.Time
}

// table is who has been seen. Its functions may be called by any goroutine.
type table struct {
	mu    sync.Mutex
	ports map[string]*port // guarded by mu, and all that is in them
	// early is what servers have sent to machines that weren't heard to ask: what a port hears may be read after what the uplink hears.
	early map[[6]byte]answer // guarded by mu
}

// answer is what a server has sent, and when.
type answer struct {
	sighting
	at time.Time
}

// earlyFor is how long an answer waits for its question.
const earlyFor = 2 * time.Second

type port struct {
	guests map[key]*Guest
	asking map[[6]byte]*asking
}

type key struct {
	mac  [6]byte
	addr netip.Addr
}

// asking is how a machine has asked for an address the last time.
type asking struct {
	xid      uint32
	hostname string
	at       time.Time
}

func newTable() *table { return &table{ports: map[string]*port{}, early: map[[6]byte]answer{}} }

// open makes room for what a port shows.
func (t *table) open(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports[name] == nil {
		t.ports[name] = &port{map[key]*Guest{}, map[[6]byte]*asking{}}
	}
}

// close forgets what a port has shown.
func (t *table) close(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.ports, name)
}

// seen notes what the machines behind a port have sent.
func (t *table) seen(name string, s sighting, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.ports[name]
	if p == nil {
		return
	}
	switch s.kind {
	case uses:
		p.guest(name, s.mac, s.addr, now)
	case asks:
		if p.asking[s.mac] == nil {
			makeRoom(p.asking, func(a *asking) time.Time { return a.at })
		}
		p.asking[s.mac] = &asking{s.xid, s.hostname, now}
		if e, ok := t.early[s.mac]; ok && e.xid == s.xid && now.Sub(e.at) < earlyFor {
			p.lease(name, e)
		}
	}
}

// given notes what a server of the LAN has sent: which machine it is for is known from what that asked.
func (t *table) given(s sighting, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	heard, known := answer{s, now}, false
	for name, p := range t.ports {
		if a := p.asking[s.mac]; a != nil && a.xid == s.xid {
			p.lease(name, heard)
			known = true
		}
	}
	if !known {
		if _, ok := t.early[s.mac]; !ok {
			makeRoom(t.early, func(e answer) time.Time { return e.at })
		}
		t.early[s.mac] = heard
	}
}

// lease notes that a server has given a machine its address.
func (p *port) lease(name string, a answer) {
	g := p.guest(name, a.mac, a.addr, a.at)
	g.Expires = time.Time{}
	if a.lifetime > 0 {
		g.Expires = a.at.Add(a.lifetime)
	}
}

func (p *port) guest(name string, mac [6]byte, addr netip.Addr, now time.Time) *Guest {
	k := key{mac, addr}
	g := p.guests[k]
	if g == nil {
		makeRoom(p.guests, func(g *Guest) time.Time { return g.Last })
		g = &Guest{Port: name, MAC: mac, Addr: addr, First: now}
		p.guests[k] = g
	}
	g.Last = now
	return g
}

// makeRoom takes out of a full map what was seen longest ago.
func makeRoom[K comparable, V any](all map[K]V, last func(V) time.Time) {
	if len(all) < share {
		return
	}
	var oldest K
	var at time.Time
	for k, v := range all {
		if t := last(v); at.IsZero() || t.Before(at) {
			oldest, at = k, t
		}
	}
	delete(all, oldest)
}

// guests lists who has been seen, by address, MAC and port.
func (t *table) guests(now time.Time) []Guest {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Guest
	for _, p := range t.ports {
		for k, g := range p.guests {
			if now.Sub(g.Last) > forgetAfter {
				delete(p.guests, k)
				continue
			}
			out := *g
			if a := p.asking[g.MAC]; a != nil {
				out.Hostname = a.hostname
			}
			all = append(all, out)
		}
	}
	slices.SortFunc(all, func(a, b Guest) int {
		return cmp.Or(a.Addr.Compare(b.Addr), bytes.Compare(a.MAC[:], b.MAC[:]), cmp.Compare(a.Port, b.Port))
	})
	return all
}
