package dhcpclient

import (
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Of RFC 5227 section 1.1.
const (
	probeWait        = time.Second // before the first probe, at most
	probeCount       = 3
	probeMin         = time.Second // between two of them
	probeMax         = 2 * time.Second
	announceWait     = 2 * time.Second // from the last probe on
	announceCount    = 2
	announceInterval = 2 * time.Second
	maxConflicts     = 10
	rateLimit        = time.Minute // between two addresses after so many conflicts
	defendInterval   = 10 * time.Second
)

// declineWait is the pause after a DECLINE (RFC 2131 section 3.1.5).
const declineWait = 10 * time.Second

// startChecking asks whether anybody uses the address that was given.
func (m *machine) startChecking(now time.Duration) {
	m.state, m.probes = checking, 0
	m.next = now + m.random(probeWait)
}

// probe is the next step of the check.
func (m *machine) probe(now time.Duration) {
	if m.probes == probeCount {
		m.install(now)
		return
	}
	m.send(appendProbe(nil, m.own, m.offered.lease.Addr.Addr()))
	if m.probes++; m.probes == probeCount {
		m.next = now + announceWait
		return
	}
	m.next = now + probeMin + m.random(probeMax-probeMin)
}

// announce says whose the address is, so that caches that know another forget it (RFC 5227 section 2.3).
func (m *machine) announce(now time.Duration) {
	m.send(appendAnnouncement(nil, m.own, m.lease.Addr.Addr()))
	m.announceAt = never
	if m.announced++; m.announced < announceCount {
		m.announceAt = now + announceInterval
	}
}

// heard takes what others say by ARP.
func (m *machine) heard(now time.Duration, p arpPacket) {
	if p.sender == m.own {
		return
	}
	if m.resolving != never && p.operation == arpReply && p.senderIP == m.nextHop() {
		m.hop = p.sender
		m.sendRenewal()
		return
	}
	switch {
	case m.state == checking:
		addr := m.offered.lease.Addr.Addr()
		// Who probes for it at the same time wants it as much (RFC 5227 section 2.1.1).
		if p.senderIP == addr || p.senderIP.IsUnspecified() && p.targetIP == addr && p.operation == arpRequest {
			m.decline(now, addr, p.sender)
		}
	case m.holding && p.senderIP == m.lease.Addr.Addr():
		m.defend(now, p.sender)
	}
}

// decline tells the server that its address is another's, and begins anew after a pause.
func (m *machine) decline(now time.Duration, addr netip.Addr, user mac) {
	m.log.Warn("another machine uses the address that the DHCP server gave; it is declined",
		"addr", addr, "by", net.HardwareAddr(user[:]).String(), "server", m.offered.server)
	m.xid, m.secs = m.newXID(), 0
	message := m.ending(dhcpv4.MessageTypeDecline, m.offered.server)
	request(message, addr)
	m.sendToEveryone(message, netip.IPv4Unspecified())
	m.wanted = netip.Addr{}
	wait := declineWait
	if m.conflicts++; m.conflicts >= maxConflicts {
		wait = rateLimit
	}
	m.holdOff(now, wait)
}

// defend answers another machine's use of the address in force (RFC 5227 section 2.4): the first time by an announcement.
func (m *machine) defend(now time.Duration, user mac) {
	addr := m.lease.Addr.Addr()
	by := net.HardwareAddr(user[:]).String()
	if now >= m.attackedAt+defendInterval {
		m.attackedAt = now
		if now >= m.attackedLogged+time.Minute {
			m.attackedLogged = now
			m.log.Warn("another machine uses this machine's address; it is told that it may not", "addr", addr, "by", by)
		}
		m.send(appendAnnouncement(nil, m.own, addr))
		return
	}
	if m.cfg.NeverYield {
		return
	}
	m.offered = reply{server: m.lease.Server, lease: m.lease}
	m.lose(now, "another machine, "+by+", goes on using the address")
	m.decline(now, addr, user)
}
