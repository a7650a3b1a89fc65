package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"labnet/internal/succession"
)

// SocketGroup is the group whose members may read; they can open the socket.
const SocketGroup = "labnet"

// Server answers the API on a Unix socket.
type Server struct {
	listener *net.UnixListener
	estate   *succession.Estate
	path     string
	http     *http.Server
	access   *access
	log      *slog.Logger
	stop     context.CancelFunc // ends the streams
}

// Listen opens the socket at path (0660, group labnet where that group exists) and returns its server; Run serves. A
// socket file that nobody answers on is taken over; one that somebody answers on is an error.
func Listen(path string, backend Backend, version string, log *slog.Logger) (*Server, error) {
	return ListenWith(path, backend, version, nil, log)
}

// ListenWith is Listen for a server that takes over the socket of a former one, where that stands at path, with the connections that wait there, and
// leaves it to the next.
func ListenWith(path string, backend Backend, version string, estate *succession.Estate, log *slog.Logger) (*Server, error) {
	listener, err := inherit(path, estate)
	if listener == nil && err == nil {
		listener, err = open(path, log)
	}
	if err == nil {
		if err = keep(listener, estate); err != nil {
			_ = listener.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	access := newAccess()
	gid, err := groupOf(path)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("looking at the control socket: %w", err)
	}
	access.readers.Store(gid)
	stopping, stop := context.WithCancel(context.Background())
	s := &Server{
		stop:     stop,
		listener: listener,
		estate:   estate,
		path:     path,
		access:   access,
		log:      log,
		http: &http.Server{
			Handler:           onlyThose(handler(backend, version, log, stopping)),
			ConnContext:       access.withPeer,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	return s, nil
}

// open opens the socket.
func open(path string, log *slog.Logger) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the run directory: %w", err)
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	// The mode must be right from the first moment on, not after a chmod.
	old := syscall.Umask(0o117)
	listener, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if err := giveToGroup(path, SocketGroup); err != nil {
		log.Warn("the control socket keeps the group that it was made with", "path", path, "err", err)
	}
	return listener.(*net.UnixListener), nil
}

// giveToGroup makes a file a group's, where that group exists.
func giveToGroup(path, name string) error {
	group, err := user.LookupGroup(name)
	if err != nil {
		return nil
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	// The service's own group has it already, and the service may not call chown.
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Gid) == gid {
		return nil
	}
	return os.Chown(path, -1, gid)
}

// Run serves until ctx ends, then lets the requests under way finish for up to five seconds.
func (s *Server) Run(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the control socket %s: %w", s.path, err)
		}
		return nil
	})
	group.Go(func() error {
		<-groupCtx.Done()
		s.stop()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.http.Shutdown(stop); err != nil {
			return s.http.Close()
		}
		return nil
	})
	return group.Wait()
}

// Close closes the socket of a server that was never run.
func (s *Server) Close() error {
	s.stop()
	s.estate.Drop(socketName)
	return s.listener.Close()
}

// Leave has the end of Run leave the socket to the next server: who connects meanwhile waits there.
func (s *Server) Leave() { s.listener.SetUnlinkOnClose(false) }

// clearStale removes the socket file of a daemon that died.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the control socket: %w", err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket; remove it, or name another directory with --run-dir", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("another daemon answers on %s; name another directory with --run-dir for a second one", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the stale control socket: %w", err)
	}
	return nil
}
