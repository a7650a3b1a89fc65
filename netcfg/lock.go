package netcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is an abstract socket: every network namespace has its own, and it ends with the process that holds it.
const lockName = "@labnet/netcfg"

// lockPatience is how long a change waits for another process's: those take well under a second.
const lockPatience = 3 * time.Second

// lock keeps every other process from changing the namespace until the function that it returns is called.
func (ns *namespace) lock(ctx context.Context) (unlock func(), err error) {
	deadline := time.Now().Add(lockPatience)
	for {
		fd := -1
		err := ns.inside(func() (err error) {
			fd, err = bindLock()
			return err
		})
		if err == nil {
			return func() { _ = unix.Close(fd) }, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("taking the lock of the network namespace: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("another process changes this host's network: %s holds the lock of the namespace", ns.lockHolder())
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock of the network namespace: %w", context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Lock keeps every other process from changing the calling thread's network namespace until unlock is called: for those who change
// what isn't a Host's affair.
func Lock(ctx context.Context) (unlock func(), err error) {
	ns, err := openNamespace()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ns.close() }()
	return ns.lock(ctx)
}

func bindLock() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	// Listening lets others ask who holds it.
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: lockName}); err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// lockHolder names the process that holds the lock.
func (ns *namespace) lockHolder() string {
	holder := "a process"
	_ = ns.inside(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: lockName}); err != nil {
			return err
		}
		peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return err
		}
		holder = fmt.Sprintf("pid %d", peer.Pid)
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", peer.Pid)); err == nil {
			holder += " (" + strings.TrimSpace(string(name)) + ")"
		}
		return nil
	})
	return holder
}
