package dhcpclient

import (
	"encoding/binary"
	"net/netip"
)

// Layout of an ARP packet for IPv4 on Ethernet (RFC 826).
const (
	arpLen     = ethernetHeaderLen + 28
	arpRequest = 1
	arpReply   = 2
)

// arpHeader is what every one of them starts with: hardware type, protocol type, their lengths.
var arpHeader = [6]byte{0, 1, 0x08, 0x00, 6, 4}

// arpPacket is an ARP packet. A sender of 0.0.0.0 is one that asks whether anybody has the target's address: a probe (RFC 5227).
type arpPacket struct {
	operation uint16
	sender    mac
	senderIP  netip.Addr
	targetIP  netip.Addr
}

// readARP reads a frame; it is false for anything else, and for senders that are no machine.
func readARP(frame []byte) (p arpPacket, ok bool) {
	if len(frame) < arpLen || binary.BigEndian.Uint16(frame[12:]) != etherTypeARP || [6]byte(frame[ethernetHeaderLen:]) != arpHeader {
		return p, false
	}
	arp := frame[ethernetHeaderLen:]
	p = arpPacket{
		operation: binary.BigEndian.Uint16(arp[6:]),
		sender:    mac(arp[8:]),
		senderIP:  netip.AddrFrom4([4]byte(arp[14:])),
		targetIP:  netip.AddrFrom4([4]byte(arp[24:])),
	}
	if p.operation != arpRequest && p.operation != arpReply || p.sender[0]&1 != 0 || p.sender == (mac{}) {
		return p, false
	}
	return p, true
}

// appendARP makes the frame of a request to everyone.
func appendARP(b []byte, source mac, senderIP, targetIP netip.Addr) []byte {
	b = append(b, everyone[:]...)
	b = append(b, source[:]...)
	b = binary.BigEndian.AppendUint16(b, etherTypeARP)
	b = append(b, arpHeader[:]...)
	b = binary.BigEndian.AppendUint16(b, arpRequest)
	sender, target := senderIP.As4(), targetIP.As4()
	b = append(append(b, source[:]...), sender[:]...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target[:]...)
}

// appendProbe asks whether anybody has addr, and names no sender, so that no cache changes by it (RFC 5227 section 2.1.1).
func appendProbe(b []byte, source mac, addr netip.Addr) []byte {
	return appendARP(b, source, netip.IPv4Unspecified(), addr)
}

// appendAnnouncement says that source has addr (RFC 5227 section 2.3).
func appendAnnouncement(b []byte, source mac, addr netip.Addr) []byte {
	return appendARP(b, source, addr, addr)
}
