package handover

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Session is where a confirmation comes from.
type Session struct {
	// SSH is the value of SSH_CONNECTION: the client's address and port, the server's address and port. "" for no such session.
	SSH     string
	Console bool // a terminal of the machine itself
}

// Confirm makes the change of a token last, here and for the next starts. It counts only from a session that could not have begun
// without the change working: the error says why another one doesn't. force takes any.
func (h *Host) Confirm(token string, from Session, force bool) (State, error) {
	unlock, err := h.lock(lockFile, lockPatience)
	if err != nil {
		return State{}, err
	}
	defer unlock()
	s, err := h.State()
	if err != nil {
		return State{}, err
	}
	switch {
	case s.Phase == Kept:
		return State{}, errors.New("nothing waits to be confirmed: the last change is")
	case s.Phase != Moved:
		return State{}, errors.New("nothing waits to be confirmed; `labnet status` says how it is")
	case s.Token != token:
		return State{}, errors.New("this is not the token of the change that waits; `labnet apply` has printed it")
	case s.Left() == 0:
		return State{}, errors.New("the time is over: it goes back")
	}
	if !force {
		now, err := connections()
		if err != nil {
			return State{}, err
		}
		if err := proves(from, s.Before, now); err != nil {
			return State{}, err
		}
	}
	// First it is kept, then remembered: what is remembered only would be handed over at the next start, and go back now.
	s.Phase, s.Deadline, s.Before = Kept, 0, nil
	if err := h.save(stateFile, s); err != nil {
		return State{}, err
	}
	return s, h.Remember(s.Config, s.Forced)
}

// proves returns why a session doesn't show that the host can be reached, nil if it does.
func proves(from Session, before, now []string) error {
	const remedy = "open a new connection to this host and confirm there, or on its console (--force takes it from here)"
	if from.SSH == "" {
		if from.Console {
			return nil
		}
		return fmt.Errorf("this isn't a session from outside, nor the console: it doesn't show that the host can still be reached; %s", remedy)
	}
	fields := strings.Fields(from.SSH)
	if len(fields) != 4 {
		return fmt.Errorf("the session's SSH_CONNECTION can't be understood: %q; %s", from.SSH, remedy)
	}
	client, err := netip.ParseAddrPort(joinPort(fields[0], fields[1]))
	if err != nil {
		return fmt.Errorf("the session's SSH_CONNECTION can't be understood: %q; %s", from.SSH, remedy)
	}
	server, err := netip.ParseAddrPort(joinPort(fields[2], fields[3]))
	if err != nil {
		return fmt.Errorf("the session's SSH_CONNECTION can't be understood: %q; %s", from.SSH, remedy)
	}
	key := connectionKey(server, client)
	switch {
	case client.Addr().Unmap() == server.Addr().Unmap() || client.Addr().IsLoopback():
		return fmt.Errorf("this session comes from the host itself; %s", remedy)
	case slices.Contains(before, key):
		return fmt.Errorf("this session's connection from %s is older than the change: an old one going on doesn't show that a new one can be made; %s", client, remedy)
	case !slices.Contains(now, key):
		return fmt.Errorf("this session's connection from %s is none of the host's now; %s", client, remedy)
	}
	return nil
}

func joinPort(addr, port string) string {
	if strings.Contains(addr, ":") {
		return "[" + addr + "]:" + port
	}
	return addr + ":" + port
}
