package generator

import (
	"encoding/binary"
)

const (
	etherIPv4  = 0x0800
	etherARP   = 0x0806
	headersLen = 14 + 20 + 8 // Ethernet, IPv4, UDP

	serverPort = 67
	clientPort = 68
)

var everybody = hwaddr{255, 255, 255, 255, 255, 255}

// appendHeaders makes room for the headers that finishFrame writes when what follows them is complete.
func appendHeaders(b []byte) []byte {
	var headers [headersLen]byte
	return append(b, headers[:]...)
}

// finishFrame writes the headers of a datagram from port 68 to port 67 in front of the message in frame, with checksums.
func finishFrame(frame []byte, from, to hwaddr, source, target uint32) {
	copy(frame, to[:])
	copy(frame[6:], from[:])
	binary.BigEndian.PutUint16(frame[12:], etherIPv4)

	ip := frame[14:headersLen]
	ip[0], ip[1] = 0x45, 0x10
	binary.BigEndian.PutUint16(ip[2:], uint16(len(frame)-14))
	clear(ip[4:8])
	ip[8], ip[9] = 64, 17 // hops, UDP
	clear(ip[10:12])
	binary.BigEndian.PutUint32(ip[12:], source)
	binary.BigEndian.PutUint32(ip[16:], target)
	binary.BigEndian.PutUint16(ip[10:], ^fold(sum(ip[:20])))

	udp := frame[34:]
	binary.BigEndian.PutUint16(udp, clientPort)
	binary.BigEndian.PutUint16(udp[2:], serverPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	clear(udp[6:8])
	total := sum(ip[12:20]) + 17 + uint64(len(udp)) + sum(udp) // RFC 768: with the pseudo header
	if check := ^fold(total); check != 0 {
		binary.BigEndian.PutUint16(udp[6:], check)
	} else {
		binary.BigEndian.PutUint16(udp[6:], 0xffff)
	}
}

// sum adds up 16-bit words, RFC 1071; by 32 bits at a time, which folds to the same.
func sum(b []byte) uint64 {
	var total uint64
	for ; len(b) >= 4; b = b[4:] {
		total += uint64(binary.BigEndian.Uint32(b))
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
		total = total&0xffff + total>>16
	}
	return uint16(total)
}

// datagram returns the payload of a frame that holds a datagram to port 68, and the station that sent it.
func datagram(frame []byte) (payload []byte, from hwaddr, ok bool) {
	if len(frame) < headersLen || binary.BigEndian.Uint16(frame[12:]) != etherIPv4 {
		return nil, from, false
	}
	udp := 14 + int(frame[14]&15)*4
	if frame[14]>>4 != 4 || frame[23] != 17 || len(frame) < udp+8 || binary.BigEndian.Uint16(frame[udp+2:]) != clientPort {
		return nil, from, false
	}
	return frame[udp+8:], hwaddr(frame[6:]), true
}

// arpQuestion returns the address that a frame asks for by ARP (RFC 826).
func arpQuestion(frame []byte) (addr uint32, ok bool) {
	if len(frame) < 42 || binary.BigEndian.Uint16(frame[12:]) != etherARP || binary.BigEndian.Uint16(frame[20:]) != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(frame[38:]), true
}

// appendARPAnswer appends the frame that says that mac has the address which question asks for.
func appendARPAnswer(b, question []byte, mac hwaddr) []byte {
	b = append(b, question[6:12]...)
	b = append(b, mac[:]...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 2)
	b = append(b, mac[:]...)
	b = append(b, question[38:42]...)
	return append(b, question[22:32]...) // sender hardware and protocol address
}
