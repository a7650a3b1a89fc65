package leases

import (
	"fmt"
	"net/netip"
	"time"
)

// ImportMost is how many leases one Import takes: no decision waits for longer than that many need, and one commit has room for them.
const ImportMost = 2048

// maxImported is how long an imported lease may run yet, in seconds: those of DHCP last no longer (RFC 2131 section 3.3).
const maxImported = 1<<32 - 1

// Imported is a lease that another server gave out.
type Imported struct {
	Lease Lease // Network, Reserved and Name aside, which are ours to say; Name is a wish. Declined without a client: ID is ClientIDFromARP

	// Clone is who the client is if another machine has its ID: "" where that isn't told apart.
	Clone ClientID
}

// ImportOutcome says what became of an imported lease.
type ImportOutcome uint8

// The outcomes.
const (
	ImportTaken     ImportOutcome = iota + 1 // it runs, or rests, as it was imported
	ImportFormer                             // it had ended: its client is kept in mind
	ImportUnchanged                          // we have it already
	ImportSkipped                            // it had ended or rested, and is of no use here; Err says why
	ImportRefused                            // it isn't taken over; Err says why
)

// ImportVerdict is what Import decided on one lease.
type ImportVerdict struct {
	Outcome  ImportOutcome
	Lease    Lease  // as it will be; ImportTaken and ImportFormer only
	Err      error  // ErrOutOfPool, ErrReserved, ErrMoved, ErrQuarantined, ErrTaken, ErrNotHolder or others, in words for people
	Nameless string // the name that it doesn't get, although it asks for it
}

