package dhcpserver

import (
	"encoding/binary"
	"net/netip"
)

// messageType is option 53 (RFC 2132 section 9.6).
type messageType uint8

const (
	typeDiscover messageType = iota + 1
	typeOffer
	typeRequest
	typeDecline
	typeAck
	typeNak
	typeRelease
	typeInform
)

// Layout of a message (RFC 2131 section 2).
const (
	opRequest = 1
	opReply   = 2

	hwEthernet = 1

	offsetFlags   = 10
	offsetCiaddr  = 12
	offsetYiaddr  = 16
	offsetSiaddr  = 20
	offsetGiaddr  = 24
	offsetChaddr  = 28
	offsetSname   = 44
	offsetFile    = 108
	offsetCookie  = 236
	offsetOptions = 240

	flagBroadcast = 0x8000

	// maxMessage is the longest message that is read: more than any link of a lab carries to a client without an address.
	maxMessage = 2048
)

var cookie = [4]byte{99, 130, 83, 99}

// message is a request, read in place: it refers to the datagram's buffer and is valid as long as that is.
type message struct {
	raw []byte

	htype, hlen    uint8
	xid            uint32
	flags          uint16
	ciaddr, giaddr netip.Addr
	kind           messageType
	malformed      bool // the options end badly; what precedes is good

	options optionIndex
}

// parse reads a datagram's payload. It returns "" or the reason to drop the message; nothing of it may be used then.
func (m *message) parse(b []byte) Reason {
	m.raw = b
	switch {
	case len(b) < offsetOptions:
		return ReasonTooShort
	case len(b) > maxMessage:
		return ReasonTooLong
	case b[0] != opRequest:
		return ReasonNotRequest
	case [4]byte(b[offsetCookie:offsetOptions]) != cookie:
		return ReasonBadCookie
	case b[2] > 16:
		return ReasonBadHeader
	}
	m.htype, m.hlen = b[1], b[2]
	m.xid = binary.BigEndian.Uint32(b[4:])
	m.flags = binary.BigEndian.Uint16(b[offsetFlags:])
	m.ciaddr = netip.AddrFrom4([4]byte(b[offsetCiaddr:]))
	m.giaddr = netip.AddrFrom4([4]byte(b[offsetGiaddr:]))
	m.malformed = !m.options.read(b)

	kind, ok := m.options.get(optMessageType)
	if !ok || len(kind) != 1 {
		return ReasonNoType
	}
	m.kind = messageType(kind[0])
	switch m.kind {
	case typeDiscover, typeRequest, typeDecline, typeRelease, typeInform:
		return ""
	case typeOffer, typeAck, typeNak:
		return ReasonServerMessage
	default:
		return ReasonUnknownType
	}
}

// hardware is the client's hardware address: the first hlen bytes of chaddr.
func (m *message) hardware() []byte {
	return m.raw[offsetChaddr : offsetChaddr+int(m.hlen)]
}

// wantsBroadcast says whether the client can't receive unicast before it has its address (RFC 2131 section 4.1).
func (m *message) wantsBroadcast() bool { return m.flags&flagBroadcast != 0 }

// relayed says whether a relay agent handed the message in.
func (m *message) relayed() bool { return !m.giaddr.IsUnspecified() }

// address reads an option that holds one address; it is invalid where the option is absent, has another length, or is 0.0.0.0.
func (m *message) address(code uint8) netip.Addr {
	data, ok := m.options.get(code)
	if !ok || len(data) != 4 {
		return netip.Addr{}
	}
	if a := netip.AddrFrom4([4]byte(data)); !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}
