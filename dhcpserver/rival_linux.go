package dhcpserver

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// PortTakenError says that another process already serves DHCP where Listen was to.
type PortTakenError struct {
	Interface string
	Process   string // its name, "" if it can't be seen
	PID       int    // 0 if it can't be seen
	UID       uint32 // the user of its socket
}

func (e *PortTakenError) Error() string {
	who := fmt.Sprintf("a process of user %d that can't be seen from here", e.UID)
	if e.PID != 0 {
		who = fmt.Sprintf("%s (pid %d)", e.Process, e.PID)
	}
	return fmt.Sprintf("UDP port %d on %s is taken by %s", serverPort, e.Interface, who)
}

// findRival looks for another process that receives what is sent to port 67 of our link: SO_REUSEADDR would let both of
// us bind it. One that is bound to another link, as libvirt's dnsmasq is, or to an address of another link is none. The
// answer is nil also where the kernel can't tell (no udp_diag); then only a failing bind shows the rival.
func findRival(iface string, index int, server netip.Addr) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		// An interrupted dump still lists what there is; another error is a kernel without udp_diag.
		socks, _ := netlink.SocketDiagUDP(family)
		for _, s := range socks {
			if s.ID.SourcePort != serverPort || s.ID.Interface != 0 && int(s.ID.Interface) != index {
				continue
			}
			if local, ok := netip.AddrFromSlice(s.ID.Source); ok {
				if local = local.Unmap(); !local.IsUnspecified() && local != server {
					continue
				}
			}
			pid, name := ownerOf(strconv.FormatUint(uint64(s.INode), 10))
			if pid == os.Getpid() {
				continue // the server that this one replaces
			}
			return &PortTakenError{Interface: iface, Process: name, PID: pid, UID: s.UID}
		}
	}
	return nil
}

// portOwner names who has port 67 open after a bind has failed, from /proc/net/udp, which doesn't know links.
func portOwner(iface string) error {
	const local, uid, inode = 1, 7, 9 // fields of a line
	table, err := os.ReadFile("/proc/thread-self/net/udp")
	if err != nil {
		return fmt.Errorf("looking for its owner: %w", err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) <= inode || !strings.HasSuffix(f[local], fmt.Sprintf(":%04X", serverPort)) {
			continue
		}
		user, _ := strconv.ParseUint(f[uid], 10, 32)
		pid, name := ownerOf(f[inode])
		return &PortTakenError{Interface: iface, Process: name, PID: pid, UID: uint32(user)}
	}
	return fmt.Errorf("its owner has just gone: try again")
}

// ownerOf finds the process that has the socket with this inode open.
func ownerOf(inode string) (pid int, name string) {
	want := "socket:[" + inode + "]"
	dirs, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil {
		return 0, ""
	}
	for _, dir := range dirs {
		// What can't be read belongs to somebody else or has just ended.
		entries, _ := os.ReadDir(dir)
		if !hasDescriptor(dir, entries, want) {
			continue
		}
		proc := filepath.Dir(dir)
		comm, _ := os.ReadFile(filepath.Join(proc, "comm"))
		pid, _ = strconv.Atoi(filepath.Base(proc))
		return pid, strings.TrimSpace(string(comm))
	}
	return 0, ""
}

func hasDescriptor(dir string, entries []fs.DirEntry, want string) bool {
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && target == want {
			return true
		}
	}
	return false
}
