package portowner

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// byProc reads the tables of the calling thread's network namespace in /proc.
func byProc(protocol string, within func(port uint16) bool) ([]Holder, error) {
	var found []Holder
	for _, table := range []string{protocol, protocol + "6"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + table)
		if err != nil {
			if table == protocol {
				return nil, err
			}
			continue // a kernel without IPv6
		}
		found = append(found, parseTable(string(text), within)...)
	}
	return found, nil
}

// parseTable reads a table such as /proc/net/udp: the sockets of some ports that aren't connected.
func parseTable(text string, within func(port uint16) bool) []Holder {
	const local, remote, uid, inode = 1, 2, 7, 9 // fields of a line
	var found []Holder
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) <= inode || !strings.HasSuffix(f[remote], ":0000") {
			continue
		}
		at, ok := parseAddrPort(f[local])
		if !ok || !within(at.Port()) {
			continue
		}
		user, userErr := strconv.ParseUint(f[uid], 10, 32)
		node, nodeErr := strconv.ParseUint(f[inode], 10, 32)
		if userErr != nil || nodeErr != nil {
			continue
		}
		found = append(found, Holder{Local: at, Link: UnknownLink, UID: uint32(user), inode: uint32(node)})
	}
	return found
}

// parseAddrPort reads an address as these tables have it.
func parseAddrPort(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	bytes, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	// The kernel prints words of four bytes in the host's order: little-endian on every architecture that we build for.
	for word := range slices.Chunk(bytes, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(bytes)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), true
}

// nameProcesses looks through the descriptors of all processes, once. A socket that systemd made and passed on, or keeps, is the
// other process's, and what this one has is its own, whoever keeps it too.
func nameProcesses(found []Holder) {
	if len(found) == 0 {
		return
	}
	sockets := make(map[string]*Holder, len(found))
	for i := range found {
		sockets["socket:["+strconv.FormatUint(uint64(found[i].inode), 10)+"]"] = &found[i]
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			continue
		}
		// What can't be read belongs to somebody else or has just ended.
		descriptors, _ := os.ReadDir(filepath.Join(process, "fd"))
		for _, d := range descriptors {
			target, err := os.Readlink(filepath.Join(process, "fd", d.Name()))
			if h := sockets[target]; err == nil && h != nil && (h.PID <= 1 || pid == os.Getpid()) {
				name, _ := os.ReadFile(filepath.Join(process, "comm"))
				h.PID, h.Process = pid, strings.TrimSpace(string(name))
			}
		}
	}
}
