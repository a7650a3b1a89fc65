package dhcpclient

import (
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// resolveTime is how long ARP may take before a renewal, which then goes to where the last ACK came from.
const resolveTime = time.Second

// install puts the lease in force that has been given.
func (m *machine) install(now time.Duration) {
	kind := Bound
	given := m.offered.lease
	announce := true
	if m.holding {
		kind = Renewed
		if !m.lease.same(given) {
			kind = Changed
		}
		// The link may be another since it came back; otherwise everybody knows.
		announce = m.state == rebooting
	}
	m.holding, m.preset = true, false
	m.lease, m.hop, m.wanted = given, m.offered.hop, given.Addr.Addr()
	m.refusals, m.conflicts = 0, 0
	m.expireAt = after(m.sent, given.Lifetime)
	m.resume(now)

	l := m.present(now)
	args := []any{"addr", l.Addr, "server", l.Server, "for", lifetimeText(l.Lifetime)}
	switch kind {
	case Bound:
		m.log.Info("leased an address", args...)
	case Changed:
		m.log.Info("the lease has changed", args...)
	case Renewed:
		m.log.Debug("renewed the lease", args...)
	}
	m.emit(now, kind, "")
	if announce {
		m.announced = 0
		m.announce(now)
	}
}

// resume waits for what the lease's times bring.
func (m *machine) resume(now time.Duration) {
	m.state, m.next, m.resolving = bound, never, never
	m.renewAt, m.rebindAt = never, never
	if m.expireAt == never {
		return
	}
	from := m.expireAt - m.lease.Lifetime
	m.renewAt, m.rebindAt = from+m.lease.Renew, from+m.lease.Rebind
	if now >= m.rebindAt {
		m.renewAt = never
	}
}

func (m *machine) startRenewing(now time.Duration) {
	m.renewAt = never
	m.state = renewing
	m.renew(now)
}

// renew asks the lease's server. The machine that it is reached by is asked for by ARP first: it may be another than it was.
func (m *machine) renew(now time.Duration) {
	m.startRequest(now, m.rebindAt)
	if hop := m.nextHop(); hop.IsValid() {
		m.resolving = now + resolveTime
		m.send(appendARP(nil, m.own, m.lease.Addr.Addr(), hop))
		return
	}
	m.sendRenewal()
}

// sendRenewal sends what renew has begun.
func (m *machine) sendRenewal() {
	m.resolving = never
	m.sendTo(m.requestOfHolder(), m.lease.Addr.Addr(), m.lease.Server, m.hop)
}

// nextHop is the machine on the link that the lease's server is reached by: itself, or the default router. It isn't valid if there is none.
func (m *machine) nextHop() netip.Addr {
	if m.lease.Addr.Contains(m.lease.Server) {
		return m.lease.Server
	}
	for _, r := range m.lease.Routes {
		if r.To.Bits() == 0 {
			return r.Via
		}
	}
	return netip.Addr{}
}

// startRebinding asks every server.
func (m *machine) startRebinding(now time.Duration) {
	m.renewAt, m.rebindAt, m.resolving = never, never, never
	m.state = rebinding
	m.tellSilence(now)
	m.rebind(now)
}

func (m *machine) rebind(now time.Duration) {
	m.startRequest(now, m.expireAt)
	m.sendToEveryone(m.requestOfHolder(), m.lease.Addr.Addr())
}

// startRequest begins to ask for more time, and says when to ask again: after half of what is left, and a minute at least (RFC 2131 section
// 4.4.5), or less where a minute is much of the lease. Each time is an exchange of its own, so that it is known which one an answer is for.
func (m *machine) startRequest(now, until time.Duration) {
	m.xid, m.began, m.sent, m.secs = m.newXID(), now, now, 0
	least := max(min(m.lease.Lifetime/16, time.Minute), time.Second)
	m.next = now + max((until-now)/2, least) + m.random(least/4)
}

// requestOfHolder is the REQUEST of a client that has its address (RFC 2131 section 4.3.2).
func (m *machine) requestOfHolder() *dhcpv4.DHCPv4 {
	message := m.message(dhcpv4.MessageTypeRequest)
	message.ClientIPAddr = m.lease.Addr.Addr().AsSlice()
	return message
}

// lose ends the lease in force.
func (m *machine) lose(now time.Duration, reason string) {
	m.log.Info("the lease has ended", "addr", m.lease.Addr, "reason", reason)
	m.emit(now, Lost, reason)
	m.holding = false
	m.renewAt, m.rebindAt, m.expireAt, m.resolving, m.announceAt = never, never, never, never, never
	m.next = never
}

// after is a moment that is lasting later.
func after(from, lasting time.Duration) time.Duration {
	if lasting == Forever {
		return never
	}
	return from + lasting
}

func lifetimeText(d time.Duration) string {
	if d == Forever {
		return "ever"
	}
	return d.Round(time.Second).String()
}
