package leases

import (
	"maps"
	"slices"
)

// netTable is what is known of one network's addresses, clients and names.
type netTable struct {
	name    string
	timers  *timers // the table's
	feed    *feed   // the table's
	clock   *clock  // the table's
	pool    *pool   // nil: no longer configured; its leases stay
	slots   map[uint32]*slot
	clients map[ClientID]*client // of which something is under way: an offer, or a change
	settled map[ClientID]*slot   // the others by their address, which most are: half the memory
	names   map[string]*nameCell

	// Slots that hand out addresses: free ones, the longest free in front, and offered ones, the oldest offer in front.
	// heldOther are offers of addresses that can't be taken back for someone else: reserved ones, and those still leased.
	free, held, heldOther list

	// virgin is the index in the pool from which on addresses may never have been touched; they have no slots.
	virgin  uint64
	resting uint64 // declined addresses
	blank   int    // slots without a record: of an address that was offered at most

	tally tally // of committed leases
}

func newNetwork(name string, timers *timers, feed *feed, clock *clock) *netTable {
	return &netTable{
		name: name, timers: timers, feed: feed, clock: clock,
		slots:   make(map[uint32]*slot),
		clients: make(map[ClientID]*client),
		settled: make(map[ClientID]*slot),
		names:   make(map[string]*nameCell),
	}
}

// configure puts another pool under the leases.
func (n *netTable) configure(p *pool) {
	n.pool, n.virgin = p, 0
	var order []*slot // lists keep their order
	for _, l := range []*list{&n.free, &n.held, &n.heldOther} {
		for s := l.front; s != nil; s = s.next {
			order = append(order, s)
		}
	}
	for _, s := range order {
		s.list.remove(s)
	}
	for _, s := range order {
		n.place(s)
	}
	for _, addr := range slices.Sorted(maps.Keys(n.slots)) {
		n.place(n.slots[addr])
	}
	n.recountAll()
}

func (n *netTable) slotAt(addr uint32) *slot {
	s := n.slots[addr]
	if s == nil {
		s = &slot{net: n, addr: addr}
		n.slots[addr] = s
		n.blank++
	}
	return s
}

// client returns what is known of a client, or nil. It is for looking: who changes it calls clientOf.
func (n *netTable) client(id ClientID) *client {
	if c := n.clients[id]; c != nil {
		return c
	}
	if s := n.settled[id]; s != nil {
		return &client{id: id, slot: s}
	}
	return nil
}

// clientOf returns a client to be changed; settle ends that.
func (n *netTable) clientOf(id ClientID) *client {
	c := n.clients[id]
	if c == nil {
		c = &client{id: id, slot: n.settled[id]}
		n.clients[id] = c
	}
	return c
}

// settle keeps of a client of which nothing is under way no more than its address, or nothing.
func (n *netTable) settle(id ClientID) {
	s := n.settled[id]
	if c := n.clients[id]; c != nil {
		if c.hold != nil || c.last != nil {
			return
		}
		delete(n.clients, id)
		if c.slot == nil || c.slot != s {
			delete(n.settled, id)
		}
		s = c.slot
	}
	switch {
	case s == nil:
	case s.cur != nil && s.cur.id() == id:
		n.keep(s.cur.id(), s)
	case s.committed != nil && s.committed.id() == id:
		n.keep(s.committed.id(), s)
	default:
		delete(n.settled, id)
	}
}

// keep makes s the address of a client that is settled; id is the record's own, which is there anyway.
func (n *netTable) keep(id ClientID, s *slot) {
	if n.settled[id] != s {
		n.settled[id] = s
	}
}

// forgetName drops a name that nobody holds.
func (n *netTable) forgetName(name string) {
	if c := n.names[name]; c != nil && c.owner == nil && c.published == nil && c.last == nil {
		delete(n.names, name)
	}
}

// setCur decides that r is the state of s.
func (n *netTable) setCur(s *slot, r *record) {
	if s.cur != nil && s.cur.state == Declined {
		n.resting--
	}
	if r != nil && r.state == Declined {
		n.resting++
	}
	switch {
	case s.cur == nil && r != nil:
		n.blank--
	case s.cur != nil && r == nil:
		n.blank++
	}
	s.cur = r
	n.place(s)
	s.rearm()
}

// place puts s into the list where it belongs. One that stays keeps its place there.
func (n *netTable) place(s *slot) {
	var want *list
	if n.pool != nil {
		mine := n.pool.open(s.addr) && !s.cur.blocks()
		switch {
		case s.hold != nil && mine:
			want = &n.held
		case s.hold != nil:
			want = &n.heldOther
		case mine:
			want = &n.free
		}
	} else if s.hold != nil {
		want = &n.heldOther
	}
	if s.list == want {
		return
	}
	if s.list != nil {
		s.list.remove(s)
	}
	if want != nil {
		want.pushBack(s)
	}
}

// setHold offers s to c. A new offer is the youngest, also when it repeats an old one.
func (n *netTable) setHold(s *slot, c *client, offer *record) {
	if c.hold != nil && c.hold != s {
		n.dropHold(c)
	}
	if s.hold != nil && s.hold != c {
		other := s.hold
		n.dropHold(other)
		n.settle(other.id)
	}
	s.hold, c.hold, c.offer = c, s, offer
	if s.list != nil {
		s.list.remove(s)
	}
	n.place(s)
}

// restoreHold gives c back the offer that a change which failed had used up.
func (n *netTable) restoreHold(s *slot, c *client, offer *record) {
	if s.hold != nil || c.hold != nil || s.cur.blocks() {
		return
	}
	n.setHold(s, c, offer)
	l := s.list
	l.remove(s)
	l.pushFront(s) // it is older than those that were made since
}

// dropHold ends what c was offered.
func (n *netTable) dropHold(c *client) {
	s := c.hold
	if s == nil {
		return
	}
	s.hold, c.hold, c.offer = nil, nil, nil
	s.contested = false
	n.place(s)
}

// expireHolds ends the offers that have run out.
func (n *netTable) expireHolds(now int64) {
	for _, l := range []*list{&n.held, &n.heldOther} {
		for l.front != nil && l.front.hold.offer.expiry <= now {
			c := l.front.hold
			n.dropHold(c)
			n.settle(c.id)
		}
	}
}

// nextVirgin returns the first address of the pool that was never touched, if there is one left. Every address is passed
// once for a configuration.
func (n *netTable) nextVirgin() (uint32, bool) {
	for ; n.virgin < n.pool.size; n.virgin++ {
		addr := n.pool.at(n.virgin)
		if n.slots[addr] == nil && n.pool.open(addr) {
			return addr, true
		}
	}
	return 0, false
}
