package dhcpserver

import (
	"net/netip"
	"sync"
	"time"

	"labnet/leases"
)

// How long a probe is waited for. RFC 2131 section 2.2 asks servers to probe, RFC 5227 says how: its seconds are for links
// of any kind, and a machine on a bridge answers within a few milliseconds. In the middle it is asked once more.
const (
	probeWait  = 300 * time.Millisecond
	probeAgain = probeWait / 2
)

// An answer to a probe convicts for convictTime, whereas an address that was offered without waiting is checked against the
// answers since then, at most selectTime old, when the client requests it. The presence of a lease's holder is believed for
// holderTime, its silence for absentTime. An address that was found free longer than trustTime ago is offered at once, but
// asked for again meanwhile.
const (
	trustTime   = 100 * time.Millisecond
	convictTime = 2 * time.Second
	selectTime  = time.Minute
	holderTime  = 2 * time.Second
	absentTime  = 30 * time.Second
)

// Bounds: of messages that wait, of probes that are under way, and of how many messages a second may need to wait. Where more
// do, a rack boots or somebody floods: then nobody waits until that is over, and addresses are asked for beside, so many a
// second. Few wait at a time, since those who wait hold up nobody only as long as the others need not.
const (
	maxParked     = 4
	maxReparked   = 64 // with those that go on waiting, for another address
	maxAsked      = 1024
	waitPerSecond = 16
	asksPerSecond = 500

	// Each conflict is written to disk, and one guest can make them as fast as it sends.
	convictionsPerSecond = 50
)

// prober knows who uses the addresses of a link, finds out by ARP probes, and keeps the messages whose answers depend on
// it. Its methods may be called by any goroutine.
type prober struct {
	send func(addr netip.Addr, to [6]byte) error
	wake chan struct{} // holds a token when run has something to do
	base time.Time     // times are since then, by the clock that nobody can set

	mu     sync.Mutex // guards what follows
	free   fading[time.Duration]
	users  fading[user]
	asked  map[uint32]*question
	unsent []*question
	parked map[parkKey]*parked
	ready  []*parked
	waits  allowance
	asks   allowance
	guilty allowance // conflicts
}

// question is a probe under way.
type question struct {
	addr   netip.Addr
	to     [6]byte       // broadcast, or who is asked first
	holder bool          // it is about who leases the address, so that silence doesn't make it free
	whose  [6]byte       // the machine whose presence somebody waits to learn: no other one can answer that; zeros: none
	asked  time.Duration // when it was sent first; before that, when it was to be
	sent   bool          // the kernel took it
	urgent bool          // a message waits for the answer
	again  bool          // asked twice already
}

func newProber(send func(addr netip.Addr, to [6]byte) error) *prober {
	return &prober{
		send: send, wake: make(chan struct{}, 1), base: time.Now(),
		asked: make(map[uint32]*question), parked: make(map[parkKey]*parked),
		waits: allowance{perSecond: waitPerSecond, debt: waitPerSecond}, asks: allowance{perSecond: asksPerSecond},
		guilty: allowance{perSecond: convictionsPerSecond},
	}
}

func (p *prober) since(now time.Time) time.Duration { return now.Sub(p.base) }

// poke wakes run.
func (p *prober) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// verdict is what is known of an address for a client.
type verdict uint8

const (
	provenFree verdict = iota // nobody but the client itself uses it
	inUse                     // another machine does
	toWait                    // to be found out first; park the message
	unproven                  // to be found out, but nobody can wait for it now
)

