package daemon

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// instanceSocket is held by the one daemon of a network namespace: an abstract socket belongs to the namespace and ends with
// the process, however it ends.
const instanceSocket = "@labnet/daemon"

// claim makes this process the namespace's daemon until the returned listener is closed. If another one is, the error names
// its process.
func claim() (net.Listener, error) {
	listener, err := net.Listen("unix", instanceSocket)
	if err == nil {
		return listener, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("claiming the network namespace: %w", err)
	}
	if pid, ok := Running(); ok {
		return nil, fmt.Errorf("another labnet (pid %d) runs in this network namespace; see `labnet status`, or end it first", pid)
	}
	return nil, errors.New("another labnet runs in this network namespace")
}

// Running returns the process id of the daemon that runs in this network namespace.
func Running() (pid int, ok bool) {
	conn, err := net.Dial("unix", instanceSocket)
	if err != nil {
		return 0, false
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, false
	}
	// The credentials of a connected socket's peer are those of the process that listens.
	var cred *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil || err != nil {
		return 0, false
	}
	return int(cred.Pid), true
}