// Import decides on leases of one network that another server gave out, as Bind does, but for their own times. Ours win over theirs; of
// the same client's at the same address the one that ends later does. Leases that have ended become former ones where nobody has had the
// address here, so that their clients get it again. Changes are pending until one Submit of all of them commits them.
// At most ImportMost leases are taken. The error is ErrUnknownNetwork.
func (t *Table) Import(network string, all []Imported, now time.Time) ([]ImportVerdict, []Change, error) {
	if len(all) > ImportMost {
		return nil, nil, fmt.Errorf("%d leases are more than one import takes, %d", len(all), ImportMost)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n, err := t.configured(network)
	if err != nil {
		return nil, nil, err
	}
	t.expire(sec, expireAll)
	n.expireHolds(sec)
	verdicts := make([]ImportVerdict, len(all))
	changes := make([]Change, 0, len(all))
	for i := range all {
		v, p := t.importOne(n, &all[i], sec)
		if p != nil {
			changes = append(changes, Change{Lease: v.Lease, pending: p})
		}
		verdicts[i] = v
	}
	return verdicts, changes, nil
}

func (t *Table) importOne(n *netTable, in *Imported, now int64) (ImportVerdict, *pending) {
	l := in.Lease
	if l.ID == "" {
		return refused(errNoIdentity), nil
	}
	if in.Clone != "" && n.hasClone(in, now) {
		l.ID = in.Clone
	}
	l.RequestedName, l.VendorClass = cut(l.RequestedName), cut(l.VendorClass)
	r := t.clock.record(l)
	r.texts, r.reserved = r.named(""), false
	// Nobody was heard of in the future; where a file doesn't tell, the client was there when it was written.
	if l.LastSeen.IsZero() || r.seen > now {
		r.seen = now
	}
	if l.Start.IsZero() || r.start > r.seen {
		r.start = r.seen
	}
	ended := r.expiry <= now
	switch {
	case r.state == Bound && !ended:
		return t.importRunning(n, &l, r, now)
	case r.state == Declined && !ended:
		return t.importResting(n, &l, r, now)
	case r.state == Declined:
		return skipped(errRestOver), nil
	}
	r.expiry = min(r.expiry, now)
	if r.state != Released {
		r.state = Expired
	}
	return t.importFormer(n, &l, r)
}

// hasClone reports whether in's client is one of several machines with its identifier, and not the first: as the DHCP server tells them
// apart when they ask.
func (n *netTable) hasClone(in *Imported, now int64) bool {
	if n.client(in.Clone) != nil {
		return true
	}
	c := n.client(in.Lease.ID)
	if c == nil || c.slot == nil || in.Lease.HWAddr == "" {
		return false
	}
	r := c.slot.cur
	return r.running(now) && r.id() == c.id && r.hw() != in.Lease.HWAddr
}

func refused(err error) ImportVerdict { return ImportVerdict{Outcome: ImportRefused, Err: err} }
func skipped(err error) ImportVerdict { return ImportVerdict{Outcome: ImportSkipped, Err: err} }

func (t *Table) importRunning(n *netTable, l *Lease, r *record, now int64) (ImportVerdict, *pending) {
	if r.expiry != forEver && r.expiry-now > maxImported {
		return refused(fmt.Errorf("no lease lasts until %s", l.Expiry.UTC().Format(time.DateOnly))), nil
	}
	c := Client{ID: l.ID, HWType: l.HWType, HWAddr: l.HWAddr, RequestedName: l.RequestedName, VendorClass: l.VendorClass}
	if c.RequestedName == "" {
		c.RequestedName = l.Name
	}
	a := n.ask(c, now)
	if err := n.importable(&a, l.Addr, now); err != nil {
		return refused(err), nil
	}
	s := n.slotAt(toUint(l.Addr))
	own := s.cur.running(now) && s.cur.id() == l.ID
	if own && r.expiry <= s.cur.expiry {
		return ImportVerdict{Outcome: ImportUnchanged}, nil
	}
	v := ImportVerdict{Outcome: ImportTaken}
	if own {
		// It has been heard here since: only its end is news.
		kept := *s.cur
		kept.expiry = r.expiry
		r = &kept
	} else {
		addr, reserved := a.reserved()
		r.reserved = reserved && addr == s.addr
		var name string
		name, v.Nameless = n.importName(&a, s, l.Name, now)
		r.texts = r.named(name)
	}
	p := t.give(n, n.clientOf(r.id()), s, r, now)
	v.Lease = r.lease(s)
	return v, p
}

// importName returns the name for an imported lease of s, and the one that it can't have. wish is what it was called.
func (n *netTable) importName(a *ask, s *slot, wish string, now int64) (name, without string) {
	if a.label == "" {
		a.client.RequestedName = "" // what is no name takes none away
	}
	had, ok := CleanName(wish)
	if !ok || n.holderOf(had, a, s, now) != nil {
		had = ""
	}
	name, refusal := n.chooseName(a, s, had, now)
	return name, refusal.label
}

// importable returns nil if a's client may have addr by an import, or why not.
func (n *netTable) importable(a *ask, addr netip.Addr, now int64) error {
	v, _ := key(addr)
	s := n.slots[v]
	if s != nil && s.cur.running(now) && s.cur.id() != a.client.ID {
		return fmt.Errorf("%w: %v (%v)", ErrTaken, s.cur.hw(), s.cur.id())
	}
	if c := n.client(a.client.ID); c != nil && c.slot != nil && c.slot != s && c.slot.cur.running(now) && c.slot.cur.id() == c.id {
		return fmt.Errorf("its client has %v here", toAddr(c.slot.addr))
	}
	err := n.check(a, addr, now)
	switch err {
	case ErrOutOfPool:
		return n.outOfPool(addr)
	case ErrReserved:
		if name := n.pool.byAddr[v].Name; name != "" {
			return fmt.Errorf("%w: %s", err, name)
		}
	case ErrMoved:
		return fmt.Errorf("%w, %v", err, a.reservation.Addr)
	}
	return err
}

// outOfPool says in which way addr is not in the pool.
func (n *netTable) outOfPool(addr netip.Addr) error {
	v, _ := key(addr)
	switch p := n.pool; {
	case !p.subnet.Contains(addr):
		return fmt.Errorf("%w: it is outside %v", ErrOutOfPool, p.subnet)
	case v == p.gateway:
		return fmt.Errorf("%w: it is the network's own", ErrOutOfPool)
	case p.excluded(v):
		return fmt.Errorf("%w: it is that of the subnet itself, or its broadcast address", ErrOutOfPool)
	}
	return fmt.Errorf("%w: no range has it; widen one, or reserve the address for the client", ErrOutOfPool)
}
