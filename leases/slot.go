package leases

import (
	"net/netip"
	"time"
	"unique"
)

// record is a Lease in the form that a million of them fit into memory in; it is immutable. Times are seconds of the clock.
type record struct {
	texts
	vendor   unique.Handle[string] // few values, many leases
	start    int64
	expiry   int64 // never: forEver
	seen     int64
	state    State
	hwType   uint8
	reserved bool
}

// forEver is the expiry of an infinite lease.
const forEver = 1<<63 - 1

// slot is an address that has been touched. One that never was has no slot.
type slot struct {
	cell
	net       *netTable
	cur       *record // as decided, pending changes included; nil: nothing known
	committed *record // as the store has it, and as it is published
	hold      *client // who was offered the address
	prev      *slot   // links of list
	next      *slot
	list      *list // the list that it is in: free, held or heldOther of its network
	addr      uint32
	heapAt    int32 // index in timers, plus 1; 0: not in it
	strikes   uint8 // declines in a row
	contested bool  // its hold was taken back from another client: who requests it first gets it
}

// client is an identity that has an address, had one, or was offered one.
type client struct {
	cell
	id    ClientID
	slot  *slot   // its last address: its own only while slot.cur.id is id
	hold  *slot   // what it was offered
	offer *record // the offer of hold
}

// nameCell is a name that is held.
type nameCell struct {
	cell
	owner     *slot // as decided
	published *slot // as committed
}

// cell is something that pending changes build on: an address, a client, a name.
type cell struct {
	last *pending // the newest pending change that wrote it; nil when it is as committed
}

// running reports whether r gives its client the address at now.
func (r *record) running(now int64) bool { return r != nil && r.state == Bound && now < r.expiry }

// busy reports whether r keeps the address from others at now: it is leased, or rests after a decline.
func (r *record) busy(now int64) bool { return r != nil && r.blocks() && now < r.expiry }

// blocks is busy without regard to the time, which the timers see to.
func (r *record) blocks() bool { return r != nil && (r.state == Bound || r.state == Declined) }

// ended returns r as it is after its end.
func (r *record) ended(state State, at int64) *record {
	e := *r
	e.state, e.texts, e.expiry = state, r.named(""), at
	return &e
}

func (r *record) lease(s *slot) Lease {
	clock := s.net.clock
	l := Lease{
		Network: s.net.name, Addr: toAddr(s.addr),
		ID: r.id(), HWType: r.hwType, HWAddr: r.hw(), Name: r.name(), State: r.state,
		Start: clock.wall(r.start), Expiry: clock.wall(r.expiry), LastSeen: clock.wall(r.seen),
		RequestedName: r.requestedName(), Reserved: r.reserved,
	}
	if r.vendor != (unique.Handle[string]{}) {
		l.VendorClass = r.vendor.Value()
	}
	return l
}

func (c *clock) record(l Lease) *record {
	return &record{
		texts: newTexts(l.ID, l.HWAddr, l.RequestedName, l.Name), vendor: intern(l.VendorClass),
		start: c.line(floorUnix(l.Start)), expiry: c.line(ceilUnix(l.Expiry)), seen: c.line(floorUnix(l.LastSeen)),
		state: l.State, hwType: l.HWType, reserved: l.Reserved,
	}
}

func intern(vendor string) unique.Handle[string] {
	if vendor == "" {
		return unique.Handle[string]{}
	}
	return unique.Make(vendor)
}

func fromUnix(at int64) time.Time {
	if at == forEver {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

func floorUnix(at time.Time) int64 { return at.Unix() }

// ceilUnix rounds an expiry up, so that no stored lease ends before the one that was promised.
func ceilUnix(at time.Time) int64 {
	if at.IsZero() {
		return forEver
	}
	s := at.Unix()
	if at.Nanosecond() > 0 {
		s++
	}
	return s
}

// list is a queue of slots, by links inside them.
type list struct {
	front, back *slot
	length      int
}

func (l *list) pushBack(s *slot) {
	s.list, s.prev, s.next = l, l.back, nil
	if l.back == nil {
		l.front = s
	} else {
		l.back.next = s
	}
	l.back = s
	l.length++
}

func (l *list) pushFront(s *slot) {
	s.list, s.prev, s.next = l, nil, l.front
	if l.front == nil {
		l.back = s
	} else {
		l.front.prev = s
	}
	l.front = s
	l.length++
}

func (l *list) remove(s *slot) {
	if s.prev == nil {
		l.front = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.back = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.list, s.prev, s.next = nil, nil, nil
	l.length--
}

// key returns the map key of an address, if it is an IPv4 one.
func key(a netip.Addr) (uint32, bool) {
	if !a.Is4() {
		return 0, false
	}
	return toUint(a), true
}
