package control

import (
	"context"
	"errors"
	"net"
	"os/user"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

type peerKey struct{}

// peer is who stands at the other end of a connection.
type peer struct {
	pid    int
	uid    uint32
	groups []uint32 // the first is the process's own
	access *access  // what it may do
}

// withPeer remembers the peer's credentials with its connection; they are those of the moment it connected.
func (a *access) withPeer(ctx context.Context, conn net.Conn) context.Context {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return ctx
	}
	p := peer{access: a}
	if controlErr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		p.pid, p.uid = int(cred.Pid), cred.Uid
		var more []uint32
		more, err = peerGroups(int(fd))
		p.groups = append([]uint32{cred.Gid}, more...)
	}); controlErr != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// peerGroups is the supplementary groups that the peer of a Unix socket had when it connected (SO_PEERGROUPS of unix(7)). What /proc says of a
// process is no answer: it may be another one by now, or have other groups.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(4 * len(groups))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(unsafe.SliceData(groups))), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case !errors.Is(errno, unix.ERANGE) || int(size/4) <= len(groups):
			return nil, errno
		}
		groups = make([]uint32, size/4) // as many as the kernel says there are
	}
}

// mayChange reports whether the caller may change things: root may, and the members of api.admins.
func mayChange(ctx context.Context) bool {
	p, ok := ctx.Value(peerKey{}).(peer)
	return ok && p.access.mayChange(p)
}

// who names the caller for the log.
func who(ctx context.Context) string {
	p, ok := ctx.Value(peerKey{}).(peer)
	if !ok {
		return "unknown"
	}
	name := strconv.Itoa(int(p.uid))
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return name + " (pid " + strconv.Itoa(p.pid) + ")"
}
