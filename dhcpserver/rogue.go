package dhcpserver

import (
	"cmp"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"labnet/leases"
)

// RogueServer is another DHCP server on the link: it was heard, or a client said that it follows it.
type RogueServer struct {
	Server  netip.Addr    // its server identifier
	Source  netip.Addr    // the source of its last message; invalid if only clients have named it
	HWAddr  leases.HWAddr // of the machine that sent that; "" if only clients have named it, and it wasn't heard otherwise
	Offered netip.Addr    // the last address that it was to give; may be invalid
	Client  leases.HWAddr // to this client
	Heard   time.Time     // last
	Times   uint64
}

// Bounds: of the servers that are remembered, and of the warnings in one warnInterval, about those that were heard and about
// those that clients have named: names cost nothing, and must not use up the warnings about a server that is there.
const (
	maxRogues      = 64
	maxRogueAlarms = 8

	rogueMemory = time.Hour
)

// rogues remembers other servers. It may be used by any goroutine.
type rogues struct {
	mu           sync.Mutex // guards what follows
	known        map[netip.Addr]*rogue
	heard, named int // warnings since when
	when         time.Time
}

type rogue struct {
	RogueServer
	warned time.Time
}

// note takes a sign of another server, and says whether a warning is due.
func (r *rogues) note(seen RogueServer, now time.Time) (warn bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known[seen.Server]
	if known == nil {
		if len(r.known) >= maxRogues {
			r.forgetOldest()
		}
		if r.known == nil {
			r.known = make(map[netip.Addr]*rogue)
		}
		known = new(rogue)
		r.known[seen.Server] = known
	}
	seen.Times, seen.Heard = known.Times+1, now
	seen.HWAddr = cmp.Or(seen.HWAddr, known.HWAddr)
	if !seen.Source.IsValid() {
		seen.Source = known.Source
	}
	known.RogueServer = seen
	if !known.warned.IsZero() && now.Sub(known.warned) < warnInterval {
		return false
	}
	if now.Sub(r.when) >= warnInterval {
		r.when, r.heard, r.named = now, 0, 0
	}
	alarms := &r.named
	if seen.Source.IsValid() {
		alarms = &r.heard
	}
	if *alarms >= maxRogueAlarms {
		return false
	}
	*alarms++
	known.warned = now
	return true
}

// forgetOldest makes room: first of those that were only named.
func (r *rogues) forgetOldest() {
	var oldest *rogue
	for _, x := range r.known {
		if oldest == nil || x.Source.IsValid() == oldest.Source.IsValid() && x.Heard.Before(oldest.Heard) ||
			!x.Source.IsValid() && oldest.Source.IsValid() {
			oldest = x
		}
	}
	delete(r.known, oldest.Server)
}

// RogueServers returns the other DHCP servers that the link has shown in the last hour, those heard last in front, at most
// 64. It may be called by any goroutine.
func (s *Server) RogueServers() []RogueServer { return s.rogues.since(time.Now().Add(-rogueMemory)) }

