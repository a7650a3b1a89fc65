package migrate

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

var (
	errHex  = errors.New("is not bytes in hexadecimal with colons between them")
	errHW   = errors.New("is no hardware address")
	errIPv4 = errors.New("is no IPv4 address")
)

// parseHex reads bytes with colons between them, each of one or two digits.
func parseHex(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	raw := make([]byte, 0, len(s)/3+1)
	for part := range strings.SplitSeq(s, ":") {
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 {
			return "", errHex
		}
		raw = append(raw, byte(b))
	}
	return string(raw), nil
}

// colonHex is what parseHex reads.
func colonHex(raw string) string {
	if raw == "" {
		return ""
	}
	out := make([]byte, 0, 3*len(raw))
	for i := range len(raw) {
		out = append(hex.AppendEncode(out, []byte{raw[i]}), ':')
	}
	return string(out[:len(out)-1])
}

// parseHardware reads a hardware address as dnsmasq writes it: with its type before it, 06-…, unless that is Ethernet.
func parseHardware(s string) (htype uint8, addr string, err error) {
	htype = 1
	if kind, rest, ok := strings.Cut(s, "-"); ok {
		v, err := strconv.ParseUint(kind, 16, 8)
		if err != nil || len(kind) != 2 {
			return 0, "", errHW
		}
		htype, s = uint8(v), rest
	}
	if addr, err = parseHex(s); err != nil || len(addr) > maxHW {
		return 0, "", errHW
	}
	return htype, addr, nil
}

// hardware is what parseHardware reads.
func hardware(l *Lease) string {
	if l.HWType == 1 && l.HWAddr != "" {
		return colonHex(l.HWAddr)
	}
	return hex.EncodeToString([]byte{l.HWType}) + "-" + colonHex(l.HWAddr)
}

// parseIPv4 reads an address. v6 says that it is one of IPv6.
func parseIPv4(s string) (addr netip.Addr, v6 bool, err error) {
	addr, err = netip.ParseAddr(s)
	switch {
	case err != nil:
		return netip.Addr{}, false, errIPv4
	case !addr.Is4():
		return netip.Addr{}, true, errIPv4
	}
	return addr, false, nil
}
