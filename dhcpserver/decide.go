package dhcpserver

import (
	"errors"
	"net/netip"
	"time"

	"labnet/leases"
)

// decision is what becomes of a message.
type decision struct {
	reply   replyKind
	reason  Reason
	addr    netip.Addr // what is given, refused, declined or released; may be invalid
	client  leases.Client
	name    string // the DNS label that goes with the lease
	profile *profile
	change  leases.Change // to be committed, if pending: before the reply, if there is one
	pending bool
	renewal bool    // an ACK that only prolongs what the client has
	err     error   // of the table, if it has no reason of its own
	wait    waiting // what must be found out before the message is decided
	// unproven: an OFFER of an address that nothing is known of; whether anybody uses it is found out before the REQUEST.
	unproven bool
}

// say is what the reply to m says.
func (out *decision) say(m *message) reply {
	r := reply{
		kind: out.reply, reason: out.reason, yiaddr: out.addr, profile: out.profile,
		name: out.name, rapid: out.reason == ReasonAckRapid,
	}
	if out.reply == replyNak {
		r.profile = nil
		r.broadcast = m.relayed() // RFC 2131 section 4.1: the client may have no valid address
	}
	return r
}

// decider decides messages against the lease table. It belongs to one goroutine.
type decider struct {
	table      *leases.Table
	identities identities
	// newcomers is how many messages of clients without any record are still answered in this batch.
	newcomers int
	// cloned is called when a second machine turns up with the identifier of an active client.
	cloned func(c leases.Client, holder leases.Lease)

	probe     *prober    // nil: addresses are not probed
	conflicts []conflict // of addresses that other machines use: to be reported and submitted
	ignored   []conflict // those that don't count any more: to be reported
	skipped   int        // decisions that could not wait for ARP: to be counted
	waited    waiting    // what the message has waited for, if it has
	settled   bool       // nobody has answered
	// dry says that nothing may change: the decision is only foretold. It is for a DISCOVER without rapid commit and for a REQUEST
	// for an address.
	dry bool
}

// decide decides one message.
func (d *decider) decide(s *settings, m *message, in intent, now time.Time) decision {
	out := decision{reason: in.reason, addr: in.addr}
	c, held, known, ok, waits := d.identify(s, m, in.action, now)
	if !ok {
		if in.action != actDrop {
			out.reason = ReasonNoIdentity
		}
		return out
	}
	out.client = c
	if waits {
		return out.postpone(waiting{addr: held.Addr, to: [6]byte([]byte(held.HWAddr))})
	}
	network := s.cfg.Network
	if !known && mayWait(in.action) {
		if d.newcomers <= 0 {
			out.reason = ReasonShed
			return out
		}
		d.newcomers--
	}
	switch in.action {
	case actDrop:
		return out
	case actNak:
		out.reply = replyNak
		return out
	case actWithdraw:
		d.table.Withdraw(network, c.ID, now)
		return out
	case actDecline:
		change, err := d.table.Decline(network, c, in.addr, now)
		return out.settle(change, err, ReasonDeclined, ReasonIgnoredDecline)
	case actRelease:
		change, err := d.table.Release(network, c, in.addr, now)
		return out.settle(change, err, ReasonReleased, ReasonIgnoredRelease)
	}

	host := ""
	if s.cfg.UnknownDenied || len(s.hosts) > 0 {
		reservation, reserved := d.table.ReservationFor(network, c)
		if s.cfg.UnknownDenied && !reserved {
			out.reply, out.reason = denied(in.action, s.cfg.Authoritative)
			return out
		}
		host = reservation.Name
	}
	out.profile = s.profileFor(m, host)
	switch in.action {
	case actOffer:
		return d.offer(out, s, now)
	case actCommit:
		return d.commit(d.offer(out, s, now), s, now)
	case actInform:
		out.reply, out.reason = replyInform, ReasonAckInform
		return out
	default:
		return d.request(out, s, in.action, relationOf(held, known, in.addr, now), held, now)
	}
}