func (r *rogues) since(start time.Time) []RogueServer {
	r.mu.Lock()
	out := make([]RogueServer, 0, len(r.known))
	for _, x := range r.known {
		if !x.Heard.Before(start) {
			out = append(out, x.RogueServer)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(out, func(a, b RogueServer) int {
		return cmp.Or(b.Heard.Compare(a.Heard), a.Server.Compare(b.Server))
	})
	return out
}

// alarm deals with a sign of another server. Where we aren't the only one, by the configuration, none is a surprise.
func (s *Server) alarm(seen RogueServer, text string, now time.Time) {
	s.counters.add(ReasonRogueServer, 1)
	if !s.rogues.note(seen, now) || !s.settings.Load().cfg.Authoritative {
		return
	}
	s.journal.event(ReasonRogueServer, now, text,
		slog.String("server", addrText(seen.Server)), slog.String("source", addrText(seen.Source)),
		slog.String("other", hardwareText(seen.HWAddr)), slog.String("addr", addrText(seen.Offered)),
		slog.String("client", hardwareText(seen.Client)))
}

// choseAnother notes a client that requests what another server has offered.
func (s *Server) choseAnother(m *message, c leases.Client, now time.Time) {
	server := m.address(optServerID)
	if !server.IsValid() {
		return
	}
	seen := RogueServer{Server: server, Offered: m.address(optRequestedAddr), Client: c.HWAddr}
	if s.settings.Load().isHost(server) {
		seen.HWAddr = s.probe.lastUser(server)
	}
	s.alarm(seen, "a client follows another DHCP server on this link", now)
}

// lastUser is the machine that was last heard using addr, "" for none.
func (p *prober) lastUser(addr netip.Addr) leases.HWAddr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.users.get(numberOf(addr)); ok && u.mac != [6]byte{} {
		return leases.HWAddr(u.mac[:])
	}
	return ""
}

// Overhear takes a frame from UDP port 67 to port 68 that came in on the link, in which another server may have told a client something.
// It may be called by any goroutine.
func (s *Server) Overhear(frame []byte) {
	var said serverMessage
	if !said.read(frame) || s.speaksForUs(&said) {
		return
	}
	s.alarm(RogueServer{
		Server: said.server, Source: said.source, HWAddr: leases.HWAddr(said.mac[:]), Offered: said.yiaddr, Client: leases.HWAddr(said.client),
	}, "another DHCP server answers on this link", time.Now())
}

// speaksForUs says whether a message comes from us, or from a relay that hands on what we said: that names us, or
// itself where it wants all to pass through it (RFC 5107).
func (s *Server) speaksForUs(said *serverMessage) bool {
	if said.mac == s.sockets.link.Load().mac {
		return true
	}
	return !said.giaddr.IsUnspecified() && (said.server == s.settings.Load().server || said.server == said.giaddr)
}

// serverMessage is a DHCPOFFER, DHCPACK or DHCPNAK that was heard. client is valid as long as the frame is.
type serverMessage struct {
	mac            [6]byte // of its sender
	source, server netip.Addr
	yiaddr, giaddr netip.Addr
	client         []byte
	options        optionIndex
}

// read reads an Ethernet frame, and says whether it is such a message.
func (x *serverMessage) read(frame []byte) bool {
	b, ok := serverPayload(frame)
	if !ok || len(b) < offsetOptions || b[0] != opReply || b[2] > 16 || [4]byte(b[offsetCookie:offsetOptions]) != cookie {
		return false
	}
	x.options.read(b)
	kind, ok := x.options.get(optMessageType)
	if !ok || len(kind) != 1 {
		return false
	}
	switch messageType(kind[0]) {
	case typeOffer, typeAck, typeNak:
	default:
		return false
	}
	x.mac = [6]byte(frame[6:])
	x.source = netip.AddrFrom4([4]byte(frame[ethernetHeaderLen+12:]))
	x.server = x.source
	if id, ok := x.options.get(optServerID); ok && len(id) == 4 {
		x.server = netip.AddrFrom4([4]byte(id))
	}
	x.yiaddr = netip.AddrFrom4([4]byte(b[offsetYiaddr:]))
	x.giaddr = netip.AddrFrom4([4]byte(b[offsetGiaddr:]))
	x.client = b[offsetChaddr : offsetChaddr+int(b[2])]
	return true
}

// serverPayload returns what a frame carries from UDP port 67 to port 68.
func serverPayload(frame []byte) ([]byte, bool) {
	if len(frame) < headersLen || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv4 {
		return nil, false
	}
	ip := frame[ethernetHeaderLen:]
	header, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || header < ipv4HeaderLen || total > len(ip) || total < header+udpHeaderLen || ip[9] != protocolUDP {
		return nil, false
	}
	if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return nil, false // a fragment
	}
	udp := ip[header:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp) != serverPort || binary.BigEndian.Uint16(udp[2:]) != clientPort || length < udpHeaderLen || length > len(udp) {
		return nil, false
	}
	return udp[udpHeaderLen:length], true
}
