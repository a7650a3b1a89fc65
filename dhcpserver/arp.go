package dhcpserver

import (
	"encoding/binary"
	"net/netip"
)

// Layout of an ARP packet for IPv4 on Ethernet (RFC 826).
const (
	etherTypeARP = 0x0806
	arpLen       = ethernetHeaderLen + 28

	arpRequest = 1
	arpReply   = 2

	offsetARPOperation = ethernetHeaderLen + 6
	offsetARPSender    = ethernetHeaderLen + 8
	offsetARPSenderIP  = ethernetHeaderLen + 14
	offsetARPTargetIP  = ethernetHeaderLen + 24
)

// arpHeader is what every ARP packet for IPv4 on Ethernet starts with: hardware type, protocol type, their lengths.
var arpHeader = [6]byte{0, hwEthernet, 0x08, 0x00, 6, 4}

// sighting is what an ARP packet says of its sender: this machine uses this address.
type sighting struct {
	mac  [6]byte
	addr netip.Addr
	// answer: it was sent to one machine in reply to one that names no address of its own, as a probe does.
	answer bool
	to     [6]byte // the Ethernet frame's destination
}

// readARP reads a frame. It is false for what isn't ARP or names no user of an address: probes (RFC 5227 section 2.1.1)
// have no sender address, and a group is nobody's hardware address.
func readARP(frame []byte) (s sighting, ok bool) {
	if len(frame) < arpLen || binary.BigEndian.Uint16(frame[12:]) != etherTypeARP || [6]byte(frame[ethernetHeaderLen:]) != arpHeader {
		return s, false
	}
	operation := binary.BigEndian.Uint16(frame[offsetARPOperation:])
	if operation != arpRequest && operation != arpReply {
		return s, false
	}
	s.mac = [6]byte(frame[offsetARPSender:])
	s.addr = netip.AddrFrom4([4]byte(frame[offsetARPSenderIP:]))
	if s.addr.IsUnspecified() || s.mac[0]&1 != 0 || s.mac == [6]byte{} {
		return s, false
	}
	s.to = [6]byte(frame)
	s.answer = operation == arpReply && [4]byte(frame[offsetARPTargetIP:]) == [4]byte{}
	return s, true
}

// appendProbe appends an ARP probe for addr (RFC 5227 section 2.1.1): it names no sender address, so that no cache changes
// by it. to is the broadcast address, or the one machine that is asked.
func appendProbe(b []byte, source, to [6]byte, addr netip.Addr) []byte {
	b = append(b, to[:]...)
	b = append(b, source[:]...)
	b = binary.BigEndian.AppendUint16(b, etherTypeARP)
	b = append(b, arpHeader[:]...)
	b = binary.BigEndian.AppendUint16(b, arpRequest)
	b = append(b, source[:]...)
	b = append(b, 0, 0, 0, 0) // sender address
	b = append(b, 0, 0, 0, 0, 0, 0)
	target := addr.As4()
	return append(b, target[:]...)
}
