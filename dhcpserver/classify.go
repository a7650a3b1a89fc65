package dhcpserver

import (
	"net/netip"
)

// action is what a message asks for.
type action uint8

const (
	actDrop action = iota
	actNak
	actOffer
	actCommit     // an offer that is taken at once (RFC 4039)
	actSelecting  // RFC 2131 section 4.3.2: DHCPREQUEST generated during SELECTING state, …
	actInitReboot // … INIT-REBOOT state, …
	actRenew      // … RENEWING state, …
	actRebind     // … REBINDING state
	actWithdraw   // the client chose another server
	actDecline
	actRelease
	actInform
)

// intent is a message understood: what it asks for, and the address that it is about, which may be invalid in a
// DISCOVER. reason says why it is refused or dropped at once.
type intent struct {
	action action
	addr   netip.Addr
	reason Reason
}

func drop(r Reason) intent { return intent{action: actDrop, reason: r} }

// classify says what m asks for, from the message, its source, whether it was broadcast, and our settings alone.
func (s *settings) classify(m *message, from netip.AddrPort, broadcast bool) intent {
	if m.relayed() {
		if reason := s.checkRelay(m); reason != "" {
			return drop(reason)
		}
	}
	requested := m.address(optRequestedAddr)
	_, named := m.options.get(optServerID)
	ours := s.namesUs(m)
	switch m.kind {
	case typeDiscover:
		if named {
			return drop(ReasonDiscoverServer)
		}
		if _, rapid := m.options.get(optRapidCommit); rapid && s.cfg.RapidCommit {
			return intent{action: actCommit, addr: requested}
		}
		return intent{action: actOffer, addr: requested}
	case typeRequest:
		return s.classifyRequest(m, requested, named, ours, broadcast)
	case typeDecline:
		if !ours || !requested.IsValid() {
			return intent{action: actDrop, addr: requested, reason: ReasonIgnoredDecline}
		}
		return intent{action: actDecline, addr: requested}
	case typeRelease:
		// RFC 2131 section 4.4.1, table 5, wants a server identifier. systemd-networkd sends none, but sends to its server alone.
		toUs := ours || !named && !broadcast
		if !toUs || m.ciaddr.IsUnspecified() {
			return intent{action: actDrop, addr: m.ciaddr, reason: ReasonIgnoredRelease}
		}
		return intent{action: actRelease, addr: m.ciaddr}
	default: // parse lets only these pass
		return s.classifyInform(m, from)
	}
}

// classifyRequest tells the states of RFC 2131 section 4.3.2 apart. Requests with more in them than the RFC lets clients
// say are understood by what decides: the server identifier, then ciaddr, then the requested address.
func (s *settings) classifyRequest(m *message, requested netip.Addr, named, ours, broadcast bool) intent {
	in := intent{addr: requested}
	switch {
	case named && !ours:
		return intent{action: actWithdraw, addr: requested, reason: ReasonChoseAnother}
	case named:
		in.action = actSelecting
		if !requested.IsValid() && !m.ciaddr.IsUnspecified() {
			in.addr = m.ciaddr
		}
	case !m.ciaddr.IsUnspecified():
		in.action, in.addr = actRenew, m.ciaddr
		if toAll(m, broadcast) {
			in.action = actRebind
		}
	default:
		in.action = actInitReboot
	}
	switch {
	case !in.addr.IsValid():
		return intent{action: actNak, reason: ReasonNakNoAddress}
	case s.isHost(in.addr):
		return in
	case in.action == actSelecting || s.cfg.Authoritative:
		return intent{action: actNak, addr: in.addr, reason: ReasonNakOffLink}
	default:
		return intent{action: actDrop, addr: in.addr, reason: ReasonNotOurs}
	}
}

// classifyInform lets an INFORM pass whose answer stays on the link: we are no reflector.
func (s *settings) classifyInform(m *message, from netip.AddrPort) intent {
	switch {
	case s.isHost(m.ciaddr):
		return intent{action: actInform, addr: m.ciaddr}
	case m.ciaddr.IsUnspecified() && !m.relayed() && s.isHost(from.Addr()):
		return intent{action: actInform, addr: from.Addr()}
	default:
		return drop(ReasonInformNowhere)
	}
}
