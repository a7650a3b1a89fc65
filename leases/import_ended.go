package leases

import "errors"

// Why an imported lease that doesn't run is of no use.
var (
	errRestOver   = errors.New("it rests no longer")
	errOtherSince = errors.New("the address has been given out here since")
	errHasOther   = errors.New("its client has another address here")
	errNotOpen    = errors.New("the address isn't one for everybody here")
	errEnoughRest = errors.New("enough addresses rest already")
)

// importFormer keeps in mind who had an address, where nothing is known of that.
func (t *Table) importFormer(n *netTable, l *Lease, r *record) (ImportVerdict, *pending) {
	addr, ok := key(l.Addr)
	if !ok || !n.pool.open(addr) {
		return skipped(errNotOpen), nil
	}
	if s := n.slots[addr]; s != nil && (s.cur != nil || s.hold != nil || s.last != nil) {
		if s.cur != nil && s.cur.id() == r.id() {
			return ImportVerdict{Outcome: ImportUnchanged}, nil
		}
		return skipped(errOtherSince), nil
	}
	if c := n.client(r.id()); c != nil {
		if c.hold != nil {
			return skipped(errHasOther), nil
		}
		if last := c.slot; last != nil && last.cur != nil && last.cur.id() == r.id() && (last.cur.blocks() || last.cur.expiry >= r.expiry) {
			return skipped(errHasOther), nil
		}
	}
	s, cl := n.slotAt(addr), n.clientOf(r.id())
	p := t.begin(n)
	n.leave(p, cl, s, r.expiry)
	p.setClient(cl, s)
	p.set(s, r)
	return ImportVerdict{Outcome: ImportFormer, Lease: r.lease(s)}, p
}

// importResting keeps an address from everybody that was found in use by somebody else, for as long as a decline here would at most.
func (t *Table) importResting(n *netTable, l *Lease, r *record, now int64) (ImportVerdict, *pending) {
	addr, ok := key(l.Addr)
	if !ok || !n.pool.open(addr) {
		return skipped(errNotOpen), nil
	}
	s := n.slots[addr]
	switch {
	case s != nil && s.cur.busy(now) && s.cur.state == Declined:
		return ImportVerdict{Outcome: ImportUnchanged}, nil
	case s != nil && (s.cur.busy(now) || s.hold != nil || s.last != nil):
		return skipped(errOtherSince), nil
	case n.resting >= n.maxResting():
		return skipped(errEnoughRest), nil
	}
	s = n.slotAt(addr)
	r.seen = now
	r.expiry = min(r.expiry, now+quarantineTime<<maxStrikes)
	p := t.begin(n)
	cl := n.clientOf(r.id())
	if cl.slot == s {
		p.setClient(cl, nil) // it must get another one
	} else {
		p.setClient(cl, cl.slot)
	}
	p.set(s, r)
	t.deadline(r.expiry)
	return ImportVerdict{Outcome: ImportTaken, Lease: r.lease(s)}, p
}
