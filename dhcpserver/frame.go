package dhcpserver

import (
	"encoding/binary"
	"net/netip"
)

const (
	ethernetHeaderLen = 14
	ipv4HeaderLen     = 20
	udpHeaderLen      = 8
	headersLen        = ethernetHeaderLen + ipv4HeaderLen + udpHeaderLen

	etherTypeIPv4 = 0x0800
	protocolUDP   = 17
)

// finishFrame fills in the headers in front of a message: b holds headersLen bytes of room, then the message. Without an
// Ethernet header it is b[ethernetHeaderLen:]. Both checksums are complete: a driver that leaves them to hardware that
// isn't there, as virtio does between guests, makes old clients drop replies.
func finishFrame(b []byte, d destination, sourceMAC [6]byte, source netip.Addr) {
	eth := b[:ethernetHeaderLen]
	copy(eth, d.mac[:])
	copy(eth[6:], sourceMAC[:])
	binary.BigEndian.PutUint16(eth[12:], etherTypeIPv4)

	ip := b[ethernetHeaderLen:]
	src, dst := source.As4(), d.to.Addr().As4()
	ip[0], ip[1] = 0x45, 0x10 // no options; low delay, as other servers say
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	binary.BigEndian.PutUint32(ip[4:], 0) // identification, no fragments: may be fragmented on the way to a relay
	ip[8], ip[9] = 64, protocolUDP
	binary.BigEndian.PutUint16(ip[10:], 0)
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], ^fold(sum(0, ip[:ipv4HeaderLen])))

	udp := ip[ipv4HeaderLen:]
	binary.BigEndian.PutUint16(udp, serverPort)
	binary.BigEndian.PutUint16(udp[2:], d.to.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	binary.BigEndian.PutUint16(udp[6:], 0)
	total := sum(protocolUDP+uint64(len(udp)), ip[12:ipv4HeaderLen]) // the pseudo header
	check := ^fold(sum(total, udp))
	if check == 0 {
		check = 0xffff // RFC 768: zero would mean that there is none
	}
	binary.BigEndian.PutUint16(udp[6:], check)
}

// sum adds b, as big-endian 16-bit words, to a ones' complement sum that fold brings to 16 bits. 32-bit steps are
// right because 2^16 is 1 there.
func sum(total uint64, b []byte) uint64 {
	for len(b) >= 4 {
		total += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		total += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	return total
}

func fold(total uint64) uint16 {
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
