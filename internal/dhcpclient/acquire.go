package dhcpclient

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// rebootTries is how often a former address is asked for before any will do.
	rebootTries = 2
	// requestTries is how often an offered address is requested before another is looked for.
	requestTries = 4
	// firstBackoff doubles with each try, up to maxBackoff (RFC 2131 section 4.1).
	firstBackoff, maxBackoff = 4 * time.Second, 64 * time.Second
	// broadcastTries: from here on answers are asked for by broadcast, for networks where others don't arrive.
	broadcastTries = 2
	// silentTries is after how many it is told that nobody answers.
	silentTries = 2
)

// begin asks for the address that there was or, without one, for any.
func (m *machine) begin(now time.Duration) {
	switch {
	case m.holding:
		m.wanted = m.lease.Addr.Addr()
		// Who else uses it shows.
		m.send(appendProbe(nil, m.own, m.wanted))
		m.startExchange(now, rebooting)
	case m.wanted.IsValid():
		m.startExchange(now, rebooting)
	default:
		m.startExchange(now, selecting)
	}
}

// discover looks for servers.
func (m *machine) discover(now time.Duration) { m.startExchange(now, selecting) }

func (m *machine) startExchange(now time.Duration, s state) {
	m.state, m.xid, m.began, m.sent, m.tries = s, m.newXID(), now, now, 0
	m.transmit(now)
}

// transmit sends the message of the state, and says when it is to be sent again.
func (m *machine) transmit(now time.Duration) {
	if m.state != requesting {
		// A REQUEST for an offer says what its DISCOVER said (RFC 2131 section 4.4.1).
		m.secs = uint16(min((now-m.began)/time.Second, 0xffff))
	}
	var message *dhcpv4.DHCPv4
	switch m.state {
	case selecting:
		message = m.message(dhcpv4.MessageTypeDiscover)
		request(message, m.wanted)
	case requesting:
		message = m.message(dhcpv4.MessageTypeRequest)
		request(message, m.offered.lease.Addr.Addr())
		message.UpdateOption(dhcpv4.OptServerIdentifier(m.offered.server.AsSlice()))
	case rebooting:
		message = m.message(dhcpv4.MessageTypeRequest)
		request(message, m.wanted)
	}
	if m.tries >= broadcastTries {
		message.SetBroadcast()
	}
	m.sendToEveryone(message, netip.IPv4Unspecified())
	m.next = now + m.backoff(m.tries)
}

// backoff is the wait after the n-th try, from 0: RFC 2131 section 4.1 wants it random by a second up or down.
func (m *machine) backoff(n int) time.Duration {
	wait := maxBackoff
	if n < 4 {
		wait = firstBackoff << n
	}
	return wait - time.Second + m.random(2*time.Second)
}

func (m *machine) sendAgain(now time.Duration) {
	m.tries++
	if m.tries >= silentTries {
		m.tellSilence(now)
	}
	switch {
	case m.state == rebooting && m.tries >= rebootTries:
		if m.holding {
			// Nobody objects: it counts until its end (RFC 2131 section 3.7).
			m.resume(now)
			return
		}
		m.discover(now)
	case m.state == requesting && m.tries >= requestTries:
		m.complain(now, "a DHCP server offers an address and then doesn't give it", "server", m.offered.server)
		m.discover(now)
	default:
		m.transmit(now)
	}
}

// tellSilence tells that nobody answers, once.
func (m *machine) tellSilence(now time.Duration) {
	if m.silent {
		return
	}
	m.silent = true
	reason := "no DHCP server answers"
	if m.holding {
		m.log.Warn(reason+"; the address is kept while its lease lasts", "addr", m.lease.Addr.Addr(), "left", m.present(now).Lifetime.Round(time.Second).String())
	} else {
		m.log.Warn(reason + "; it is asked for on and on")
	}
	m.emit(now, Unanswered, reason)
}

// received takes a message of a server's.
func (m *machine) received(now time.Duration, r reply) {
	if r.xid != m.xid {
		return
	}
	m.silent = false
	switch r.kind {
	case dhcpv4.MessageTypeOffer:
		if m.state == selecting {
			m.offered, m.state, m.tries, m.sent = r, requesting, 0, now
			m.transmit(now)
		}
	case dhcpv4.MessageTypeAck:
		m.acknowledged(now, r)
	case dhcpv4.MessageTypeNak:
		m.refused(now, r)
	}
}

func (m *machine) acknowledged(now time.Duration, r reply) {
	var want netip.Addr
	switch m.state {
	case requesting:
		if r.server != m.offered.server {
			return
		}
		want = m.offered.lease.Addr.Addr()
	case rebooting:
		want = m.wanted
	case renewing, rebinding:
		want = m.lease.Addr.Addr()
	default:
		return
	}
	if r.lease.Addr.Addr() != want {
		m.complain(now, "a DHCP server gives another address than was asked for; its answer isn't used", "server", r.server, "addr", r.lease.Addr.Addr(), "asked", want)
		return
	}
	m.offered = r
	if m.holding || m.preset && want == m.cfg.Former {
		m.install(now)
		return
	}
	m.startChecking(now)
}

// refused takes a NAK: the address doesn't count here.
func (m *machine) refused(now time.Duration, r reply) {
	switch {
	case m.state == rebooting, m.state == rebinding:
	case m.state == requesting && r.server == m.offered.server:
	case m.state == renewing && r.server == m.lease.Server:
	default:
		return
	}
	reason := fmt.Sprintf("the DHCP server %v refuses the address", r.server)
	if r.text != "" {
		reason += ": " + strconv.QuoteToASCII(r.text)
	}
	m.log.Warn("an address is refused", "addr", m.asked(), "server", r.server, "said", strconv.QuoteToASCII(r.text))
	switch {
	case m.holding:
		m.lose(now, reason)
	case m.preset && m.state == rebooting:
		m.preset = false
		m.out = append(m.out, action{event: Event{
			Kind: Lost, Lease: Lease{Addr: netip.PrefixFrom(m.cfg.Former, m.cfg.Former.BitLen())}, Reason: reason,
		}})
	}
	m.wanted = netip.Addr{}
	// At once, but not for ever: a server that offers and refuses in turn must not be asked without pause.
	if m.refusals++; m.refusals == 1 {
		m.discover(now)
		return
	}
	m.holdOff(now, min(time.Second<<min(m.refusals-1, 6), maxBackoff))
}

// asked is the address that the exchange under way is about.
func (m *machine) asked() netip.Addr {
	switch {
	case m.state == requesting:
		return m.offered.lease.Addr.Addr()
	case m.holding:
		return m.lease.Addr.Addr()
	}
	return m.wanted
}

// complain says what servers do wrong, at most once a minute for people: they may do it all the time.
func (m *machine) complain(now time.Duration, text string, args ...any) {
	if now < m.complained+time.Minute {
		m.log.Debug(text, args...)
		return
	}
	m.complained = now
	m.log.Warn(text, args...)
}
