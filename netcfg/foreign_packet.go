package netcfg

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// packet is one that guests depend on, as other people's rules would see it.
type packet struct {
	in, out       link // without a name: none, as of what the host sends or takes
	proto         byte
	src, dst      netip.Addr
	sport, dport  uint16
	state         ctBit
	first         bool // of its connection: TCP's SYN
	srcKind, kind byte // route types of the addresses, RTN_UNICAST and so on
	translated    bool // its destination was (IPS_DST_NAT)
}

// ctBit is the state of a connection as a bit of nftables (NF_CT_STATE_BIT).
type ctBit uint32

const (
	ctEstablished ctBit = 1 << 1
	ctNew         ctBit = 1 << 3
	ctUntracked   ctBit = 1 << 6
)

// somewhere is an address of nobody's, RFC 5737: it stands for the outside.
var somewhere = netip.AddrFrom4([4]byte{203, 0, 113, 1})

// guestOf is an address that stands for a network's guests: any but the gateway's.
func guestOf(n Network) netip.Addr {
	a := lastOf(n.Address).Prev()
	if a == n.Address.Addr() {
		a = a.Prev()
	}
	return a
}

// leaving is the first packet of a guest's connection to the outside, and returning the answer to it.
func leaving(n Network, bridge, uplink link) packet {
	return packet{
		in: bridge, out: uplink, proto: unix.IPPROTO_TCP, src: guestOf(n), dst: somewhere, sport: 40000, dport: 443,
		state: ctNew, first: true, srcKind: unix.RTN_UNICAST, kind: unix.RTN_UNICAST,
	}
}

func returning(n Network, bridge, uplink link) packet {
	return packet{
		in: uplink, out: bridge, proto: unix.IPPROTO_TCP, src: somewhere, dst: guestOf(n), sport: 443, dport: 40000,
		state: ctEstablished, srcKind: unix.RTN_UNICAST, kind: unix.RTN_UNICAST,
	}
}

// calling is the first packet of a connection from outside to a published port, behind the translation.
func calling(n Network, bridge, uplink link, p Publish) packet {
	c := returning(n, bridge, uplink)
	c.sport, c.dport, c.state, c.first, c.translated = 40000, p.Port, ctNew, true, true
	if p.Target.IsValid() {
		c.dst = p.Target
	}
	if !p.TCP {
		c.proto = unix.IPPROTO_UDP
	}
	return c
}

// neighbourly goes from guest to guest of one bridge; such come to the rules of IP by br_netfilter.
func neighbourly(n Network, bridge link) packet {
	p := leaving(n, bridge, bridge)
	p.dst = guestOf(n).Prev()
	return p
}

// asking is a guest's DNS question to its gateway, and answering the answer. They aren't tracked: see guestRules.udp.
func asking(n Network, bridge link) packet {
	return packet{
		in: bridge, proto: unix.IPPROTO_UDP, src: guestOf(n), dst: n.Address.Addr(), sport: 40000, dport: 53,
		state: ctUntracked, srcKind: unix.RTN_UNICAST, kind: unix.RTN_LOCAL,
	}
}

func answering(n Network, bridge link) packet {
	return packet{
		out: bridge, proto: unix.IPPROTO_UDP, src: n.Address.Addr(), dst: guestOf(n), sport: 53, dport: 40000,
		state: ctUntracked, srcKind: unix.RTN_LOCAL, kind: unix.RTN_UNICAST,
	}
}

// discovering is a DHCP client without an address, RFC 2131 section 4.1.
func discovering(bridge link) packet {
	return packet{
		in: bridge, proto: unix.IPPROTO_UDP, src: netip.IPv4Unspecified(), dst: limitedBroadcast.Addr(), sport: 68, dport: 67,
		state: ctUntracked, srcKind: unix.RTN_BROADCAST, kind: unix.RTN_BROADCAST,
	}
}

// network is the packet's IPv4 header, RFC 791.
func (p *packet) network() []byte {
	b := []byte{0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, p.proto, 0, 0}
	return append(append(b, p.src.AsSlice()...), p.dst.AsSlice()...)
}

// transport is the header that follows, of TCP or UDP.
func (p *packet) transport() []byte {
	b := binary.BigEndian.AppendUint16(nil, p.sport)
	b = binary.BigEndian.AppendUint16(b, p.dport)
	if p.proto == unix.IPPROTO_UDP {
		return append(b, 0, 40, 0, 0)
	}
	flags := byte(0x12) // SYN, ACK
	if p.first {
		flags = 0x02
	}
	return append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0)
}
