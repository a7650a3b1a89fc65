package leases

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"
	"unique"
)

// maxText bounds what is kept of the texts that a client sends.
const maxText = 255

// A quarantine is quarantineTime seconds, doubled for each decline or conflict in a row up to maxStrikes times, and at most one in
// quarantineShare of a pool's addresses rests at a time: a client that declines everything must not starve the rest.
const (
	quarantineTime  = 600
	maxStrikes      = 7
	quarantineShare = 4
)

// Bind gives addr to c for d, if c may have it: it is free, held for c, or already c's. An active lease of another address
// ends with it. The change is pending until a Submit commits it. d is rounded up to whole seconds.
// The errors are ErrUnknownNetwork, ErrOutOfPool, ErrReserved, ErrMoved, ErrQuarantined and ErrTaken.
func (t *Table) Bind(network string, c Client, addr netip.Addr, d time.Duration, now time.Time) (Change, error) {
	if c.ID == "" {
		return Change{}, errNoIdentity
	}
	if d <= 0 {
		return Change{}, fmt.Errorf("a lease can't last %v", d)
	}
	change, refusal, err := t.bind(network, c, addr, d, now)
	if refusal.reason != "" {
		level := slog.LevelInfo
		if refusal.reject {
			level = slog.LevelWarn
		}
		t.refusedNames.limit(t.log, floorUnix(now)).Log(context.Background(), level, "client doesn't get the name that it asks for", "network", network, "addr", addr,
			"client", c.ID.String(), "name", refusal.label, "reason", refusal.reason, "holder", refusal.holder.String(),
			"gets", change.Lease.Name)
	}
	return change, err
}

func (t *Table) bind(network string, c Client, addr netip.Addr, d time.Duration, now time.Time) (Change, nameRefusal, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n, err := t.configured(network)
	if err != nil {
		return Change{}, nameRefusal{}, err
	}
	t.expire(sec, expireQuickly)
	n.expireHolds(sec)
	a := n.ask(c, sec)
	if err := n.check(&a, addr, sec); err != nil {
		return Change{}, nameRefusal{}, err
	}
	s := n.slotAt(toUint(addr))
	r := a.record(s, sec)
	r.state, r.expiry = Bound, forEver
	if d != Infinite {
		r.expiry = sec + ceilSeconds(d+time.Duration(now.Nanosecond()))
	}
	renewal := s.cur.running(sec) && s.cur.id() == c.ID
	if renewal {
		r.start = s.cur.start
		if sec-r.start >= holdTime {
			s.strikes = 0 // it serves its client well
		}
	}
	name, refusal := n.chooseName(&a, s, n.nameHad(c.ID, s, sec), sec)
	r.texts = r.named(name)
	if renewal && s.cur.requestedName() == r.requestedName() && s.cur.name() == name {
		refusal = nameRefusal{} // it has been told
	}
	refusal.reject = n.pool.conflict == Reject

	p := t.give(n, n.clientOf(r.id()), s, r, sec)
	return Change{Lease: r.lease(s), pending: p}, refusal, nil
}

// give makes the running lease r of cl the state of s, with all that it takes away from others.
func (t *Table) give(n *netTable, cl *client, s *slot, r *record, now int64) *pending {
	p := t.begin(n)
	n.leave(p, cl, s, now)
	if c := n.names[r.name()]; c != nil && c.owner != nil && c.owner != s {
		p.set(c.owner, c.owner.cur.nameless(now))
	}
	if other := s.hold; other != nil && other != cl {
		n.dropHold(other) // the address is reserved for cl
		n.settle(other.id)
	}
	p.useHold(cl, s)
	n.dropHold(cl) // of another address
	p.setClient(cl, s)
	p.set(s, r)
	t.deadline(r.expiry)
	return p
}

// leave ends what cl has at another address than s.
func (n *netTable) leave(p *pending, cl *client, s *slot, now int64) {
	former := cl.slot
	if former == nil || former == s {
		return
	}
	if former.last != nil {
		p.write(&former.cell) // if who took it over fails, it is cl's again
	}
	if former.cur != nil && former.cur.id() == cl.id && former.cur.state == Bound {
		p.set(former, former.cur.ended(Released, min(now, former.cur.expiry)))
	}
}

