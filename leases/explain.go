package leases

import (
	"net/netip"
	"slices"
	"time"
)

// Explanation is what a table has of a client. Leases that aren't there have an invalid address.
type Explanation struct {
	Reservation Reservation // made for it, if MatchedBy says so
	MatchedBy   Match
	// ReservedFor is who has the address that is reserved for it, or keeps it resting: ErrTaken or ErrQuarantined in
	// Obstacle. Both are zero where nothing keeps it from the client.
	ReservedFor Lease
	Obstacle    error

	// NameObstacle is what stands against the name that it asks for, unless it takes over the holder's address. NameHolder is
	// who has the name, for NameTaken.
	NameObstacle NameObstacle
	NameHolder   Lease

	Running Lease // the lease that it holds
	Held    Lease // what it was offered a moment ago
	Former  Lease // its last one, which has ended

	Pool        PoolUse
	Quarantined []Lease // the network's declined addresses that rest, by address
}

// Match says what in a client a reservation was found by.
type Match string

// What a reservation is found by, in the order in which they are tried.
const (
	MatchNone     Match = ""
	MatchClientID Match = "client_id"
	MatchHWAddr   Match = "mac"
	MatchHostname Match = "hostname"
)

// NameObstacle says why a client doesn't get the name that it asks for; "" for nothing.
type NameObstacle string

// The obstacles to a name.
const (
	NameTaken    NameObstacle = "taken"    // another client's running lease has it
	NameReserved NameObstacle = "reserved" // it is the network's, or a reservation's
	NameInvalid  NameObstacle = "invalid"  // CleanName makes no label of it
)

// PoolUse is how far the addresses that any client may get are used up.
type PoolUse struct {
	Addresses   uint64 // in the ranges, without reserved ones and the gateway
	Leased      uint64
	Offered     uint64 // held for clients that were offered them, and not leased
	Quarantined uint64
}

// WouldOffer is what Offer would return at now. It holds nothing and changes nothing; like every decision it ends what has run out.
func (t *Table) WouldOffer(network string, c Client, requested netip.Addr, now time.Time) (Lease, Choice, error) {
	if c.ID == "" {
		return Lease{}, "", errNoIdentity
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	var a ask
	n, p, err := t.search(network, &a, c, requested, sec)
	if err != nil {
		return Lease{}, "", err
	}
	s := p.slot
	if s == nil {
		s = &slot{net: n, addr: p.addr}
	}
	if s.cur.running(sec) && s.cur.id() == c.ID {
		return s.cur.lease(s), p.choice, nil
	}
	return n.draft(&a, s, sec).lease(s), p.choice, nil
}

// Explain returns what is known of c at now, pending changes included, and changes nothing. It looks at every address of the
// network: it is for people. The error is ErrUnknownNetwork.
func (t *Table) Explain(network string, c Client, now time.Time) (Explanation, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n, err := t.configured(network)
	if err != nil {
		return Explanation{}, err
	}
	t.expire(sec, expireAll)
	n.expireHolds(sec)
	var e Explanation
	n.explainReservation(&e, c, sec)
	n.explainName(&e, c, sec)
	if cl := n.client(c.ID); cl != nil {
		if cl.hold != nil {
			e.Held = cl.offer.lease(cl.hold)
		}
		switch s := cl.slot; {
		case s == nil || s.cur == nil || s.cur.id() != c.ID:
		case s.cur.running(sec):
			e.Running = s.cur.lease(s)
		default:
			e.Former = s.cur.lease(s)
		}
	}
	n.explainPool(&e)
	return e, nil
}

func (n *netTable) explainReservation(e *Explanation, c Client, now int64) {
	label, _ := CleanName(c.RequestedName)
	r, byHostname := n.pool.match(c, label)
	switch {
	case r == nil:
		return
	case byHostname:
		e.MatchedBy = MatchHostname
	case r == n.pool.byID[c.ID]:
		e.MatchedBy = MatchClientID
	default:
		e.MatchedBy = MatchHWAddr
	}
	e.Reservation = *r
	e.Reservation.Aliases = slices.Clone(r.Aliases)
	addr, ok := key(r.Addr)
	if !ok {
		return
	}
	s := n.slots[addr]
	e.Obstacle = n.takeable(&ask{client: c, label: label, reservation: r}, addr, now)
	if e.Obstacle == nil && byHostname && n.occupied(r, c.ID, now) {
		e.Obstacle = ErrTaken
	}
	if e.Obstacle == nil || s == nil {
		return
	}
	if s.cur.busy(now) {
		e.ReservedFor = s.cur.lease(s)
	} else if s.hold != nil {
		e.ReservedFor = s.hold.offer.lease(s)
	}
}

func (n *netTable) explainName(e *Explanation, c Client, now int64) {
	a, s := n.ask(c, now), &slot{net: n}
	name, refusal := n.chooseName(&a, s, n.nameHad(c.ID, s, now), now)
	switch {
	case name != "" || c.RequestedName == "":
	case refusal.reason == "":
		e.NameObstacle = NameInvalid
	default:
		e.NameObstacle = refusal.reason
		if holder := n.holderOf(refusal.label, &a, s, now); holder != nil && refusal.reason == NameTaken {
			e.NameHolder = holder.cur.lease(holder)
		}
	}
}

func (n *netTable) explainPool(e *Explanation) {
	e.Pool.Addresses = n.pool.size
	for addr := range n.pool.byAddr {
		if n.pool.inSpans(addr) {
			e.Pool.Addresses--
		}
	}
	for _, addr := range []uint32{n.pool.gateway, n.pool.network, n.pool.broadcast} {
		if n.pool.inSpans(addr) {
			e.Pool.Addresses--
		}
	}
	for addr, s := range n.slots {
		// One that has run out while a change of it is under way can't be given to others yet.
		if !s.cur.blocks() {
			if s.hold != nil && n.pool.open(addr) {
				e.Pool.Offered++
			}
			continue
		}
		if s.cur.state == Declined {
			e.Quarantined = append(e.Quarantined, s.cur.lease(s))
		}
		switch {
		case !n.pool.open(addr):
		case s.cur.state == Declined:
			e.Pool.Quarantined++
		default:
			e.Pool.Leased++
		}
	}
	slices.SortFunc(e.Quarantined, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
}
