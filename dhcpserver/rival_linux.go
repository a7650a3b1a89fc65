package dhcpserver

import (
	"fmt"
	"net/netip"
	"os"

	"labnet/internal/portowner"
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
// answer is nil also where the kernel can't tell links (no udp_diag); then only a failing bind shows the rival.
func findRival(iface string, index int, server netip.Addr) error {
	holders, err := portowner.Holders("udp", serverPort)
	if err != nil {
		return nil
	}
	for _, h := range holders {
		switch {
		case h.Link != portowner.AnyLink && h.Link != index:
		case !h.Receives(server):
		case h.PID == os.Getpid(): // the server that this one replaces
		default:
			return &PortTakenError{Interface: iface, Process: h.Process, PID: h.PID, UID: h.UID}
		}
	}
	return nil
}

// portOwner names who has port 67 open after a bind has failed.
func portOwner(iface string) error {
	holders, err := portowner.Holders("udp", serverPort)
	if err != nil {
		return fmt.Errorf("looking for its owner: %w", err)
	}
	for _, h := range holders {
		if h.PID != os.Getpid() {
			return &PortTakenError{Interface: iface, Process: h.Process, PID: h.PID, UID: h.UID}
		}
	}
	return fmt.Errorf("its owner has just gone: try again")
}