// vet says whether a client with the hardware address hw may be told that it can have addr; if another machine uses it,
// by says which. settled: the address has been asked for and waited for. again: the message has waited before.
func (p *prober) vet(addr netip.Addr, hw leases.HWAddr, settled, again bool, now time.Time) (v verdict, by leases.HWAddr) {
	at, key := p.since(now), numberOf(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, by, known := p.verdictOf(key, hw, at, convictTime); known {
		if v == inUse {
			if p.guilty.take(at) {
				return v, by
			}
			return unproven, ""
		}
		// A machine that came in silence since the address was asked for answers before its client can request it.
		if free, ok := p.free.get(key); ok && at-free > trustTime && p.asks.take(at) {
			p.acquit(key, at)
			p.ask(addr, broadcastMAC, at)
		}
		return v, by
	}
	if settled {
		return provenFree, ""
	}
	if again && len(p.parked) < maxReparked || !again && p.mayPark(at) {
		return toWait, ""
	}
	p.acquit(key, at)
	if p.asks.take(at) {
		p.ask(addr, broadcastMAC, at)
	}
	return unproven, ""
}

// acquit makes former answers count no more: an offer is made, and only what is heard from now on stands against it.
func (p *prober) acquit(key uint32, at time.Duration) {
	if u, ok := p.users.get(key); ok && u.answered != 0 {
		u.answered = 0
		p.users.put(key, u, at)
	}
}

// claim is vet for an address that was offered to the client, which now requests it. Nobody waits. From now on it isn't
// free any more, whether or not its client is heard.
func (p *prober) claim(addr netip.Addr, hw leases.HWAddr, now time.Time) (v verdict, by leases.HWAddr) {
	at, key := p.since(now), numberOf(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	v, by, known := p.verdictOf(key, hw, at, selectTime)
	if known && v == inUse && p.guilty.take(at) {
		return v, by
	}
	p.free.remove(key)
	if u, ok := p.users.get(key); ok && u.mac == [6]byte{} {
		p.users.remove(key) // who was silent before it had the lease isn't gone
	}
	if q := p.asked[key]; q != nil {
		q.holder = true // silence won't make it free
	}
	return provenFree, ""
}

// verdictOf is what is known; answers convict that are younger than convict.
func (p *prober) verdictOf(key uint32, hw leases.HWAddr, at, convict time.Duration) (v verdict, by leases.HWAddr, known bool) {
	u, heard := p.users.get(key)
	switch {
	case !heard:
	case at < u.excused, at-u.heard <= heardTime && string(u.mac[:]) == string(hw):
		return provenFree, "", true
	case u.answered != 0 && at-u.answered <= convict:
		return inUse, leases.HWAddr(u.mac[:]), true
	}
	if free, ok := p.free.get(key); ok && at-free <= freeTime {
		return provenFree, "", true
	}
	return provenFree, "", false
}

// excuse lets addr be offered and leased although another machine answers for it.
func (p *prober) excuse(addr netip.Addr, now time.Time) {
	at, key := p.since(now), numberOf(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.users.get(key); ok {
		u.excused = at + selectTime
		p.users.put(key, u, at)
	}
}

// holder says of the machine hw, which leases addr, whether it is there: provenFree says that it is gone, inUse that it
// is there.
func (p *prober) holder(addr netip.Addr, hw leases.HWAddr, settled bool, now time.Time) verdict {
	at, key := p.since(now), numberOf(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, heard := p.users.get(key); heard {
		mine := string(u.mac[:]) == string(hw)
		switch {
		case mine && at-u.heard <= holderTime:
			return inUse
		case u.mac == [6]byte{} && at-u.heard <= absentTime:
			return provenFree // that another one answers says nothing: anybody can
		}
	}
	if !settled && p.mayPark(at) {
		return toWait
	}
	return unproven
}

// mayPark says whether one more message may wait.
func (p *prober) mayPark(at time.Duration) bool {
	return p.waits.take(at) && len(p.parked) < maxParked
}

// ask sends a probe for addr to the machine or group to, if none is under way.
func (p *prober) ask(addr netip.Addr, to [6]byte, at time.Duration) *question {
	key := numberOf(addr)
	q := p.asked[key]
	if q != nil || len(p.asked) >= maxAsked {
		return q
	}
	q = &question{addr: addr, to: to, holder: to != broadcastMAC, asked: at}
	p.asked[key] = q
	p.unsent = append(p.unsent, q)
	p.poke()
	return q
}

// hear takes note of a machine that uses an address. It belongs to the link, and is neither ours nor us.
func (p *prober) hear(s sighting, ours bool, now time.Time) {
	at, key := p.since(now), numberOf(s.addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.asked[key]
	p.free.remove(key)
	before, _ := p.users.get(key)
	u := user{mac: s.mac, heard: at, excused: before.excused}
	switch {
	case q != nil, s.answer && ours:
		u.answered = max(at, 1)
	case before.mac == s.mac:
		u.answered = before.answered
	}
	p.users.put(key, u, at)
	if q != nil && (q.whose == [6]byte{} || q.whose == s.mac) {
		delete(p.asked, key)
		p.resolve(q, false)
	}
}

// resolve gets the messages ready that wait for q.
func (p *prober) resolve(q *question, silent bool) {
	if !q.urgent {
		return
	}
	for key, x := range p.parked {
		if x.wait.addr == q.addr {
			delete(p.parked, key)
			x.settled = silent
			p.ready = append(p.ready, x)
		}
	}
	p.poke()
}

// silence ends the questions that have waited long enough, asks again where somebody waits, and returns when there will be
// something to do.
func (p *prober) silence(at time.Duration) (next time.Duration) {
	next = -1
	for key, q := range p.asked {
		due := q.asked + probeWait
		if at >= due {
			delete(p.asked, key)
			switch {
			case !q.sent: // nobody was asked, so silence says nothing
			case !q.holder:
				p.free.put(key, at, at)
				p.users.remove(key)
			}
			if q.sent && q.urgent {
				p.users.put(key, user{heard: at}, at) // nobody is there
			}
			p.resolve(q, true)
			continue
		}
		if q.urgent && !q.again {
			if at >= q.asked+probeAgain {
				q.again, q.to = true, broadcastMAC
				p.unsent = append(p.unsent, q)
			} else {
				due = q.asked + probeAgain
			}
		}
		if next < 0 || due < next {
			next = due
		}
	}
	return next
}

// stale says whether addr ought to be asked for, so that it is known to be free when somebody comes.
func (p *prober) stale(addr netip.Addr, now time.Time) bool {
	at, key := p.since(now), numberOf(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if free, ok := p.free.get(key); ok {
		return at-free > freeTime-renewTime
	}
	u, heard := p.users.get(key)
	return !heard || at-u.heard > usedTime
}
