package dhcpclient

import (
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// state is where the client stands (RFC 2131 section 4.4, figure 5).
type state int

const (
	idle       state = iota // without carrier
	holdingOff              // until m.next: before it begins anew
	rebooting
	selecting
	requesting
	checking // an address has been given, and is being probed for
	bound
	renewing
	rebinding
)

// never is the moment of what doesn't happen.
const never = time.Duration(math.MaxInt64)

// machine is the client without sockets and clocks: what happens goes in with its time, and what is to be done comes out. Times are since
// the machine was started, also while it was suspended.
type machine struct {
	cfg    *Config
	log    *slog.Logger
	random func(below time.Duration) time.Duration // from 0
	newXID func() dhcpv4.TransactionID
	own    mac

	out []action

	state state
	next  time.Duration // when the state goes on by itself: sends again, probes again, begins

	// The exchange under way.
	xid     dhcpv4.TransactionID
	began   time.Duration
	secs    uint16        // what the messages say of how long it takes
	sent    time.Duration // when the REQUEST left that an ACK would answer: a lease counts from it
	tries   int
	wanted  netip.Addr // is asked for, if valid
	offered reply      // is requested, or checked
	probes  int        // that have been sent
	silent  bool       // that nobody answers has been told

	// The lease in force; holding says that there is one, and that the handler knows.
	holding                     bool
	lease                       Lease // with times as the server gave them
	hop                         mac   // where its server is reached
	renewAt, rebindAt, expireAt time.Duration
	resolving                   time.Duration // until when ARP is waited for before a renewal
	announceAt                  time.Duration
	announced                   int
	attackedAt                  time.Duration // when another last used the address
	attackedLogged              time.Duration

	preset     bool // cfg.Former is on the interface, and nothing has been told of it yet
	refusals   int  // NAKs since the last lease
	conflicts  int  // since the last lease
	complained time.Duration
}

// action is what the machine wants done: a frame to be sent or, without one, an event to be told.
type action struct {
	frame []byte
	event Event
}

// longAgo is before everything.
const longAgo = -time.Hour

func newMachine(cfg *Config, log *slog.Logger, own mac) *machine {
	return &machine{
		cfg: cfg, log: log, random: randomBelow, newXID: randomXID, own: own,
		next: never, wanted: cfg.Former, preset: cfg.Held,
		renewAt: never, rebindAt: never, expireAt: never, resolving: never, announceAt: never,
		attackedAt: longAgo, attackedLogged: longAgo, complained: longAgo,
	}
}

// deadline is when elapsed must be called.
func (m *machine) deadline() time.Duration {
	return min(m.next, m.renewAt, m.rebindAt, m.expireAt, m.resolving, m.announceAt)
}

// elapsed does what time brings.
func (m *machine) elapsed(now time.Duration) {
	if now >= m.expireAt {
		m.lose(now, "it has expired, and no server has prolonged it")
		if m.state != idle {
			m.discover(now)
		}
		return
	}
	if now >= m.announceAt {
		m.announce(now)
	}
	switch {
	case now >= m.rebindAt:
		m.startRebinding(now)
		return
	case now >= m.renewAt:
		m.startRenewing(now)
		return
	}
	if now >= m.resolving {
		m.sendRenewal()
	}
	if now < m.next {
		return
	}
	m.next = never
	switch m.state {
	case holdingOff:
		m.begin(now)
	case rebooting, selecting, requesting:
		m.sendAgain(now)
	case checking:
		m.probe(now)
	case renewing:
		m.renew(now)
	case rebinding:
		m.rebind(now)
	}
}

// start begins, at once if there is a carrier. RFC 2131 section 4.4.1 has clients wait for some seconds, against crowds that start together;
// who runs this one is waiting for it.
func (m *machine) start(now time.Duration, carrier bool) {
	if carrier {
		m.begin(now)
	}
}

// setCarrier tells of the link. One that comes back makes the client ask whether its address still counts there (RFC 2131 section 3.7).
func (m *machine) setCarrier(now time.Duration, up bool) {
	switch {
	case !up:
		if m.state == checking {
			m.wanted = m.offered.lease.Addr.Addr()
		}
		m.state, m.next, m.resolving = idle, never, never
		m.renewAt, m.rebindAt = never, never
	case m.state == idle:
		// Links that flap, and those of many machines that come back together, shall not ask all at once.
		m.holdOff(now, m.random(time.Second))
	}
}

// removed says that the interface has gone, and its addresses with it, or is no longer what servers know it by.
func (m *machine) removed(now time.Duration, reason string) {
	m.preset = false
	if m.holding {
		m.lose(now, reason)
	}
	m.setCarrier(now, false)
}

// holdOff begins anew after a while.
func (m *machine) holdOff(now, wait time.Duration) {
	m.state, m.next = holdingOff, now+wait
}

// hint is what of a frame is worth looking at, for those who read them.
type hint struct {
	xid       dhcpv4.TransactionID
	own       mac
	addr, hop netip.Addr
}

func (m *machine) hint() hint {
	h := hint{xid: m.xid, own: m.own}
	switch {
	case m.holding:
		h.addr = m.lease.Addr.Addr()
		if m.resolving != never {
			h.hop = m.nextHop()
		}
	case m.state == checking:
		h.addr = m.offered.lease.Addr.Addr()
	}
	return h
}

func (m *machine) emit(now time.Duration, kind Kind, reason string) {
	m.out = append(m.out, action{event: Event{Kind: kind, Lease: m.present(now), Reason: reason}})
}

// present is the lease in force with its times from now on; the zero lease without one.
func (m *machine) present(now time.Duration) Lease {
	if !m.holding {
		return Lease{}
	}
	left := func(at time.Duration) time.Duration {
		if at == never {
			return Forever
		}
		return max(at-now, 0)
	}
	l := m.lease
	from := m.expireAt - l.Lifetime // without an end nothing is counted
	if l.Lifetime == Forever {
		return l
	}
	l.Renew, l.Rebind, l.Lifetime = left(from+l.Renew), left(from+l.Rebind), left(m.expireAt)
	return l
}
