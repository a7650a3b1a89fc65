package dnsserver

import (
	"net/netip"
	"strconv"
	"strings"
)

// reverseRange is the addresses of one network in a reverse zone.
type reverseRange struct {
	prefix netip.Prefix
	leases *leaseView
}

const (
	arpa4 = name("\x07in-addr\x04arpa\x00")
	arpa6 = name("\x03ip6\x04arpa\x00")
)

// reverseName returns the name that holds an address's PTR, RFC 1035 section 3.5 and RFC 3596 section 2.5.
func reverseName(addr netip.Addr) name {
	addr = addr.Unmap()
	return reverseOrigin(netip.PrefixFrom(addr, addr.BitLen()))
}

// reverseOrigin returns the name of a prefix of whole labels: octets of IPv4, nibbles of IPv6.
func reverseOrigin(prefix netip.Prefix) name {
	n, step := arpa4, 8
	if prefix.Addr().Is6() {
		n, step = arpa6, 4
	}
	bytes := prefix.Addr().AsSlice()
	for bit := 0; bit < prefix.Bits(); bit += step {
		var label string
		switch {
		case step == 8:
			label = strconv.Itoa(int(bytes[bit/8]))
		case bit%8 == 0:
			label = strconv.FormatUint(uint64(bytes[bit/8]>>4), 16)
		default:
			label = strconv.FormatUint(uint64(bytes[bit/8]&0xf), 16)
		}
		n, _ = n.child(label)
	}
	return n
}

// reverseOrigins returns the zone cuts that cover a network of any prefix length: the octets (nibbles) that it fills or
// shares, at most 128. A prefix longer than /24 (/124) shares its zone with others.
func reverseOrigins(network netip.Prefix) []netip.Prefix {
	network = network.Masked()
	step, longest := 8, 24
	if network.Addr().Is6() {
		step, longest = 4, 124
	}
	bits := min((network.Bits()+step-1)/step*step, longest)
	bits = max(bits, step)
	origin, _ := network.Addr().Prefix(bits)
	var all []netip.Prefix
	for {
		all = append(all, origin)
		next := lastOf(origin).Next()
		if !next.IsValid() || !network.Contains(next) {
			return all
		}
		origin = netip.PrefixFrom(next, bits)
	}
}

// lastOf returns the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// reversePrefix returns the addresses that a reverse name stands for, or the longest name above it that stands for any.
// full tells that it was n itself.
func reversePrefix(n name) (prefix netip.Prefix, full bool) {
	for full = true; n != root; n = n.parent() {
		if prefix, ok := parseReverse(n); ok {
			return prefix, full
		}
		full = false
	}
	return netip.Prefix{}, false
}

func parseReverse(n name) (netip.Prefix, bool) {
	switch {
	case n.under(arpa4):
		var bytes [4]byte
		labels := labelsBelow(n, arpa4)
		if len(labels) > 4 {
			return netip.Prefix{}, false
		}
		for i, label := range labels {
			value, err := strconv.ParseUint(label, 10, 8)
			if err != nil || strconv.FormatUint(value, 10) != label {
				return netip.Prefix{}, false
			}
			bytes[len(labels)-1-i] = byte(value)
		}
		return netip.PrefixFrom(netip.AddrFrom4(bytes), 8*len(labels)), true
	case n.under(arpa6):
		var bytes [16]byte
		labels := labelsBelow(n, arpa6)
		if len(labels) > 32 {
			return netip.Prefix{}, false
		}
		for i, label := range labels {
			value := strings.Index("0123456789abcdef", label)
			if len(label) != 1 || value < 0 {
				return netip.Prefix{}, false
			}
			nibble := len(labels) - 1 - i
			bytes[nibble/2] |= byte(value) << (4 * (1 - nibble%2))
		}
		return netip.PrefixFrom(netip.AddrFrom16(bytes), 4*len(labels)), true
	}
	return netip.Prefix{}, false
}

func labelsBelow(n, zone name) []string {
	var labels []string
	for ; n != zone; n = n.parent() {
		labels = append(labels, n.label())
	}
	return labels
}

// owns tells whether a reverse zone speaks for n: it shares its zone cut with others when its network is a part of it.
func (z *zone) owns(n name) bool {
	if z.whole {
		return true
	}
	covered, _ := reversePrefix(n)
	for _, r := range z.ranges {
		if r.prefix.Overlaps(covered) {
			return true
		}
	}
	return false
}

// between tells whether n stands for several of our addresses: a name with names below it. Whether a lease is among them
// is not asked; NODATA promises less than NXDOMAIN, which RFC 8020 extends to everything below.
func (z *zone) between(n name) bool {
	covered, full := reversePrefix(n)
	if !full || covered.IsSingleIP() {
		return false
	}
	for _, r := range z.ranges {
		if r.prefix.Overlaps(covered) {
			return true
		}
	}
	return false
}
