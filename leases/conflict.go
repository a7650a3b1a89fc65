package leases

import (
	"net/netip"
	"time"
)

// Conflict puts addr, which nobody leases, into quarantine, since the machine with the hardware address by was found using
// it. The record names that machine: HWAddr is by, and ID is ClientIDFromARP(by), which is no client's. Only a client with
// that hardware address may still have the address, since then nobody else uses it. Whoever was offered it gets another one.
// The quarantine is that of Decline: it grows, and where too many addresses rest already, the lease's Expiry is now and the
// address is merely the last to be offered again.
// The errors are ErrUnknownNetwork, ErrOutOfPool, ErrTaken (a client leases it: it is that client's affair) and
// ErrQuarantined (it rests already).
func (t *Table) Conflict(network string, addr netip.Addr, by HWAddr, now time.Time) (Change, error) {
	if by == "" {
		return Change{}, errNoIdentity
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n, err := t.configured(network)
	if err != nil {
		return Change{}, err
	}
	t.expire(sec, expireQuickly)
	n.expireHolds(sec)
	if !n.pool.usable(addr) {
		return Change{}, ErrOutOfPool
	}
	s := n.slotAt(toUint(addr))
	switch {
	case s.cur.running(sec):
		return Change{}, ErrTaken
	case s.cur.busy(sec):
		return Change{}, ErrQuarantined
	}
	r := &record{texts: newTexts(ClientIDFromARP(by), by, "", ""), hwType: 1, state: Declined, start: sec, seen: sec, expiry: n.rest(s, sec)}
	p := t.begin(n)
	cl := s.hold
	if cl == nil {
		cl = n.clientOf(r.id())
	}
	p.useHold(cl, s)
	former := cl.slot
	if former == s {
		former = nil // it must get another one
	}
	p.setClient(cl, former)
	p.set(s, r)
	t.deadline(r.expiry)
	return Change{Lease: r.lease(s), pending: p}, nil
}

// rest counts a conflict of s, and returns when its quarantine ends: at now where enough addresses rest already.
func (n *netTable) rest(s *slot, now int64) int64 {
	if n.resting >= n.maxResting() {
		return now
	}
	end := now + quarantineTime<<s.strikes
	s.strikes = min(s.strikes+1, maxStrikes)
	return end
}

// restsFor reports whether r keeps its address from everybody but the machine that was found using it, and hw is that one's.
func (r *record) restsFor(hw HWAddr) bool {
	return r != nil && r.state == Declined && r.id()[0] == fromARP && hw != "" && r.hw() == hw
}

// Allowed reports why Bind would refuse addr to c, or nil. Nothing changes.
func (t *Table) Allowed(network string, c Client, addr netip.Addr, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n, err := t.configured(network)
	if err != nil {
		return err
	}
	t.expire(sec, expireQuickly)
	n.expireHolds(sec)
	a := n.ask(c, sec)
	return n.check(&a, addr, sec)
}

// Candidates appends to dst addresses of a network that newcomers are likely to be offered next: those that addresses are
// derived in, reserved ones, then up to next others, the first to be handed out in front. Addresses that are leased, offered,
// or at rest are none. It looks at about a thousand addresses, and as many reservations.
func (t *Table) Candidates(dst []netip.Addr, network string, next int, now time.Time) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec := t.seconds(now)
	n, err := t.configured(network)
	if err != nil {
		return dst
	}
	window := n.pool.window()
	for i := range window {
		addr := n.pool.at(i)
		if s := n.slots[addr]; n.pool.open(addr) && (s == nil || s.vacant(nil, sec)) {
			dst = append(dst, toAddr(addr))
		}
	}
	reserved := 0
	for addr := range n.pool.byAddr {
		if reserved++; reserved > derivedWindow {
			break
		}
		if s := n.slots[addr]; s == nil || s.vacant(nil, sec) {
			dst = append(dst, toAddr(addr))
		}
	}
	// The others, as choose takes them: those that nobody ever had, then the longest free.
	more := next
	for i := max(window, n.virgin); i < min(n.pool.size, max(window, n.virgin)+uint64(2*next)) && more > 0; i++ {
		if addr := n.pool.at(i); n.slots[addr] == nil && n.pool.open(addr) {
			dst = append(dst, toAddr(addr))
			more--
		}
	}
	if n.pool.size > window {
		for s := n.free.front; s != nil && more > 0; s, more = s.next, more-1 {
			if s.vacant(nil, sec) {
				dst = append(dst, toAddr(s.addr))
			}
		}
	}
	return dst
}
