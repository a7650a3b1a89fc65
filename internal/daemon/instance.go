package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/succession"
	"labnet/netcfg"
)

// instanceSocket is held by the one daemon of a network namespace: an abstract socket belongs to the namespace and ends with
// the process, however it ends.
const instanceSocket = "@labnet/daemon"

// dyingTime bounds the wait for a killed daemon to let go: its threads end one by one, and the last one holds its sockets.
const dyingTime = 2 * time.Second

// claim makes this process the namespace's daemon until the returned listener is closed. If another one is, the error names
// its process. What became a daemon by taking one over goes on with its claim: there is no moment in which others could make theirs.
func claim(ctx context.Context, estate *succession.Estate) (net.Listener, error) {
	if listener := inheritClaim(estate); listener != nil {
		return listener, keepClaim(listener, estate)
	}
	listener, err := claimAnew(ctx)
	if err != nil {
		return nil, err
	}
	return listener, keepClaim(listener, estate)
}

func inheritClaim(estate *succession.Estate) net.Listener {
	fd, ok := estate.TakeOne(func(s succession.Socket) bool { return s.Path == instanceSocket && s.Listening })
	if !ok {
		return nil
	}
	file := os.NewFile(uintptr(fd), "instance")
	defer func() { _ = file.Close() }()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil
	}
	return listener
}

// keepClaim lets the claim outlive this program, not this process: who claims tells its number.
func keepClaim(listener net.Listener, estate *succession.Estate) error {
	raw, err := listener.(*net.UnixListener).SyscallConn()
	if err != nil {
		return err
	}
	var kept error
	if err := raw.Control(func(fd uintptr) { kept = estate.KeepHere("instance", int(fd)) }); err != nil {
		return err
	}
	return kept
}

func claimAnew(ctx context.Context) (net.Listener, error) {
	deadline := time.Now().Add(dyingTime)
	for {
		listener, err := net.Listen("unix", instanceSocket)
		if err == nil {
			return listener, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("claiming the network namespace: %w", err)
		}
		if cred, err := holder(); err == nil && !dying(int(cred.Pid)) {
			if !trusted(cred) {
				return nil, fmt.Errorf("process %d of user %d holds the socket %s, and is no labnet of root's or of the user %s; end it first", cred.Pid, cred.Uid, instanceSocket, netcfg.ServiceUser)
			}
			return nil, fmt.Errorf("another labnet (pid %d) runs in this network namespace; see `labnet status`, or end it first", cred.Pid)
		}
		if time.Now().After(deadline) {
			return nil, errors.New("another labnet holds this network namespace, and doesn't answer")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// dying reports whether a process is being ended by the kernel, or gone.
func dying(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	// proc(5): the state follows the command, which stands in parentheses and may hold anything.
	_, fields, _ := strings.Cut(string(stat[max(0, bytes.LastIndexByte(stat, ')')):]), " ")
	return strings.HasPrefix(fields, "Z") || strings.HasPrefix(fields, "X")
}

// Running returns the process id of the daemon that runs in this network namespace.
func Running() (pid int, ok bool) {
	cred, err := holder()
	if err != nil || !trusted(cred) {
		return 0, false
	}
	return int(cred.Pid), true
}

// trusted reports whether the holder can be a daemon: anybody may take an abstract name, but only root brings networks up, or
// who has the capabilities, as the service and ourselves.
func trusted(cred *unix.Ucred) bool { return netcfg.TrustedUser(cred.Uid) }

// holder is who holds the instance socket: the credentials of a connected socket's peer are those of the process that
// listens.
func holder() (*unix.Ucred, error) {
	conn, err := net.Dial("unix", instanceSocket)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil {
		return nil, controlErr
	}
	return cred, err
}