// mayWait says whether a newcomer's message is shed while we are overloaded. REQUESTs for the address of another time or place
// are, since refusing one costs as much as an OFFER, and goes to all ports as a broadcast. One for our offer is not: the flood may
// be what made us forget the offer.
func mayWait(a action) bool {
	switch a {
	case actOffer, actCommit, actNak, actInitReboot, actRenew, actRebind, actInform:
		return true
	default:
		return false
	}
}

// offer answers a DISCOVER.
func (d *decider) offer(out decision, s *settings, now time.Time) decision {
	return d.offerFrom(out, s, out.addr, d.waited.tries, now)
}

// offerFrom offers what the table has, once nobody else uses it. tries is what that has cost so far.
func (d *decider) offerFrom(out decision, s *settings, requested netip.Addr, tries int, now time.Time) decision {
	var lease leases.Lease
	var choice leases.Choice
	var err error
	if d.dry {
		lease, choice, err = d.table.WouldOffer(s.cfg.Network, out.client, requested, now)
	} else {
		lease, choice, err = d.table.Offer(s.cfg.Network, out.client, requested, now)
	}
	if err != nil {
		out.reply, out.reason = replyNone, silence(err)
		out.err = err
		return out
	}
	out.reply, out.reason = replyOffer, offerReason(choice)
	out.addr, out.name = lease.Addr, lease.Name
	switch {
	case choice == leases.ChoseBinding:
		return out
	case choice == leases.ChoseHold && lease.Addr == d.waited.addr && d.waited.chosen != "":
		out.reason = d.waited.chosen // it is held since that decision
	}
	return d.prove(out, s, requested, tries, now)
}

// request answers a REQUEST that asks us for an address.
func (d *decider) request(out decision, s *settings, a action, rel relation, held leases.Lease, now time.Time) decision {
	var final bool
	if out.reply, out.reason, final = beforeBind(a, s.cfg.Authoritative, rel); final {
		return out
	}
	if d.proveRequest(&out, s, rel, held, now) {
		return out
	}
	var change leases.Change
	var err error
	if d.dry {
		err = d.table.Allowed(s.cfg.Network, out.client, out.addr, now)
	} else {
		change, err = d.table.Bind(s.cfg.Network, out.client, out.addr, out.profile.leaseTime, now)
	}
	out.reply, out.reason = afterBind(a, rel, err)
	if err != nil {
		out.err = err
		return out
	}
	out.change, out.pending = change, !d.dry
	out.name = change.Lease.Name
	out.renewal = rel == holdsIt && (a == actRenew || a == actRebind)
	return out
}

// commit makes an ACK of an OFFER (RFC 4039 section 3.1). Where that is not to be, the OFFER stands.
func (d *decider) commit(out decision, s *settings, now time.Time) decision {
	if out.reply != replyOffer || d.dry || !d.proveCommit(&out, s, now) {
		return out
	}
	change, err := d.table.Bind(s.cfg.Network, out.client, out.addr, out.profile.leaseTime, now)
	if err != nil {
		return out
	}
	out.reply, out.reason = replyAck, ReasonAckRapid
	out.change, out.pending = change, true
	out.name = change.Lease.Name
	return out
}

// settle completes a decision by the answer of the table to a DECLINE or RELEASE.
func (out decision) settle(change leases.Change, err error, done, ignored Reason) decision {
	if err != nil {
		out.reason, out.err = ignored, err
		return out
	}
	out.reason = done
	out.change, out.pending = change, true
	out.name = change.Lease.Name
	return out
}

// relation is how a client's record stands to the address that it asks for.
type relation uint8

const (
	noRecord   relation = iota // none, or a former one of another address
	hasIt                      // it had this address, or it is held for it
	holdsIt                    // its binding is this address
	holdsOther                 // its binding is another address
)

func relationOf(held leases.Lease, known bool, addr netip.Addr, now time.Time) relation {
	switch {
	case !known:
		return noRecord
	case held.Addr == addr && active(held, now):
		return holdsIt
	case held.Addr == addr:
		return hasIt
	case active(held, now):
		return holdsOther
	default:
		return noRecord
	}
}

