package control

import (
	"context"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

type peerKey struct{}

// peer is who stands at the other end of a connection.
type peer struct {
	pid int
	uid uint32
}

// withPeer remembers the peer's credentials with its connection; they are those of the moment it connected.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer{pid: int(cred.Pid), uid: cred.Uid})
}

// mayChange reports whether the caller may change things: root may. Members of the socket's group may read.
func mayChange(ctx context.Context) bool {
	p, ok := ctx.Value(peerKey{}).(peer)
	return ok && p.uid == 0
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
