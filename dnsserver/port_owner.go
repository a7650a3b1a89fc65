package dnsserver

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"labnet/internal/portowner"
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

// portOwner finds the process that keeps us from a local address; 0 if it isn't visible from here.
func portOwner(at netip.AddrPort, protocol string) (pid int, process string) {
	holders, err := portowner.Holders(protocol, at.Port())
	if err != nil {
		return 0, ""
	}
	for _, h := range holders {
		if h.Receives(at.Addr()) {
			return h.PID, h.Process
		}
	}
	return 0, ""
}
