package main

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	// flows is how many connections established ones are spread over.
	flows = 256
	// flowPort is the first port of the guest's end, which a masquerade keeps while nobody else has it.
	flowPort = 20000
	// openPort is the first port of connections that nobody has yet.
	openPort = 30000
	// lanPort is a port on the LAN, where nobody has to listen.
	lanPort = 40000
)

// Flags of TCP, RFC 9293 section 3.1.
const (
	flagSYN = 1 << 1
	flagACK = 1 << 4
)

// packet is what is in a frame.
type packet struct {
	from, to     netip.AddrPort
	udp          bool
	flags        byte
	sequence, ok uint32 // ok is the acknowledgement
}

var (
	guestIP  = netip.MustParsePrefix(guestAddr).Addr()
	routerIP = netip.MustParsePrefix(routerLAN).Addr()
	lanIP    = netip.MustParseAddr(lanAddr)
)

// The i-th packet of a kind. Those of the flows are a handshake, and what goes to and fro then.
func opening(i int) packet { return toLAN(openPort+i, flagSYN, 1000, 0) }
func syn(i int) packet     { return toLAN(flowPort+i%flows, flagSYN, 1000, 0) }
func synACK(i int) packet  { return toGuest(flowPort+i%flows, flagSYN|flagACK, 5000, 1001) }
func out(i int) packet     { return toLAN(flowPort+i%flows, flagACK, 1001, 5001) }
func in(i int) packet      { return toGuest(flowPort+i%flows, flagACK, 5001, 1001) }

func unanswered(i int) packet {
	p := toLAN(flowPort+i%flows, 0, 0, 0)
	p.udp = true
	return p
}

func toLAN(port int, flags byte, sequence, ok uint32) packet {
	return packet{
		from: netip.AddrPortFrom(guestIP, uint16(port)), to: netip.AddrPortFrom(lanIP, lanPort),
		flags: flags, sequence: sequence, ok: ok,
	}
}

func toGuest(port int, flags byte, sequence, ok uint32) packet {
	return packet{
		from: netip.AddrPortFrom(lanIP, lanPort), to: netip.AddrPortFrom(routerIP, uint16(port)),
		flags: flags, sequence: sequence, ok: ok,
	}
}

const (
	etherLen = 14
	ipLen    = 20
	tcpLen   = 20
	udpLen   = 8
)

// append writes the packet with its headers (RFC 791, RFC 9293 section 3.1, RFC 768), behind an Ethernet header.
func (p packet) append(b []byte) []byte {
	transport, proto := tcpLen, byte(unix.IPPROTO_TCP)
	if p.udp {
		transport, proto = udpLen, unix.IPPROTO_UDP
	}
	src, dst := p.from.Addr().As4(), p.to.Addr().As4()
	start := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipLen+transport))
	b = append(b, 0, 0, 0x40, 0, 64, proto, 0, 0)
	b = append(append(b, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^ones(0, b[start:]))
	segment := len(b)
	b = binary.BigEndian.AppendUint16(b, p.from.Port())
	b = binary.BigEndian.AppendUint16(b, p.to.Port())
	check := segment + 6
	if p.udp {
		b = append(b, 0, udpLen, 0, 0)
	} else {
		b = binary.BigEndian.AppendUint32(b, p.sequence)
		b = binary.BigEndian.AppendUint32(b, p.ok)
		b = append(b, tcpLen/4<<4, p.flags, 0xff, 0xff, 0, 0, 0, 0)
		check = segment + 16
	}
	pseudo := append(append(src[:], dst[:]...), 0, proto, 0, byte(transport))
	binary.BigEndian.PutUint16(b[check:], ^ones(ones(0, pseudo), b[segment:]))
	return b
}

// ones adds up words by ones' complement (RFC 1071).
func ones(sum uint16, b []byte) uint16 {
	total := uint32(sum)
	for i := 0; i+1 < len(b); i += 2 {
		total += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
