package observe

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// kind is what a frame tells.
type kind int

const (
	uses  kind = iota + 1 // by ARP: this machine uses this address
	asks                  // by DHCP: this machine asks for an address, and calls itself so
	given                 // by DHCP: a server has given this machine this address
)

// sighting is what a frame tells of a machine.
type sighting struct {
	kind     kind
	mac      [6]byte
	addr     netip.Addr    // of uses and given
	xid      uint32        // of asks and given
	hostname string        // of asks, as it was sent
	lifetime time.Duration // of given; 0: not said, or without end
}

const (
	ethernetLen = 14
	arpLen      = ethernetLen + 28
	ipv4Len     = 20
	udpLen      = 8

	etherTypeIPv4 = 0x0800
	etherTypeARP  = 0x0806
	protocolUDP   = 17

	serverPort = 67
	clientPort = 68
)

// read reads a frame. It is false for whatever tells nothing. Checksums aren't looked at: between machines of one host they aren't computed.
func read(frame []byte) (sighting, bool) {
	if len(frame) < ethernetLen {
		return sighting{}, false
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherTypeARP:
		return readARP(frame)
	case etherTypeIPv4:
		return readUDP(frame[ethernetLen:])
	}
	return sighting{}, false
}

// arpHeader is what ARP for IPv4 on Ethernet starts with (RFC 826).
var arpHeader = [6]byte{0, 1, 0x08, 0x00, 6, 4}

func readARP(frame []byte) (s sighting, ok bool) {
	if len(frame) < arpLen || [6]byte(frame[ethernetLen:]) != arpHeader {
		return s, false
	}
	arp := frame[ethernetLen:]
	s = sighting{kind: uses, mac: [6]byte(arp[8:]), addr: netip.AddrFrom4([4]byte(arp[14:]))}
	// Who speaks for another says nothing of himself; and a probe names no sender (RFC 5227).
	return s, s.mac == [6]byte(frame[6:]) && isMachine(s.mac, s.addr)
}

func isMachine(mac [6]byte, addr netip.Addr) bool {
	return mac[0]&1 == 0 && mac != [6]byte{} && !addr.IsUnspecified() && !addr.IsMulticast() && !addr.IsLoopback() && addr.As4()[0] < 240
}

func readUDP(ip []byte) (sighting, bool) {
	if len(ip) < ipv4Len || ip[0]>>4 != 4 || ip[9] != protocolUDP {
		return sighting{}, false
	}
	const fragment = 0x3fff
	header, total := int(ip[0]&0x0f)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if header < ipv4Len || total < header+udpLen || total > len(ip) || binary.BigEndian.Uint16(ip[6:])&fragment != 0 {
		return sighting{}, false
	}
	udp := ip[header:total]
	if length := int(binary.BigEndian.Uint16(udp[4:])); length >= udpLen && length <= len(udp) {
		return readDHCP(udp[udpLen:length], binary.BigEndian.Uint16(udp[2:]))
	}
	return sighting{}, false
}

// Of DHCP messages (RFC 2131 section 2, RFC 2132).
const (
	offsetXID     = 4
	offsetYIAddr  = 16
	offsetCHAddr  = 28
	offsetCookie  = 236
	offsetOptions = 240

	cookie = 0x63825363

	optPad       = 0
	optHostname  = 12
	optLeaseTime = 51
	optKind      = 53
	optEnd       = 255

	kindRequest = 3
	kindAck     = 5
)

// readDHCP reads a REQUEST to a server or an ACK to a client.
func readDHCP(m []byte, port uint16) (s sighting, ok bool) {
	const request, reply, ethernet = 1, 2, 1
	if len(m) < offsetOptions || m[1] != ethernet || m[2] != 6 || binary.BigEndian.Uint32(m[offsetCookie:]) != cookie {
		return s, false
	}
	s.mac, s.xid = [6]byte(m[offsetCHAddr:]), binary.BigEndian.Uint32(m[offsetXID:])
	var messageKind byte
	options(m[offsetOptions:], func(code byte, value []byte) {
		switch {
		case code == optKind && len(value) == 1:
			messageKind = value[0]
		case code == optHostname:
			s.hostname = string(value)
		case code == optLeaseTime && len(value) == 4:
			if seconds := binary.BigEndian.Uint32(value); seconds != 0xffffffff {
				s.lifetime = time.Duration(seconds) * time.Second
			}
		}
	})
	switch {
	case m[0] == request && port == serverPort && messageKind == kindRequest:
		s.kind, s.lifetime = asks, 0
		return s, s.mac[0]&1 == 0
	case m[0] == reply && port == clientPort && messageKind == kindAck:
		s.kind, s.hostname = given, ""
		s.addr = netip.AddrFrom4([4]byte(m[offsetYIAddr:]))
		return s, isMachine(s.mac, s.addr)
	}
	return s, false
}

// options calls f for each option, up to the end or to what isn't one.
func options(b []byte, f func(code byte, value []byte)) {
	for len(b) > 0 {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		if b[0] == optEnd || len(b) < 2 || len(b) < 2+int(b[1]) {
			return
		}
		f(b[0], b[2:2+int(b[1])])
		b = b[2+int(b[1]):]
	}
}
