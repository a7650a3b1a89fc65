package netcfg

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// keyType is the type of a set's keys, or of a map's values, as nft numbers it: six bits for each part of a concatenation, the first part
// highest.
type keyType uint32

const (
	keyIPv4    keyType = 7
	keyEther   keyType = 9
	keyProto   keyType = 12
	keyService keyType = 13
	keyMark    keyType = 19
	keyIfname  keyType = 41
	keyIfnames keyType = keyIfname<<6 | keyIfname

	keyIPv4Mark keyType = keyIPv4<<6 | keyMark
)

// concat is the type of keys that consist of several parts.
func concat(parts ...keyType) keyType {
	var k keyType
	for _, p := range parts {
		k = k<<6 | p
	}
	return k
}

// parts are the types that a key consists of.
func (k keyType) parts() []keyType {
	var parts []keyType
	for ; k != 0; k >>= 6 {
		parts = append([]keyType{k & 0x3f}, parts...)
	}
	return parts
}

// width is the bytes of a part that isn't concatenated.
func (k keyType) width() int {
	switch k {
	case keyIPv4, keyMark:
		return 4
	case keyEther:
		return 6
	case keyProto:
		return 1
	case keyService:
		return 2
	}
	return unix.IFNAMSIZ
}

// padded is the bytes of a part in a concatenation, which is made of whole registers.
func (k keyType) padded() int { return (k.width() + 3) &^ 3 }

func (k keyType) size() int {
	parts := k.parts()
	if len(parts) == 1 {
		return k.width()
	}
	n := 0
	for _, p := range parts {
		n += p.padded()
	}
	return n
}

const between = " . "

// encode gives the bytes of a key or value that is written as "part . part".
func (k keyType) encode(text string) []byte {
	parts := k.parts()
	if len(parts) == 1 {
		return k.encodePart(text)
	}
	var out []byte
	words := strings.Split(text, between)
	for i, p := range parts {
		b := make([]byte, p.padded())
		if i < len(words) {
			copy(b, p.encodePart(words[i]))
		}
		out = append(out, b...)
	}
	return out
}

func (k keyType) encodePart(text string) []byte {
	switch k {
	case keyIPv4:
		a, _ := netip.ParseAddr(text)
		return a.AsSlice()
	case keyEther:
		hw, _ := net.ParseMAC(text)
		return hw
	case keyProto:
		for number, name := range protocols {
			if name == text {
				return []byte{number}
			}
		}
		return []byte{0}
	case keyService:
		n, _ := strconv.ParseUint(text, 10, 16)
		return binary.BigEndian.AppendUint16(nil, uint16(n))
	}
	return ifname(text)
}

var protocols = map[byte]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp"}

// decode is the text of what the kernel has; bytes that aren't of the type become hexadecimal, which no text of ours is.
func (k keyType) decode(data []byte) string {
	if len(data) != k.size() {
		return fmt.Sprintf("%x", data)
	}
	parts := k.parts()
	if len(parts) == 1 {
		return k.decodePart(data)
	}
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = p.decodePart(data[:p.width()])
		data = data[p.padded():]
	}
	return strings.Join(words, between)
}

func (k keyType) decodePart(data []byte) string {
	switch k {
	case keyIPv4:
		a, _ := netip.AddrFromSlice(data)
		return a.String()
	case keyEther:
		return net.HardwareAddr(data).String()
	case keyProto:
		if name, ok := protocols[data[0]]; ok {
			return name
		}
		return strconv.Itoa(int(data[0]))
	case keyService:
		return strconv.Itoa(int(binary.BigEndian.Uint16(data)))
	}
	return text(data)
}
