package netcfg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// legacyTable is the filter table of iptables-legacy, as the kernel gives it (uapi/linux/netfilter_ipv4/ip_tables.h): the chains lie one
// behind the other, and jumps lead to an offset.
type legacyTable struct {
	entries []byte
	begins  [5]uint32 // of the built-in chains, by hook
	ends    [5]uint32 // their policies
}

// Offsets in an entry, and in its matches and its target.
const (
	entryInvert   = 83
	entryTarget   = 88
	entryNext     = 90
	entrySize     = 112
	extensionSize = 32
)

// readLegacy reads the filter table of iptables-legacy; nil where there is none. The calling thread's namespace counts.
func readLegacy() (*legacyTable, error) {
	// Asked for, the kernel would make the table: only one that is there is read.
	names, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	if err != nil || !slices.Contains(strings.Fields(string(names)), "filter") {
		return nil, nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("opening a socket for iptables-legacy: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	const getInfo, getEntries, nameSize, headerSize = 64, 65, 32, 40
	info := make([]byte, 84)
	copy(info, "filter")
	if err := getIPOption(fd, getInfo, info); err != nil {
		return nil, fmt.Errorf("reading the tables of iptables-legacy: %w", err)
	}
	t := &legacyTable{}
	for hook := range t.begins {
		t.begins[hook], t.ends[hook] = native32(info[nameSize+4+4*hook:]), native32(info[nameSize+24+4*hook:])
	}
	size := native32(info[80:])
	request := make([]byte, headerSize+int(size))
	copy(request, "filter")
	binary.NativeEndian.PutUint32(request[nameSize:], size)
	if err := getIPOption(fd, getEntries, request); err != nil {
		return nil, fmt.Errorf("reading the rules of iptables-legacy: %w", err)
	}
	t.entries = request[headerSize:]
	return t, nil
}

func getIPOption(fd, option int, value []byte) error {
	size := uint32(len(value))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_IP, uintptr(option),
		uintptr(unsafe.Pointer(&value[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// fateOf is what a built-in chain makes of a packet; sure is false if some rule of it might let it through.
func (t *legacyTable) fateOf(hook uint32, p packet) (end fate, sure bool) {
	const accept, drop, ret = -nfAccept - 1, -nfDrop - 1, -5
	sure = true
	var back []uint32
	for at, steps := t.begins[hook], 0; steps < 100_000; steps++ {
		entry, next, ok := t.entry(at)
		if !ok {
			return accepted, false
		}
		target := int(binary.NativeEndian.Uint16(entry[entryTarget:]))
		matches, name := p.matchesEntry(entry[:target]), text(entry[target+2:target+extensionSize-1])
		verdict := int32(0)
		if name == "" && len(entry) >= target+extensionSize+4 {
			verdict = int32(native32(entry[target+extensionSize:]))
		}
		switch {
		case matches == unknown:
			sure = sure && (name != "" || verdict == drop)
		case matches == no:
		case name == "REJECT" || name == "" && verdict == drop:
			return dropped, sure
		case name != "":
		case verdict == accept:
			return accepted, sure
		case verdict == ret && len(back) > 0:
			next, back = back[len(back)-1], back[:len(back)-1]
		case verdict == ret:
			next = t.ends[hook]
		case verdict >= 0:
			const isGoto = 2
			if entry[82]&isGoto == 0 {
				back = append(back, next)
			}
			next = uint32(verdict)
		default:
			return accepted, false // a queue, say
		}
		at = next
	}
	return accepted, false
}

// entry is the rule at an offset, and where the next one is.
func (t *legacyTable) entry(at uint32) (entry []byte, next uint32, ok bool) {
	if uint64(at)+entrySize > uint64(len(t.entries)) {
		return nil, 0, false
	}
	entry = t.entries[at:]
	target, size := int(binary.NativeEndian.Uint16(entry[entryTarget:])), int(binary.NativeEndian.Uint16(entry[entryNext:]))
	if target < entrySize || target+extensionSize > size || size > len(entry) {
		return nil, 0, false
	}
	return entry[:size], at + uint32(size), true
}

// matchesEntry compares a packet with the addresses, interfaces and protocol of an entry, and with its matches.
func (p *packet) matchesEntry(entry []byte) answer {
	const invertIn, invertOut, invertSrc, invertDst, invertFragment, invertProto = 0x01, 0x02, 0x08, 0x10, 0x20, 0x40
	invert := entry[entryInvert]
	addr := func(a netip.Addr, at, mask int) bool {
		b := a.As4()
		for i := range b {
			if b[i]&entry[mask+i] != entry[at+i] {
				return false
			}
		}
		return true
	}
	link := func(name string, at, mask int) bool {
		have := ifname(name)
		for i := range have {
			have[i] &= entry[mask+i]
		}
		return bytes.Equal(have, entry[at:at+unix.IFNAMSIZ])
	}
	proto := binary.NativeEndian.Uint16(entry[80:])
	const onlyFragments = 1
	switch {
	case addr(p.src, 0, 8) == (invert&invertSrc != 0),
		addr(p.dst, 4, 12) == (invert&invertDst != 0),
		link(p.in.name, 16, 48) == (invert&invertIn != 0),
		link(p.out.name, 32, 64) == (invert&invertOut != 0),
		proto != 0 && (proto == uint16(p.proto)) == (invert&invertProto != 0),
		entry[82]&onlyFragments != 0 && invert&invertFragment == 0:
		return no
	}
	says := yes
	for rest := entry[entrySize:]; len(rest) >= extensionSize; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < extensionSize || size > len(rest) {
			return unknown
		}
		switch p.matches(text(rest[2:extensionSize-1]), uint32(rest[extensionSize-1]), rest[extensionSize:size]) {
		case no:
			return no
		case unknown:
			says = unknown
		}
		rest = rest[size:]
	}
	return says
}