// record returns what the lease of s for a's client has in any state. What the slot knows already is not kept twice.
func (a *ask) record(s *slot, now int64) *record {
	c := &a.client
	addr, _ := a.reserved()
	r := &record{hwType: c.HWType, start: now, seen: now, reserved: addr == s.addr}
	known := s.cur
	if s.hold != nil && s.hold.offer.id() == c.ID {
		known = s.hold.offer
	}
	if known == nil || known.id() != c.ID {
		r.texts, r.vendor = newTexts(c.ID, c.HWAddr, c.RequestedName, ""), intern(cut(c.VendorClass))
		return r
	}
	if known.hw() == c.HWAddr && known.requestedName() == cut(c.RequestedName) {
		r.texts = known.texts
	} else {
		r.texts = newTexts(c.ID, c.HWAddr, c.RequestedName, known.name())
	}
	switch {
	case c.VendorClass == "":
	case known.vendor != (unique.Handle[string]{}) && known.vendor.Value() == c.VendorClass:
		r.vendor = known.vendor
	default:
		r.vendor = intern(cut(c.VendorClass))
	}
	return r
}

// nameless returns r as it is when another lease takes its name: for a reservation, or since its own time is over.
func (r *record) nameless(now int64) *record {
	if !r.running(now) {
		return r.ended(Expired, r.expiry)
	}
	n := *r
	n.texts = r.named("")
	return &n
}

// nameHad returns the name that the client id holds now; s is the address that it asks for.
func (n *netTable) nameHad(id ClientID, s *slot, now int64) string {
	if s.cur.running(now) && s.cur.id() == id {
		return s.cur.name()
	}
	if c := n.client(id); c != nil && c.slot != nil && c.slot.cur.running(now) && c.slot.cur.id() == id {
		return c.slot.cur.name()
	}
	return ""
}

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

// Release ends c's lease of addr; both identity and hardware address must be the holder's, else it is ErrNotHolder.
func (t *Table) Release(network string, c Client, addr netip.Addr, now time.Time) (Change, error) {
	return t.end(network, addr, now, func(n *netTable, s *slot, sec int64) (*record, error) {
		if !s.cur.running(sec) || s.cur.id() != c.ID || s.cur.hw() != c.HWAddr {
			return nil, ErrNotHolder
		}
		r := s.cur.ended(Released, sec)
		r.seen = sec
		return r, nil
	})
}

// ReleaseAddr ends the lease of addr, or its rest after a decline, whoever holds it: for the operator. Where nobody does it
// is ErrNotHolder.
func (t *Table) ReleaseAddr(network string, addr netip.Addr, now time.Time) (Change, error) {
	return t.end(network, addr, now, func(n *netTable, s *slot, sec int64) (*record, error) {
		if !s.cur.busy(sec) {
			return nil, ErrNotHolder
		}
		s.strikes = 0
		return s.cur.ended(Released, sec), nil
	})
}

// Decline puts addr into quarantine, since its holder c (of a lease or an offer) found it in use. Else it is ErrNotHolder.
func (t *Table) Decline(network string, c Client, addr netip.Addr, now time.Time) (Change, error) {
	change, err := t.end(network, addr, now, func(n *netTable, s *slot, sec int64) (*record, error) {
		var r *record
		switch {
		case s.cur.running(sec) && s.cur.id() == c.ID && s.cur.hw() == c.HWAddr:
			r = s.cur.ended(Declined, 0)
		case !s.cur.busy(sec) && s.hold != nil && s.hold.id == c.ID && s.hold.offer.hw() == c.HWAddr:
			r = s.hold.offer.ended(Declined, 0)
		default:
			return nil, ErrNotHolder
		}
		r.seen, r.expiry = sec, n.rest(s, sec)
		return r, nil
	})
	if err == nil {
		t.declines.limit(t.log, floorUnix(now)).Warn("address declined: its client found it in use", "network", network, "addr", addr, "client", c.ID.String(),
			"hwaddr", c.HWAddr.String(), "rests_until", change.Lease.Expiry)
	}
	return change, err
}

// maxResting is how many addresses of the network may rest at a time.
func (n *netTable) maxResting() uint64 {
	if n.pool == nil {
		return 0
	}
	return max(1, (n.pool.size+uint64(len(n.pool.byAddr)))/quarantineShare)
}

// end replaces the state of addr by what next returns. The network need not be configured any longer.
func (t *Table) end(network string, addr netip.Addr, now time.Time, next func(*netTable, *slot, int64) (*record, error)) (Change, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n := t.networks[network]
	if n == nil {
		return Change{}, ErrUnknownNetwork
	}
	t.expire(sec, expireQuickly)
	n.expireHolds(sec)
	v, ok := key(addr)
	s := n.slots[v]
	if !ok || s == nil {
		return Change{}, ErrNotHolder
	}
	r, err := next(n, s, sec)
	if err != nil {
		return Change{}, err
	}
	p := t.begin(n)
	cl := n.clientOf(r.id())
	p.useHold(cl, s)
	if r.state == Declined && cl.slot == s {
		p.setClient(cl, nil) // it must get another one
	} else {
		p.setClient(cl, cl.slot)
	}
	p.set(s, r)
	if r.state == Declined {
		t.deadline(r.expiry)
	}
	return Change{Lease: r.lease(s), pending: p}, nil
}