// beforeBind decides a REQUEST that the table need not be asked about.
func beforeBind(a action, authoritative bool, rel relation) (reply replyKind, reason Reason, final bool) {
	if a == actSelecting { // our offer: it decides alone, also after we have forgotten it
		return replyNone, "", false
	}
	switch {
	case rel == holdsOther:
		return replyNak, ReasonNakOtherBinding, true
	case rel == noRecord && !authoritative && a == actRenew: // it was sent to us, so we are its server
		return replyNak, ReasonNakUnknown, true
	case rel == noRecord && !authoritative: // RFC 2131 section 4.3.2: another server may know it
		return replyNone, ReasonNotOurs, true
	default:
		return replyNone, "", false
	}
}

// afterBind decides a REQUEST by the answer of the table to Bind.
func afterBind(a action, rel relation, err error) (replyKind, Reason) {
	if err != nil {
		return refusal(err)
	}
	switch {
	case a == actSelecting:
		return replyAck, ReasonAckSelecting
	case rel == noRecord:
		return replyAck, ReasonAckAdopted
	case a == actInitReboot:
		return replyAck, ReasonAckInitReboot
	case a == actRenew:
		return replyAck, ReasonAckRenew
	default:
		return replyAck, ReasonAckRebind
	}
}

// refusal is the answer to a REQUEST that the table refuses: silence where that isn't the client's affair.
func refusal(err error) (replyKind, Reason) {
	switch {
	case errors.Is(err, leases.ErrTaken):
		return replyNak, ReasonNakTaken
	case errors.Is(err, leases.ErrReserved):
		return replyNak, ReasonNakReserved
	case errors.Is(err, leases.ErrMoved):
		return replyNak, ReasonNakMoved
	case errors.Is(err, leases.ErrOutOfPool):
		return replyNak, ReasonNakOutOfPool
	case errors.Is(err, leases.ErrQuarantined):
		return replyNak, ReasonNakQuarantined
	case errors.Is(err, leases.ErrNotHolder):
		return replyNak, ReasonNakOtherBinding
	case errors.Is(err, leases.ErrDenied):
		return replyNak, ReasonNakDenied
	default:
		return replyNone, silence(err)
	}
}

// silence is the reason for leaving a message without an answer because of an error of the table.
func silence(err error) Reason {
	switch {
	case errors.Is(err, leases.ErrUnknownNetwork):
		return ReasonUnknownNetwork
	case errors.Is(err, leases.ErrDenied):
		return ReasonDenied
	case errors.Is(err, leases.ErrExhausted), errors.Is(err, leases.ErrTaken), errors.Is(err, leases.ErrQuarantined):
		return ReasonExhausted
	default:
		return ReasonTableError
	}
}

// denied is the answer to a client without a reservation where only such are served: a lease from former times ends, a
// new client hears nothing.
func denied(a action, authoritative bool) (replyKind, Reason) {
	switch {
	case a == actOffer, a == actCommit, a == actInform, !authoritative && (a == actInitReboot || a == actRebind):
		return replyNone, ReasonDenied
	default:
		return replyNak, ReasonNakDenied
	}
}

// identify says who sent m and what the table has of it. ok is false if nothing tells who it is; waits is true if it must be
// found out whether the machine that holds held is there.
func (d *decider) identify(s *settings, m *message, a action, now time.Time) (c leases.Client, held leases.Lease, known, ok, waits bool) {
	if c, ok = d.identities.client(m, s.cfg.Identity); !ok {
		return c, held, false, false, false
	}
	network := s.cfg.Network
	held, known = d.table.ByClient(network, c.ID)
	id, _ := m.options.get(optClientID)
	if s.cfg.Identity != IdentityAuto || len(id) == 0 || m.hlen == 0 || known && held.HWAddr == c.HWAddr {
		return c, held, known, true, false
	}
	// Machines cloned from one image send one client identifier. Whoever isn't its holder is a client of its own as long
	// as the holder lives, and stays one.
	other := clone(m, c)
	if l, found := d.table.ByClient(network, other.ID); found {
		return other, l, true, true, false
	}
	if known {
		lives, waits := d.holderLives(s, m, a, held, c.HWAddr, now)
		if lives {
			d.cloned(other, held)
			return other, leases.Lease{}, false, true, false
		}
		return c, held, known, true, waits
	}
	return c, held, known, true, false
}
