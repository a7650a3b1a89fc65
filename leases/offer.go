package leases

import (
	"net/netip"
	"time"
)

// holdTime is how long an offered address is kept for its client, in seconds.
const holdTime = 60

// derivedTries is how many addresses from the derived one on are looked at before the oldest is taken. Addresses are derived
// within the first derivedWindow of the pool: so few can be known to be free before a client that nobody knows yet asks.
const (
	derivedTries  = 16
	derivedWindow = 1024
)

// maxBlank bounds how many addresses of a network are remembered that nobody ever had, but for an offer. It is more than
// ask at a time, and keeps a flood of invented clients from using up the memory in a network of millions of addresses.
const maxBlank = 1 << 16

// Offer finds an address for c and holds it in RAM for a minute. requested may be invalid. The lease is Offered, or c's
// running one where it keeps that (Bound, with its present expiry). Its Name is what c would get.
// The errors are ErrUnknownNetwork and ErrExhausted.
func (t *Table) Offer(network string, c Client, requested netip.Addr, now time.Time) (Lease, Choice, error) {
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
	s := n.take(p)
	lease := n.offer(&a, s, sec)
	if p.choice == ChoseTakenBack {
		// Offers that nobody requests must not keep it from the client that was offered it before: a guest that invents
		// hardware addresses makes them faster than any client requests what it was offered.
		s.contested = true
	}
	return lease, p.choice, nil
}

// search makes a the question of c and finds the address for it, once what has run out is ended. It changes nothing else.
func (t *Table) search(network string, a *ask, c Client, requested netip.Addr, now int64) (*netTable, pick, error) {
	n, err := t.configured(network)
	if err != nil {
		return nil, pick{}, err
	}
	t.expire(now, expireQuickly)
	n.expireHolds(now)
	*a = n.ask(c, now)
	p := n.choose(a, requested, now)
	if p.choice == "" && t.due(now) {
		t.expire(now, expireAll)
		p = n.choose(a, requested, now)
	}
	if p.choice == "" {
		return n, pick{}, ErrExhausted
	}
	return n, p, nil
}

// pick is an address as it was chosen. No choice: there is none.
type pick struct {
	addr   uint32
	slot   *slot // nil: never touched
	choice Choice
}

func (s *slot) pick(c Choice) pick { return pick{s.addr, s, c} }

// choose returns the address for a's client. It changes nothing, but that nextVirgin remembers how far it has looked.
func (n *netTable) choose(a *ask, requested netip.Addr, now int64) pick {
	if addr, ok := a.reserved(); ok && n.takeable(a, addr, now) == nil {
		return pick{addr, n.slots[addr], ChoseReservation}
	}
	if c := n.client(a.client.ID); c != nil {
		last := c.slot
		if last != nil && (last.cur == nil || last.cur.id() != c.id || !n.pool.open(last.addr)) {
			last = nil
		}
		if last != nil && last.cur.running(now) {
			return last.pick(ChoseBinding)
		}
		if c.hold != nil && n.pool.open(c.hold.addr) && !c.hold.cur.busy(now) {
			return c.hold.pick(ChoseHold)
		}
		if last != nil && last.vacant(c, now) {
			return last.pick(ChoseFormer)
		}
	}
	if addr, ok := key(requested); ok && n.pool.open(addr) {
		if s := n.slots[addr]; s == nil && n.blank < maxBlank || s != nil && (s.vacant(nil, now) || s.cur.restsFor(a.client.HWAddr)) {
			return pick{addr, s, ChoseRequested}
		}
	}
	if n.pool.size == 0 {
		return pick{}
	}
	window := n.pool.window()
	tries := min(derivedTries, window)
	if uint64(len(n.slots)) > 2*window {
		tries = 0 // hardly any of them can be untouched
	}
	first := a.client.derived() % window
	for i := range tries {
		addr := n.pool.at((first + i) % window)
		// What another client had is left to it while there is something else.
		if s := n.slots[addr]; n.pool.open(addr) && (s == nil && n.blank < maxBlank || s != nil && s.cur == nil && s.hold == nil) {
			return pick{addr, s, ChoseDerived}
		}
	}
	if n.blank < maxBlank {
		if addr, ok := n.nextVirgin(); ok {
			return pick{addr, nil, ChoseOldest}
		}
	}
	if s := n.free.front; s != nil {
		return s.pick(ChoseOldest)
	}
	if s := n.held.front; s != nil {
		return s.pick(ChoseTakenBack)
	}
	// All the blank ones lie where the pool was before.
	if addr, ok := n.nextVirgin(); ok {
		return pick{addr, nil, ChoseOldest}
	}
	return pick{}
}

// take makes a choice good: the address has a slot, and is held for nobody else if it was taken back.
func (n *netTable) take(p pick) *slot {
	s := p.slot
	if s == nil {
		s = n.slotAt(p.addr)
	}
	if p.choice == ChoseTakenBack {
		c := s.hold
		n.dropHold(c)
		n.settle(c.id)
	}
	return s
}

// vacant reports whether c may have s, which is in the pool: nobody else has it or was offered it.
func (s *slot) vacant(c *client, now int64) bool {
	return !s.cur.busy(now) && (s.hold == nil || s.hold == c)
}

// offer holds s for a's client.
func (n *netTable) offer(a *ask, s *slot, now int64) Lease {
	if s.cur.running(now) && s.cur.id() == a.client.ID && now+holdTime < s.cur.expiry {
		if c := n.client(a.client.ID); c != nil {
			n.dropHold(c) // an offer of something else, made before
			n.settle(c.id)
		}
		return s.cur.lease(s)
	}
	offer := n.draft(a, s, now)
	if old := s.hold; old != nil && old.id != a.client.ID {
		n.dropHold(old) // the address is reserved
		n.settle(old.id)
	}
	n.setHold(s, n.clientOf(offer.id()), offer)
	if s.cur.running(now) && s.cur.id() == a.client.ID {
		return s.cur.lease(s)
	}
	return offer.lease(s)
}

// draft is the offer of s to a's client, not made yet.
func (n *netTable) draft(a *ask, s *slot, now int64) *record {
	offer := a.record(s, now)
	name, _ := n.chooseName(a, s, n.nameHad(a.client.ID, s, now), now)
	offer.texts = offer.named(name)
	offer.state, offer.expiry = Offered, now+holdTime
	return offer
}

// Withdraw ends the hold that c has on an offered address (it chose another server). A binding stays.
func (t *Table) Withdraw(network string, id ClientID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.networks[network]
	if n == nil {
		return
	}
	n.expireHolds(t.seconds(now))
	if c := n.client(id); c != nil {
		n.dropHold(c)
		n.settle(c.id)
	}
}

// derived is a number that only depends on the client's hardware, or its identity where it has none: FNV-1a, which is the
// same in every version and on every machine.
func (c *Client) derived() uint64 {
	from := string(c.HWAddr)
	if from == "" {
		from = string(c.ID)
	}
	h := uint64(14695981039346656037)
	for i := range len(from) {
		h = (h ^ uint64(from[i])) * 1099511628211
	}
	return h ^ h>>32 // the low bits alone mix badly
}
