package leases

import "net/netip"

// ask is a client's question, with what the configuration says of the client.
type ask struct {
	client      Client
	label       string       // the clean name that it sends, or ""
	reservation *Reservation // of the pool, or nil
}

func (n *netTable) ask(c Client, now int64) ask {
	a := ask{client: c}
	a.label, _ = CleanName(c.RequestedName)
	r, byHostname := n.pool.match(c, a.label)
	if byHostname && n.occupied(r, c.ID, now) {
		r = nil
	}
	a.reservation = r
	return a
}

// occupied reports whether another client than id has what r gives to whoever sends a name: the first one keeps it.
func (n *netTable) occupied(r *Reservation, id ClientID, now int64) bool {
	if addr, ok := key(r.Addr); ok {
		s := n.slots[addr]
		if s == nil {
			return false
		}
		return s.cur.running(now) && s.cur.reserved && s.cur.id() != id || s.hold != nil && s.hold.id != id && s.hold.offer.expiry > now
	}
	c := n.names[r.Name]
	return c != nil && c.owner != nil && c.owner.cur.running(now) && c.owner.cur.name() == r.Name && c.owner.cur.id() != id
}

// follows reports whether a's client may take over what hw has: a reservation by hardware address follows it from one
// identity to the next, from the boot ROM to the installed system.
func (a *ask) follows(hw HWAddr) bool {
	r := a.reservation
	return r != nil && r.HWAddr != "" && r.HWAddr == hw && r.HWAddr == a.client.HWAddr
}

// reserved returns the address that is reserved for a's client.
func (a *ask) reserved() (uint32, bool) {
	if a.reservation == nil {
		return 0, false
	}
	return key(a.reservation.Addr)
}

// takeable returns nil if a's client can have the address that is reserved for it.
func (n *netTable) takeable(a *ask, addr uint32, now int64) error {
	s := n.slots[addr]
	if s == nil || !s.cur.busy(now) {
		return nil
	}
	switch {
	case s.cur.restsFor(a.client.HWAddr):
		return nil
	case s.cur.state == Declined:
		return ErrQuarantined
	case s.cur.id() != a.client.ID && !a.follows(s.cur.hw()):
		return ErrTaken
	}
	return nil
}

// check returns nil if a's client may have addr.
func (n *netTable) check(a *ask, addr netip.Addr, now int64) error {
	if !n.pool.usable(addr) {
		return ErrOutOfPool
	}
	v := toUint(addr)
	if r := n.pool.byAddr[v]; r != nil && r != a.reservation {
		return ErrReserved
	}
	if mine, ok := a.reserved(); ok {
		err := n.takeable(a, mine, now)
		if mine == v {
			return err
		}
		if err == nil {
			return ErrMoved
		}
		// What is reserved for it isn't free yet: until then it is a client like all others.
	}
	if !n.pool.inSpans(v) {
		return ErrOutOfPool
	}
	s := n.slots[v]
	switch {
	case s == nil:
		return nil
	case s.cur.busy(now) && s.cur.restsFor(a.client.HWAddr):
		return nil
	case s.cur.busy(now) && s.cur.state == Declined:
		return ErrQuarantined
	case s.cur.busy(now) && s.cur.id() != a.client.ID:
		return ErrTaken
	case s.hold != nil && s.hold.id != a.client.ID && !s.contested && s.hold.offer.expiry > now:
		return ErrTaken
	}
	return nil
}
