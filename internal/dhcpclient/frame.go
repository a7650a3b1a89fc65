package dhcpclient

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
	etherTypeARP  = 0x0806
	protocolUDP   = 17

	serverPort = 67
	clientPort = 68
)

// mac is an Ethernet hardware address.
type mac [6]byte

var (
	everyone      = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	broadcastAddr = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// appendDatagram makes a frame with a UDP datagram from port 68 to port 67. The kernel can't: it has no address yet.
func appendDatagram(b []byte, source, to mac, from, dest netip.Addr, payload []byte) []byte {
	b = append(b, to[:]...)
	b = append(b, source[:]...)
	b = binary.BigEndian.AppendUint16(b, etherTypeIPv4)
	start := len(b)
	src, dst := from.As4(), dest.As4()
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4HeaderLen+udpHeaderLen+len(payload)))
	b = append(b, 0, 0, 0, 0, 64, protocolUDP, 0, 0)
	b = append(append(b, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(0, b[start:])))

	udp := len(b)
	b = binary.BigEndian.AppendUint16(b, clientPort)
	b = binary.BigEndian.AppendUint16(b, serverPort)
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeaderLen+len(payload)))
	b = append(append(b, 0, 0), payload...)
	check := ^fold(sum(pseudoHeader(b[start:], len(b)-udp), b[udp:]))
	if check == 0 {
		check = 0xffff // RFC 768: zero would mean that there is none
	}
	binary.BigEndian.PutUint16(b[udp+6:], check)
	return b
}

// datagram is a UDP datagram to port 68.
type datagram struct {
	from    mac
	payload []byte // part of the frame
}

// readDatagram reads a frame; it is false for anything else, and for what was damaged on the way. unsummed: the UDP checksum is
// still to be computed by hardware, as it is where the sender is on the same machine.
func readDatagram(frame []byte, unsummed bool) (d datagram, ok bool) {
	if len(frame) < headersLen || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv4 {
		return d, false
	}
	ip := frame[ethernetHeaderLen:]
	header := int(ip[0]&0x0f) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	const fragment = 0x3fff // offset, and whether more follow
	if ip[0]>>4 != 4 || header < ipv4HeaderLen || total < header+udpHeaderLen || total > len(ip) ||
		ip[9] != protocolUDP || binary.BigEndian.Uint16(ip[6:])&fragment != 0 || fold(sum(0, ip[:header])) != 0xffff {
		return d, false
	}
	udp := ip[header:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != clientPort || length < udpHeaderLen || length > len(udp) {
		return d, false
	}
	udp = udp[:length]
	if summed := binary.BigEndian.Uint16(udp[6:]) != 0 && !unsummed; summed && fold(sum(pseudoHeader(ip, length), udp)) != 0xffff {
		return d, false
	}
	return datagram{mac(frame[6:]), udp[udpHeaderLen:]}, true
}

// pseudoHeader is the sum of what a UDP checksum covers of the IP header in front of it.
func pseudoHeader(ip []byte, length int) uint64 {
	return sum(protocolUDP+uint64(length), ip[12:ipv4HeaderLen])
}

// sum adds b, as big-endian 16-bit words, to a ones' complement sum that fold brings to 16 bits.
func sum(total uint64, b []byte) uint64 {
	for ; len(b) >= 2; b = b[2:] {
		total += uint64(binary.BigEndian.Uint16(b))
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
