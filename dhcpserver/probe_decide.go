package dhcpserver

import (
	"net/netip"
	"time"

	"labnet/leases"
)

// What finding one client an address may cost: a conflict that puts its address to rest, and one that doesn't, since enough
// rest already. Whoever answers for more than that, as a machine does that answers every ARP, doesn't keep newcomers out: then
// the address is offered all the same, and the log says so.
const (
	maxTries   = 32
	restCost   = 1
	noRestCost = 8
)

// settleTime is how long a client may need until it answers ARP for an address that it was given: it checks for itself whether
// the address is free, in up to 7 s (RFC 5227 section 1.1).
const settleTime = 10 * time.Second

// conflict is an address that another machine was found using.
type conflict struct {
	client leases.Client // who was to have it
	by     leases.HWAddr
	addr   netip.Addr
	change leases.Change // none, if the conflict is ignored
	full   bool          // the address doesn't rest
}

// probing says whether addresses are probed.
func (d *decider) probing(s *settings) bool { return d.probe != nil && s.cfg.ConflictProbe }

// isSettled says whether the message has waited for addr, and nobody has answered.
func (d *decider) isSettled(addr netip.Addr) bool { return d.settled && d.waited.addr == addr }

// prove holds an OFFER against what is known of its address, and returns it, or another one, or that the message must
// wait. requested is what the client asked for.
func (d *decider) prove(out decision, s *settings, requested netip.Addr, tries int, now time.Time) decision {
	if !d.probing(s) || !s.isHost(out.addr) {
		return out
	}
	v, by := d.probe.vet(out.addr, out.client.HWAddr, d.isSettled(out.addr), tries > 0, now)
	switch v {
	case toWait:
		return out.postpone(waiting{addr: out.addr, to: broadcastMAC, tries: tries, chosen: out.reason})
	case unproven:
		d.skipped++
		out.unproven = true
		return out
	case provenFree:
		return out
	}
	if tries >= maxTries {
		d.ignore(out, by, now)
		return out
	}
	full, err := d.reportConflict(out.client, s, out.addr, by, now)
	if err != nil {
		out.unproven = true
		return out
	}
	tries += restCost
	if full {
		tries += noRestCost - restCost
	}
	return d.offerFrom(out, s, requested, tries, now)
}

// proveCommit says whether an OFFER may become an ACK at once. One whose address is not proven may not: no REQUEST would
// follow that could still be refused.
func (d *decider) proveCommit(out *decision, s *settings, now time.Time) bool {
	if !d.probing(s) || out.reason == ReasonOfferBinding {
		return true
	}
	if out.unproven {
		return false
	}
	v, _ := d.probe.claim(out.addr, out.client.HWAddr, now)
	return v != inUse
}

// proveRequest holds a REQUEST that the table would grant against what is known of its address. It is true if out is
// final.
func (d *decider) proveRequest(out *decision, s *settings, rel relation, held leases.Lease, now time.Time) bool {
	if !d.probing(s) || rel == holdsIt || !s.isHost(out.addr) {
		return false
	}
	v, by := unproven, leases.HWAddr("")
	if rel != hasIt || held.State != leases.Offered {
		// Nothing is asked about what the client would not get anyway. It may use the address already, although there is no
		// record of that: its own voice is no conflict.
		if d.table.Allowed(s.cfg.Network, out.client, out.addr, now) != nil {
			return false
		}
		if v, by = d.probe.vet(out.addr, out.client.HWAddr, d.isSettled(out.addr), false, now); v == unproven {
			d.skipped++
		}
	}
	if v == provenFree || v == unproven {
		v, by = d.probe.claim(out.addr, out.client.HWAddr, now)
	}
	switch v {
	case toWait:
		*out = out.postpone(waiting{addr: out.addr, to: broadcastMAC})
		return true
	case inUse:
		full, err := d.reportConflict(out.client, s, out.addr, by, now)
		if err != nil {
			return false
		}
		if full {
			d.ignore(*out, by, now)
			return false
		}
		out.reply, out.reason = replyNak, ReasonNakInUse
		return true
	}
	return false
}

// postpone is the decision that a message is decided later.
func (out decision) postpone(w waiting) decision {
	return decision{reason: ReasonProbing, addr: w.addr, client: out.client, wait: w}
}

// reportConflict puts addr to rest; full says that it doesn't, since enough do.
func (d *decider) reportConflict(c leases.Client, s *settings, addr netip.Addr, by leases.HWAddr, now time.Time) (full bool, err error) {
	change, err := d.table.Conflict(s.cfg.Network, addr, by, now)
	if err != nil {
		return false, err
	}
	full = !change.Lease.Expiry.After(now)
	d.conflicts = append(d.conflicts, conflict{client: c, by: by, addr: addr, change: change, full: full})
	return full, nil
}

// ignore lets a conflict pass.
func (d *decider) ignore(out decision, by leases.HWAddr, now time.Time) {
	d.probe.excuse(out.addr, now)
	d.ignored = append(d.ignored, conflict{client: out.client, by: by, addr: out.addr})
}

// holderLives says whether held's machine lives, where another one, hw, sends its client identifier in m; waits: it must be
// asked first.
func (d *decider) holderLives(s *settings, m *message, a action, held leases.Lease, hw leases.HWAddr, now time.Time) (lives, waits bool) {
	if held.HWAddr == hw || !active(held, now) {
		return false, false
	}
	// The clients of a relay that isn't on our subnet are on another link, where our ARP doesn't reach: their silence means nothing.
	here := !m.relayed() || s.isHost(m.giaddr)
	if here && d.probing(s) && asksForAddress(a) && len(held.HWAddr) == 6 && s.isHost(held.Addr) {
		if since := now.Sub(held.LastSeen); since >= 0 && since < settleTime {
			return true, false
		}
		switch d.probe.holder(held.Addr, held.HWAddr, d.isSettled(held.Addr), now) {
		case inUse:
			return true, false
		case provenFree:
			return false, false
		case toWait:
			return false, true
		}
	}
	return liveHolder(held, hw, now), false
}

// asksForAddress says whether a message with this action may wait for ARP.
func asksForAddress(a action) bool {
	switch a {
	case actOffer, actCommit, actSelecting, actInitReboot, actRenew, actRebind:
		return true
	default:
		return false
	}
}
