package leases

import (
	"cmp"
	"slices"
	"time"
)

// Of what was offered, another table is told what is so young, in seconds, and so much at most: who requests an offer does so at once.
const (
	freshOffer = 15
	maxOffers  = 4096
)

// Offers is what clients were offered lately and haven't requested, for the table of a process that takes this one's place.
func (t *Table) Offers(now time.Time) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.seconds(now) + holdTime - freshOffer
	var young []*slot
	for _, n := range t.networks {
		for s := n.held.front; s != nil; s = s.next {
			if s.hold.offer.expiry >= since && !s.contested {
				young = append(young, s)
			}
		}
	}
	slices.SortFunc(young, func(a, b *slot) int { return cmp.Compare(a.hold.offer.expiry, b.hold.offer.expiry) })
	offers := make([]Lease, 0, min(len(young), maxOffers))
	for _, s := range young[max(0, len(young)-maxOffers):] {
		l := s.hold.offer.lease(s)
		l.State = Bound // the log knows no offers
		offers = append(offers, l)
	}
	return appendRedo(nil, offers)
}

// TakeOffers holds what another process's table has offered, unless it is somebody's by now. Call it after Load, before anybody is served; an
// error is what can't be understood.
func (t *Table) TakeOffers(offers []byte, now time.Time) error {
	all, err := parseRedo(nil, offers)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	for _, l := range all {
		l.State = Offered
		n, err := t.configured(l.Network)
		addr, ok := key(l.Addr)
		if err != nil || !ok || l.ID == "" || !n.pool.open(addr) {
			continue
		}
		offer := t.clock.record(l)
		s, c := n.slots[addr], n.client(l.ID)
		switch {
		case offer.expiry <= sec || offer.expiry > sec+holdTime:
		case s == nil && n.blank >= maxBlank:
		case s != nil && (s.cur.busy(sec) || s.hold != nil):
		case c != nil && c.hold != nil:
		default:
			n.setHold(n.slotAt(addr), n.clientOf(offer.id()), offer)
		}
	}
	return nil
}
