package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"labnet/internal/succession"
)

// socketName is what the socket is called where it outlives this process.
const socketName = "control"

// inherit takes over the socket of a former server, if it is what stands at path; nil if there is none. systemd may have removed the directory
// meanwhile, and with it the way to that socket.
func inherit(path string, estate *succession.Estate) (*net.UnixListener, error) {
	fd, ok := estate.TakeOne(func(s succession.Socket) bool {
		return s.Family == unix.AF_UNIX && s.Kind == unix.SOCK_STREAM && s.Listening && samePath(s.Path, path)
	})
	if !ok {
		return nil, nil
	}
	file := os.NewFile(uintptr(fd), socketName)
	defer func() { _ = file.Close() }()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("taking over the control socket: %w", err)
	}
	own := listener.(*net.UnixListener)
	own.SetUnlinkOnClose(true)
	return own, nil
}

func samePath(bound, path string) bool {
	absolute, err := filepath.Abs(path)
	return err == nil && bound != "" && (filepath.Clean(bound) == absolute || bound == path)
}

// keep lets the socket outlive this process.
func keep(listener *net.UnixListener, estate *succession.Estate) error {
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var kept error
	if err := raw.Control(func(fd uintptr) { kept = estate.Keep(socketName, int(fd)) }); err != nil {
		return err
	}
	return kept
}
