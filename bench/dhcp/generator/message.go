package generator

import (
	"encoding/binary"
)

// Message types, RFC 2132 section 9.6.
const (
	discover = 1
	offer    = 2
	request  = 3
	ack      = 5
	nak      = 6
)

// Options, RFC 2132.
const (
	optHostName      = 12
	optRequestedAddr = 50
	optLeaseTime     = 51
	optMessageType   = 53
	optServerID      = 54
	optParameters    = 55
	optClientID      = 61
	optEnd           = 255
)

// Offsets in a message, RFC 2131 section 2.
const (
	offsetXid     = 4
	offsetFlags   = 10
	offsetCiaddr  = 12
	offsetYiaddr  = 16
	offsetGiaddr  = 24
	offsetChaddr  = 28
	offsetCookie  = 236
	offsetOptions = 240
	minMessage    = 300 // RFC 1542 section 2.1
)

const (
	flagBroadcast = 0x8000
	cookie        = 0x63825363
)

// parameters is what a Linux guest asks for: mask, routers, resolvers, names, MTU, broadcast address, NTP, routes.
var parameters = []byte{1, 3, 6, 12, 15, 26, 28, 42, 119, 121}

// hwaddr is an Ethernet address.
type hwaddr [6]byte

// message is what a client says. Addresses that are 0 are not in it.
type message struct {
	kind      byte
	xid       uint32
	chaddr    hwaddr
	broadcast bool
	ciaddr    uint32
	giaddr    uint32
	requested uint32
	server    uint32
	host      []byte
}

// append appends the message as it goes over the wire.
func (m *message) append(b []byte) []byte {
	start := len(b)
	var fixed [offsetOptions]byte
	h := fixed[:]
	h[0], h[1], h[2] = 1, 1, 6 // BOOTREQUEST, Ethernet, length of its addresses
	binary.BigEndian.PutUint32(h[offsetXid:], m.xid)
	if m.broadcast {
		binary.BigEndian.PutUint16(h[offsetFlags:], flagBroadcast)
	}
	binary.BigEndian.PutUint32(h[offsetCiaddr:], m.ciaddr)
	if m.giaddr != 0 {
		h[3] = 1 // hops
		binary.BigEndian.PutUint32(h[offsetGiaddr:], m.giaddr)
	}
	copy(h[offsetChaddr:], m.chaddr[:])
	binary.BigEndian.PutUint32(h[offsetCookie:], cookie)
	b = append(b, h...)

	b = append(b, optMessageType, 1, m.kind)
	b = append(append(b, optClientID, 7, 1), m.chaddr[:]...)
	if m.requested != 0 {
		b = binary.BigEndian.AppendUint32(append(b, optRequestedAddr, 4), m.requested)
	}
	if m.server != 0 {
		b = binary.BigEndian.AppendUint32(append(b, optServerID, 4), m.server)
	}
	b = append(append(b, optHostName, byte(len(m.host))), m.host...)
	b = append(append(b, optParameters, byte(len(parameters))), parameters...)
	b = append(b, optEnd)
	for len(b) < start+minMessage {
		b = append(b, 0)
	}
	return b
}

// answer is what a server says.
type answer struct {
	kind   byte
	xid    uint32
	chaddr hwaddr
	yiaddr uint32
	server uint32
	lease  uint32 // seconds
}

// parse reads an answer; ok is false if b is none.
func (a *answer) parse(b []byte) (ok bool) {
	if len(b) < offsetOptions || b[0] != 2 || binary.BigEndian.Uint32(b[offsetCookie:]) != cookie {
		return false
	}
	*a = answer{
		xid: binary.BigEndian.Uint32(b[offsetXid:]), yiaddr: binary.BigEndian.Uint32(b[offsetYiaddr:]),
		chaddr: hwaddr(b[offsetChaddr:]),
	}
	for o := b[offsetOptions:]; len(o) > 0 && o[0] != optEnd; {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || len(o) < 2+int(o[1]) {
			return false
		}
		value := o[2 : 2+int(o[1])]
		switch {
		case o[0] == optMessageType && len(value) == 1:
			a.kind = value[0]
		case o[0] == optServerID && len(value) == 4:
			a.server = binary.BigEndian.Uint32(value)
		case o[0] == optLeaseTime && len(value) == 4:
			a.lease = binary.BigEndian.Uint32(value)
		}
		o = o[2+len(value):]
	}
	return a.kind != 0
}
