package dnsserver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// PortTakenError says who has the port that a network's DNS needs.
type PortTakenError struct {
	Addr     netip.AddrPort
	Protocol string // udp or tcp
	Process  string // "" when it isn't visible from here
	PID      int
}

func (e *PortTakenError) Error() string {
	owner := "another process"
	if e.PID != 0 {
		owner = fmt.Sprintf("%s (pid %d)", e.Process, e.PID)
	}
	return fmt.Sprintf("port %d/%s of %s is taken by %s", e.Addr.Port(), e.Protocol, e.Addr.Addr(), owner)
}

// Unwrap gives EADDRINUSE.
func (e *PortTakenError) Unwrap() error { return syscall.EADDRINUSE }

// taken explains why a socket couldn't be opened.
func taken(at netip.AddrPort, protocol string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e := &PortTakenError{Addr: at, Protocol: protocol}
		e.PID, e.Process = portOwner(at, protocol)
		return fmt.Errorf("listening for DNS: %w", e)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listening for DNS on %s/%s: it takes CAP_NET_BIND_SERVICE: %w", at, protocol, err)
	}
	return fmt.Errorf("listening for DNS on %s/%s: %w", at, protocol, err)
}

// portOwner finds the process that holds a local port, by /proc/net and the descriptors of all processes; 0 if unknown.
func portOwner(at netip.AddrPort, protocol string) (pid int, process string) {
	inodes := map[string]bool{}
	for _, table := range []string{protocol, protocol + "6"} {
		// Of this thread: the namespace that the bind failed in.
		text, err := os.ReadFile("/proc/thread-self/net/" + table)
		if err != nil {
			continue
		}
		for inode, local := range parseSockets(string(text)) {
			if local.Port() == at.Port() && (local.Addr() == at.Addr() || local.Addr().IsUnspecified()) {
				inodes["socket:["+inode+"]"] = true
			}
		}
	}
	if len(inodes) == 0 {
		return 0, ""
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, path := range descriptors {
		if target, err := os.Readlink(path); err != nil || !inodes[target] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(path))
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
			return pid, strings.TrimSpace(string(comm))
		}
	}
	return 0, ""
}

// parseSockets reads a table such as /proc/net/udp: local addresses of sockets that aren't connected, by inode.
func parseSockets(text string) map[string]netip.AddrPort {
	sockets := map[string]netip.AddrPort{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 10 || !strings.HasSuffix(fields[2], ":0000") {
			continue
		}
		host, port, ok := strings.Cut(fields[1], ":")
		if !ok {
			continue
		}
		bytes, err := hex.DecodeString(host)
		if err != nil {
			continue
		}
		// The kernel prints words of four bytes in the host's order: little-endian on every architecture that we build for.
		for word := range slices.Chunk(bytes, 4) {
			slices.Reverse(word)
		}
		addr, ok := netip.AddrFromSlice(bytes)
		number, err := strconv.ParseUint(port, 16, 16)
		if !ok || err != nil {
			continue
		}
		sockets[fields[9]] = netip.AddrPortFrom(addr.Unmap(), uint16(number))
	}
	return sockets
}
