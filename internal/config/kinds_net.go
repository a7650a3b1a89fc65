package config

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

const noIPv6 = "labnet networks are IPv4 so far."

// address is one IPv4 address.
func address() kind {
	return ofText("IPv4 address", func(s string) (any, error) { return parseIPv4(s) })
}

func parseIPv4(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err == nil && a.Is4():
		return a, nil
	case err == nil:
		return netip.Addr{}, faultf(noIPv6, "%q is an IPv6 address, which is not supported here", s)
	case strings.Contains(s, "/"):
		if p, err := netip.ParsePrefix(s); err == nil {
			return netip.Addr{}, faultf(fmt.Sprintf("Write the address alone: %q.", p.Addr()), "%q has a prefix length", s)
		}
	}
	return netip.Addr{}, faultf("Four numbers from 0 to 255, without leading zeros: \"10.0.0.10\".", "%q is not an IPv4 address", s)
}

// interfaceAddress is an IPv4 address with the prefix length of its subnet.
func interfaceAddress() kind {
	return ofText("address with prefix length", func(s string) (any, error) {
		if !strings.Contains(s, "/") {
			a, err := parseIPv4(s)
			if err != nil {
				return nil, err
			}
			return nil, faultf(fmt.Sprintf("Write how large the subnet is: \"%s/24\" for 254 addresses.", a), "the address %q has no prefix length", s)
		}
		p, err := parsePrefix(s)
		if err != nil {
			return nil, err
		}
		return p, checkInterfaceAddress(p)
	})
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err == nil && p.Addr().Is4():
		return p, nil
	case err == nil:
		return netip.Prefix{}, faultf(noIPv6, "%q is IPv6, which is not supported here", s)
	}
	before, after, _ := strings.Cut(s, "/")
	a, err := parseIPv4(before)
	if err != nil {
		return netip.Prefix{}, err
	}
	if mask, err := netip.ParseAddr(after); err == nil && mask.Is4() {
		if ones, bits := net.IPMask(mask.AsSlice()).Size(); bits == 32 {
			return netip.Prefix{}, faultf(fmt.Sprintf("Write \"%s/%d\".", a, ones), "%q has a netmask in place of a prefix length", s)
		}
	}
	return netip.Prefix{}, faultf("It is a number from 0 to 32: \"10.0.0.1/24\".", "%q is not a prefix length", after)
}

func checkInterfaceAddress(p netip.Prefix) error {
	subnet := p.Masked()
	switch {
	case p.Bits() >= 31:
		return faultf(fmt.Sprintf("Use /30 or larger, usually \"%s/24\".", p.Addr()), "a /%d has no room for guests", p.Bits())
	case p.Bits() < 8:
		return faultf("Use a private network (RFC 1918), e.g. \"10.0.0.1/24\".", "a /%d is too large for a network", p.Bits())
	case !usableSubnet(subnet):
		return faultf("Use a private network (RFC 1918): 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.", "%s is not for networks of hosts", subnet)
	case p.Addr() == subnet.Addr():
		return faultf(fmt.Sprintf("The first address for a host is \"%s/%d\".", subnet.Addr().Next(), p.Bits()), "%s is the network address of %s", p.Addr(), subnet)
	case p.Addr() == broadcast(subnet):
		return faultf(fmt.Sprintf("The last address for a host is \"%s/%d\".", p.Addr().Prev(), p.Bits()), "%s is the broadcast address of %s", p.Addr(), subnet)
	}
	return nil
}

// usableSubnet tells whether hosts can live there: not 0.0.0.0/8, loopback, link-local, multicast or reserved (RFC 6890).
func usableSubnet(p netip.Prefix) bool {
	for _, special := range []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"} {
		if p.Overlaps(netip.MustParsePrefix(special)) {
			return false
		}
	}
	return true
}

// privateSubnet tells whether nobody outside has these addresses: private (RFC 1918), shared (RFC 6598), documentation
// (RFC 5737) and benchmarking (RFC 2544).
func privateSubnet(p netip.Prefix) bool {
	for _, s := range []string{
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",
	} {
		if private := netip.MustParsePrefix(s); private.Contains(p.Addr()) && private.Bits() <= p.Bits() {
			return true
		}
	}
	return false
}

// broadcast is the last address of an IPv4 subnet.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}

// subnet is a subnet, or an address for itself alone.
func subnet() kind {
	return ofText("subnet", func(s string) (any, error) {
		if !strings.Contains(s, "/") {
			a, err := parseIPv4(s)
			if err != nil {
				return nil, err
			}
			return netip.PrefixFrom(a, 32), nil
		}
		p, err := parsePrefix(s)
		if err != nil {
			return nil, err
		}
		if p != p.Masked() {
			return nil, faultf(fmt.Sprintf("The subnet is \"%s\", the address alone \"%s\".", p.Masked(), p.Addr()), "%q is not a subnet: it has bits behind its prefix length", s)
		}
		return p, nil
	})
}

// interfaceName is a name that the kernel takes, and that is safe in paths and rules.
func interfaceName() kind {
	return ofText("interface name", func(s string) (any, error) { return s, checkInterfaceName(s) })
}

// maxInterfaceName is IFNAMSIZ without the zero.
const maxInterfaceName = 15

