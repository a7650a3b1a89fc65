package netcfg

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// matches evaluates those matches of iptables that firewalls use most, by the layouts of uapi/linux/netfilter/xt_*.h; the same in
// iptables-nft and in iptables-legacy.
func (p *packet) matches(name string, revision uint32, info []byte) answer {
	switch name {
	case "comment":
		return yes
	case "conntrack":
		return p.matchesConntrack(revision, info)
	case "state":
		if len(info) >= 4 {
			return tell(p.xtState(1<<6)&native32(info) != 0)
		}
	case "addrtype":
		return p.matchesKind(revision, info)
	case "udp":
		if len(info) >= 9 {
			return tell(p.proto == unix.IPPROTO_UDP && p.matchesPorts(info, info[8]))
		}
	case "tcp":
		// Ports; then an option, a mask of flags, the flags, and which of all these are inverted.
		if len(info) >= 12 && p.proto == unix.IPPROTO_TCP {
			if info[8] != 0 {
				return unknown
			}
			flags := p.transport()[13]
			return tell(p.matchesPorts(info, info[11]) && (flags&info[9] == info[10]) == (info[11]&0x08 == 0))
		}
		return no
	case "multiport":
		return p.matchesMultiport(revision, info)
	case "mark":
		if revision == 1 && len(info) >= 9 {
			return tell((native32(info) == 0) == (info[8] == 0)) // packets have no mark yet
		}
	case "icmp":
		return tell(p.proto == unix.IPPROTO_ICMP)
	}
	return unknown
}

// xtState is the connection's state as these matches have it; untracked is the bit of packets that aren't tracked.
func (p *packet) xtState(untracked uint32) uint32 {
	if p.state == ctUntracked {
		return untracked
	}
	return uint32(p.state)
}

// matchesConntrack understands conditions on the state alone.
func (p *packet) matchesConntrack(revision uint32, info []byte) answer {
	// Behind eight addresses, two times and five numbers of 16 bits.
	const flagsAt, invertedAt, stateAt, stateFlag = 146, 148, 150, 1
	if revision < 2 || len(info) < stateAt+2 || binary.NativeEndian.Uint16(info[flagsAt:])&^(1<<13) != stateFlag {
		return unknown
	}
	matches := p.xtState(1<<8)&uint32(binary.NativeEndian.Uint16(info[stateAt:])) != 0
	return tell(matches == (binary.NativeEndian.Uint16(info[invertedAt:])&stateFlag == 0))
}

// matchesKind is the match of address types: a bit for each type of route.
func (p *packet) matchesKind(revision uint32, info []byte) answer {
	const invertSource, invertDest, limitIn, limitOut = 1, 2, 4, 8
	if revision != 1 || len(info) < 8 {
		return unknown
	}
	source, dest, flags := binary.NativeEndian.Uint16(info), binary.NativeEndian.Uint16(info[2:]), native32(info[4:])
	if flags&(limitIn|limitOut) != 0 {
		return unknown
	}
	fits := func(mask uint16, kind byte, inverted bool) bool { return mask == 0 || (mask>>kind&1 == 1) != inverted }
	return tell(fits(source, p.srcKind, flags&invertSource != 0) && fits(dest, p.kind, flags&invertDest != 0))
}

// matchesPorts compares both ports with a range each, which may be inverted by a bit.
func (p *packet) matchesPorts(ranges []byte, inverted byte) bool {
	inside := func(port uint16, at int) bool {
		return binary.NativeEndian.Uint16(ranges[at:]) <= port && port <= binary.NativeEndian.Uint16(ranges[at+2:])
	}
	return inside(p.sport, 0) == (inverted&1 == 0) && inside(p.dport, 4) == (inverted&2 == 0)
}

// matchesMultiport compares a port with a list of up to fifteen, of which two may be a range.
func (p *packet) matchesMultiport(revision uint32, info []byte) answer {
	const most, source, dest = 15, 0, 1
	if revision != 1 || len(info) < 2+2*most+most+1 || int(info[1]) > most {
		return unknown
	}
	ports := []uint16{p.sport, p.dport}
	switch info[0] {
	case source:
		ports = ports[:1]
	case dest:
		ports = ports[1:]
	}
	found := false
	for i := 0; i < int(info[1]); i++ {
		low := binary.NativeEndian.Uint16(info[2+2*i:])
		high := low
		if info[2+2*most+i] != 0 && i+1 < int(info[1]) {
			i++
			high = binary.NativeEndian.Uint16(info[2+2*i:])
		}
		found = found || slices.ContainsFunc(ports, func(port uint16) bool { return low <= port && port <= high })
	}
	return tell(found == (info[2+2*most+most] == 0))
}
