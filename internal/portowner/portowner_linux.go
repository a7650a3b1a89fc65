package portowner

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AnyLink and UnknownLink are values of Holder.Link that are no link's index.
const (
	AnyLink     = 0
	UnknownLink = -1 // the kernel has no sock_diag: /proc doesn't tell links
)

// Holder is a socket that receives what comes to a port, and the process that has it open.
type Holder struct {
	Local   netip.AddrPort // IPv4, or IPv6 that isn't mapped; unspecified for all addresses
	Link    int            // the index of the interface that it is bound to, AnyLink or UnknownLink
	UID     uint32         // the user that made it
	PID     int            // 0 if the process can't be seen from here
	Process string         // its name, "" if it can't be seen from here

	inode uint32
}

// Receives reports whether what is sent to addr at the holder's port may reach it. Links are the caller's affair.
func (h *Holder) Receives(addr netip.Addr) bool {
	return h.Local.Addr() == addr || h.Local.Addr().IsUnspecified()
}

// Holders returns the sockets of both families that have a port of the calling thread's network namespace and aren't connected,
// in no order. protocol is "udp" or "tcp". An answer that isn't whole, since sockets come and go or processes are hidden, is
// no error.
func Holders(protocol string, port uint16) ([]Holder, error) { return HoldersIn(protocol, port, port) }

// HoldersIn is Holders for the ports from first to last.
func HoldersIn(protocol string, first, last uint16) ([]Holder, error) {
	within := func(port uint16) bool { return first <= port && port <= last }
	found, err := byDiag(protocol, within)
	if err != nil {
		if found, err = byProc(protocol, within); err != nil {
			return nil, err
		}
	}
	nameProcesses(found)
	return found, nil
}

// byDiag asks sock_diag(7), which knows links.
func byDiag(protocol string, within func(port uint16) bool) ([]Holder, error) {
	var found []Holder
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		dump := netlink.SocketDiagUDP
		if protocol == "tcp" {
			dump = netlink.SocketDiagTCP
		}
		sockets, err := dump(family)
		// An interrupted dump still lists what there is. A family that the kernel doesn't have has no sockets.
		if err != nil && len(sockets) == 0 && family == unix.AF_INET {
			return nil, err
		}
		for _, s := range sockets {
			local, ok := netip.AddrFromSlice(s.ID.Source)
			if !ok || !within(s.ID.SourcePort) || s.ID.DestinationPort != 0 {
				continue
			}
			found = append(found, Holder{
				Local: netip.AddrPortFrom(local.Unmap(), s.ID.SourcePort), Link: int(s.ID.Interface), UID: s.UID, inode: s.INode,
			})
		}
	}
	return found, nil
}
