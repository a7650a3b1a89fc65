package config

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DescribeOption gives an encoded option its name and its value in the words of the configuration. The name is "" for an option
// without one; data that isn't what the option holds is shown in hexadecimal. The value may have any characters of the data in it.
func DescribeOption(code uint8, data []byte) (name, value string) {
	if code == 53 && len(data) == 1 && int(data[0]) < len(messageTypes()) {
		return "message_type", messageTypes()[data[0]]
	}
	def, known := optionByCode(code)
	if !known {
		return "", hexText(data)
	}
	if value, ok := def.describe(data); ok {
		return def.name, value
	}
	return def.name, hexText(data)
}

// messageTypes are the values of option 53 (RFC 2132 section 9.6).
func messageTypes() []string {
	return []string{"", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"}
}

// optionByCode also finds those that the server makes by itself.
func optionByCode(code uint8) (optionDef, bool) {
	for _, def := range append(optionTable(), serverOptions()...) {
		if def.code == code {
			return def, true
		}
	}
	return optionDef{}, false
}

// serverOptions are those of a reply that no configuration may set.
func serverOptions() []optionDef {
	return []optionDef{
		{code: 1, name: "subnet_mask", kind: optIP},
		{code: 28, name: "broadcast_address", kind: optIP},
		{code: 51, name: "lease_time", kind: optSeconds},
		{code: 52, name: "option_overload", kind: optU8},
		{code: 53, name: "message_type", kind: optU8},
		{code: 54, name: "server_identifier", kind: optIP},
		{code: 56, name: "message", kind: optText},
		{code: 58, name: "renewal_time", kind: optSeconds},
		{code: 59, name: "rebinding_time", kind: optSeconds},
		{code: 61, name: "client_identifier", kind: optHex},
		{code: 80, name: "rapid_commit", kind: optHex},
		{code: 81, name: "client_fqdn", kind: optHex},
		{code: 82, name: "relay_agent_information", kind: optHex},
		{code: 249, name: "classless_routes_of_microsoft", kind: optRoutes},
	}
}

// describe is the inverse of optionEncoder; ok is false for data of another form.
func (d optionDef) describe(data []byte) (string, bool) {
	switch d.kind {
	case optText, optURL, optDomain:
		return string(data), true
	case optIP:
		return values(data, 4, 1, addressText)
	case optIPList:
		return values(data, 4, 0, addressText)
	case optPairs:
		return values(data, 8, 0, func(b []byte) string { return addressText(b[:4]) + " " + addressText(b[4:]) })
	case optU8:
		return values(data, 1, 1, func(b []byte) string { return strconv.Itoa(int(b[0])) })
	case optU16:
		return values(data, 2, 1, number16)
	case optU16List:
		return values(data, 2, 0, number16)
	case optU32:
		return values(data, 4, 1, func(b []byte) string { return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10) })
	case optI32:
		return values(data, 4, 1, func(b []byte) string { return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b)))) })
	case optSeconds:
		return values(data, 4, 1, secondsText)
	case optBool:
		if len(data) != 1 || data[0] > 1 {
			return "", false
		}
		return strconv.FormatBool(data[0] == 1), true
	case optDomains:
		return domainList(data)
	case optRoutes:
		return routeList(data)
	default:
		return "", false
	}
}

// values describes values of size bytes each, exactly n of them, or any number but none for 0.
func values(data []byte, size, n int, one func([]byte) string) (string, bool) {
	if len(data) == 0 || len(data)%size != 0 || n > 0 && len(data) != n*size {
		return "", false
	}
	var all []string
	for ; len(data) > 0; data = data[size:] {
		all = append(all, one(data[:size]))
	}
	return strings.Join(all, ", "), true
}

func addressText(b []byte) string { return netip.AddrFrom4([4]byte(b)).String() }

func number16(b []byte) string { return strconv.Itoa(int(binary.BigEndian.Uint16(b))) }

func secondsText(b []byte) string {
	n := binary.BigEndian.Uint32(b)
	if n == 0xffffffff {
		return "infinite"
	}
	return (time.Duration(n) * time.Second).String()
}

// domainList reads a search list (RFC 3397).
func domainList(data []byte) (string, bool) {
	var all []string
	for off := 0; off < len(data); {
		name, next, err := dns.UnpackDomainName(data, off)
		if err != nil || next <= off {
			return "", false
		}
		all, off = append(all, strings.TrimSuffix(name, ".")), next
	}
	return strings.Join(all, ", "), len(all) > 0
}

// routeList reads destination descriptors and routers (RFC 3442).
func routeList(data []byte) (string, bool) {
	var all []string
	for len(data) > 0 {
		bits := int(data[0])
		n := (bits + 7) / 8
		if bits > 32 || len(data) < 1+n+4 {
			return "", false
		}
		var to [4]byte
		copy(to[:], data[1:1+n])
		all = append(all, fmt.Sprintf("%v via %s", netip.PrefixFrom(netip.AddrFrom4(to), bits), addressText(data[1+n:5+n])))
		data = data[5+n:]
	}
	return strings.Join(all, ", "), len(all) > 0
}

// hexText is bytes as an option of the type hex takes them.
func hexText(data []byte) string {
	parts := make([]string, len(data))
	for i, b := range data {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}
