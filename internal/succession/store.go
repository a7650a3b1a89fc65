package succession

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// store is systemd's store of file descriptors, sd_pid_notify_with_fds(3). Of a nil store the methods do nothing.
type store struct {
	log *slog.Logger
	at  string
}

// inOneMessage is how many descriptors are sent together; the kernel takes 253.
const inOneMessage = 128

// heardWithin bounds the wait for systemd to have done what it was told.
const heardWithin = 2 * time.Second

func findStore(log *slog.Logger) *store {
	at := os.Getenv("NOTIFY_SOCKET")
	if at == "" {
		return nil
	}
	return &store{log: log, at: at}
}

// put adds descriptors. One that is there already, by that name or another, isn't stored again.
func (s *store) put(name string, fds []int) {
	for len(fds) > 0 && s != nil {
		n := min(len(fds), inOneMessage)
		// FDPOLL=0: a socket whose link is down for a moment has an error to tell, which is no reason to throw it away.
		if err := s.send("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, fds[:n]); err != nil {
			s.log.Warn("systemd doesn't keep a socket: what is queued there is lost with a restart", "name", name, "err", err)
		}
		fds = fds[n:]
	}
}

// remove takes everything of a name out, and returns when that is done: the address must be free then.
func (s *store) remove(name string) {
	if s == nil {
		return
	}
	err := s.send("FDSTOREREMOVE=1\nFDNAME="+name, nil)
	if err == nil {
		err = s.barrier()
	}
	if err != nil {
		s.log.Warn("systemd may still have a socket that is no longer needed", "name", name, "err", err)
	}
}

// barrier waits until systemd has read what was sent: it closes the descriptor that comes along then.
func (s *store) barrier() error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer func() { _ = unix.Close(pipe[0]) }()
	err := s.send("BARRIER=1", pipe[1:])
	_ = unix.Close(pipe[1])
	if err != nil {
		return err
	}
	deadline := time.Now().Add(heardWithin)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pipe[0])}}, int(max(0, time.Until(deadline))/time.Millisecond))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("it hasn't read its messages within %v", heardWithin)
		default:
			return nil
		}
	}
}

func (s *store) send(text string, fds []int) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(socket) }()
	patience := unix.NsecToTimeval(int64(heardWithin))
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(socket, []byte(text), rights, &unix.SockaddrUnix{Name: s.at}, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