func checkInterfaceName(s string) error {
	if s == "" {
		return faultf("", "the interface name is empty")
	}
	if len(s) > maxInterfaceName {
		return faultf(fmt.Sprintf("The kernel takes at most %d bytes, e.g. %q.", maxInterfaceName, strings.TrimRight(strings.ToValidUTF8(s[:maxInterfaceName], ""), "-_.")),
			"the interface name %q has %d bytes", s, len(s))
	}
	for _, c := range s {
		// Slash and space are the kernel's own rule, colon is for aliases, percent makes a number of it; the rest would need quoting somewhere.
		if c > '~' || c < '!' || strings.ContainsRune("/:%\"'\\*?[]{};,$`<>|&()#!", c) {
			return faultf("Use letters, digits, '-', '_' and '.'.", "the interface name %q has %q in it", s, c)
		}
	}
	switch s {
	case ".", "..", "all", "default", "lo":
		return faultf("Use a name like \"br0\".", "the interface name %q has a meaning of its own", s)
	}
	return nil
}

// linkPattern is a glob for interface names.
func linkPattern() kind {
	return ofText("interface name", func(s string) (any, error) {
		if s == "" {
			return nil, faultf("", "the interface name is empty")
		}
		if !strings.ContainsAny(s, "*?[\\") {
			return s, checkInterfaceName(s)
		}
		if _, err := path.Match(s, ""); err != nil {
			return nil, faultf("A bracket is not closed; patterns know *, ? and [a-z].", "%q is not a pattern", s)
		}
		if strings.ContainsAny(s, "/ \t\n") {
			return nil, faultf("", "the pattern %q matches no interface name", s)
		}
		return s, nil
	})
}

// macAddress is six bytes that one network card can have, as a string of raw bytes.
func macAddress() kind {
	return ofText("MAC address", func(s string) (any, error) {
		const help = `Six bytes: "52:54:00:12:34:56", "52-54-00-12-34-56" or "5254.0012.3456".`
		mac, err := net.ParseMAC(s)
		switch {
		case err != nil || len(mac) != 6:
			return nil, faultf(help, "%q is not a MAC address", s)
		case mac.String() == "00:00:00:00:00:00":
			return nil, faultf("Write the guest's own.", "no network card has the MAC address %s", mac)
		case mac[0]&1 != 0:
			// IEEE 802: the lowest bit of the first byte marks a group.
			return nil, faultf("The first byte of a card's own address is even, e.g. \"52:54:00:12:34:56\".",
				"%s is the MAC address of a group (multicast), not of a guest", mac)
		}
		return string(mac), nil
	})
}

// clientID is the raw content of option 61: a type byte and what follows (RFC 2132 section 9.14), at least two bytes.
func clientID() kind {
	return ofText("client identifier", func(s string) (any, error) {
		if rest, ok := strings.CutPrefix(s, "text:"); ok {
			if len(rest) < 2 {
				return nil, faultf("RFC 2132 asks for two bytes at least.", "the client identifier %q is too short", s)
			}
			return rest, nil
		}
		b, err := parseHex(s)
		if err != nil {
			return nil, faultf(`Write its bytes in hexadecimal, "01:52:54:00:12:34:56", or "text:NAME" for the bytes of a text.`, "%q is not a client identifier", s)
		}
		if len(b) < 2 || len(b) > 255 {
			return nil, faultf("RFC 2132 asks for 2 to 255 bytes.", "the client identifier %q has %d bytes", s, len(b))
		}
		return string(b), nil
	})
}

// parseHex reads pairs of hexadecimal digits with colons, hyphens or nothing between them.
func parseHex(s string) ([]byte, error) {
	var b []byte
	for i, pair := range strings.FieldsFunc(s, func(c rune) bool { return c == ':' || c == '-' || c == ' ' }) {
		part, err := hex.DecodeString(pair)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
		b = append(b, part...)
	}
	return b, nil
}

// upstreamServer is the address and port of a DNS server.
func upstreamServer() kind {
	return ofText("server", func(s string) (any, error) {
		const help = `Write "udp://192.0.2.53", or with a port "udp://192.0.2.53:5353".`
		rest := s
		if scheme, after, ok := strings.Cut(s, "://"); ok {
			if scheme != "udp" {
				return nil, faultf(help+" (TCP is used when an answer does not fit.)", "servers are asked by udp://, not by %s://", scheme)
			}
			rest = after
		}
		port := uint64(53)
		host := strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
		if _, err := netip.ParseAddr(host); err != nil {
			h, p, err := net.SplitHostPort(rest)
			if err == nil {
				host = h
				if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
					return nil, faultf("A port is from 1 to 65535.", "%q is not a port", p)
				}
			}
		}
		a, err := netip.ParseAddr(host)
		if err != nil {
			if strings.Contains(host, "#") {
				return nil, faultf(help, "%q is not an IP address with a port", s)
			}
			return nil, faultf(help, "%q is not an IP address; a server can't be given by name", host)
		}
		if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			return nil, faultf(help, "%s is not the address of a server", a)
		}
		return netip.AddrPortFrom(a, uint16(port)), nil
	})
}

// directory is an absolute path.
func directory() kind {
	return ofText("path", func(s string) (any, error) {
		if !path.IsAbs(s) {
			return nil, faultf("It must begin with a slash, so that it does not depend on where labnet was started.", "%q is not an absolute path", s)
		}
		if strings.ContainsRune(s, 0) {
			return nil, faultf("", "the path has a zero byte in it")
		}
		return path.Clean(s), nil
	})
}
