package dhcpserver

import (
	"fmt"
	"net/netip"
	"time"

	"labnet/leases"
)

// TraceTo hands what the server decides to t; without it nobody can watch. It must be called before Run.
func (s *Server) TraceTo(t *Tracer) { s.tracer = t }

// observe begins the event of a message that was parsed.
func (s *Server) observe(m *message, d datagram, now time.Time) *Event {
	id, _ := m.options.get(optClientID)
	vendor, _ := m.options.get(optVendorClass)
	e := s.event(d, now)
	e.Message = m.kind.String()
	e.HWAddr = leases.HWAddr(m.hardware())
	e.ClientID = string(id[:min(len(id), maxClientID)])
	e.Relay, e.Ciaddr, e.Requested = specified(m.giaddr), specified(m.ciaddr), m.address(optRequestedAddr)
	e.Xid = m.xid
	e.Hostname = string(requestedName(m))
	e.Vendor = string(vendor[:min(len(vendor), maxText)])
	if m.kind == typeRequest {
		e.State = requestState(m, d.broadcast)
	}
	return e
}

func (s *Server) event(d datagram, now time.Time) *Event {
	cfg := &s.settings.Load().cfg
	return &Event{Time: now, Network: cfg.Network, Interface: cfg.Interface, From: d.from, Broadcast: d.broadcast}
}

// requestState is the client's state as classifyRequest understands it.
func requestState(m *message, broadcast bool) string {
	_, named := m.options.get(optServerID)
	switch {
	case named:
		return "selecting"
	case m.ciaddr.IsUnspecified():
		return "init-reboot"
	case broadcast || m.relayed():
		return "rebind"
	default:
		return "renew"
	}
}

// done notes what became of p: counted, logged, and traced if somebody watched when it came.
func (s *Server) done(p *packet, now time.Time) {
	s.counters.add(p.reason, 1)
	s.journal.packet(p, now)
	e := p.event
	if e == nil {
		return
	}
	if p.reply != replyNone {
		e.Reply, e.To = p.reply.messageType().String(), p.to.to
	}
	e.Addr, e.Name, e.Reason = specified(p.addr), p.name, p.reason
	switch {
	case p.unsent != nil:
		e.Reason, e.Beside = ReasonSendFailed, append(e.Beside, p.reason)
		e.Err = p.unsent.Error()
	case p.err != nil && (p.reason == ReasonCommitFailed || p.reason == ReasonAckDurable || p.reason == ReasonTableError):
		e.Err = p.err.Error() // of the others the reason says it
	}
	e.Took = time.Since(e.Time)
	s.tracer.Publish(e)
}

// traceGarbage shows a datagram that was dropped before it was understood, with what can be told of it.
func (s *Server) traceGarbage(d datagram, m *message, r Reason, now time.Time) {
	if !s.tracer.Watched() {
		return
	}
	e := s.event(d, now)
	e.Reason, e.Err = r, fmt.Sprintf("%d bytes", len(d.data))
	if len(d.data) >= offsetChaddr+16 && d.data[2] <= 16 {
		e.HWAddr = leases.HWAddr(d.data[offsetChaddr : offsetChaddr+int(d.data[2])])
	}
	if r == ReasonServerMessage {
		e.Message = m.kind.String()
	}
	e.Took = time.Since(now)
	s.tracer.Publish(e)
}

// traceLost shows that datagrams were lost before they could be read.
func (s *Server) traceLost(n uint32, now time.Time) {
	if !s.tracer.Watched() {
		return
	}
	e := s.event(datagram{}, now)
	e.Reason, e.Err = ReasonQueueOverflow, fmt.Sprintf("%d messages", n)
	s.tracer.Publish(e)
}

// traceConflict shows that another machine uses an address.
func (s *Server) traceConflict(c conflict, r Reason, now time.Time) {
	if !s.tracer.Watched() {
		return
	}
	e := s.event(datagram{}, now)
	e.HWAddr, e.Addr, e.Reason, e.Err = c.client.HWAddr, c.addr, r, "used by "+c.by.String()
	s.tracer.Publish(e)
}

// specified is a, or invalid for 0.0.0.0.
func specified(a netip.Addr) netip.Addr {
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// String is the name in RFC 2131 without "DHCP".
func (t messageType) String() string {
	names := [...]string{
		typeDiscover: "DISCOVER", typeOffer: "OFFER", typeRequest: "REQUEST", typeDecline: "DECLINE",
		typeAck: "ACK", typeNak: "NAK", typeRelease: "RELEASE", typeInform: "INFORM",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return ""
}
