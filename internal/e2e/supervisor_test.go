package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// supervisor starts the daemon as systemd does, and keeps its descriptors (sd_pid_notify_with_fds(3)): in the order in which they came, one
// that is there already isn't stored again, and what is removed is closed.
type supervisor struct {
	lab    *lab
	socket *net.UnixConn
	output string // path

	mu     sync.Mutex // guards the rest
	stored []stored
	ready  int // times
	cmd    *exec.Cmd
	gone   chan struct{}
}

type stored struct {
	name string
	file *os.File
}

func newSupervisor(t *testing.T, l *lab) *supervisor {
	t.Helper()
	s := &supervisor{lab: l, output: filepath.Join(t.TempDir(), "output")}
	path := filepath.Join(t.TempDir(), "notify")
	var err error
	if s.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.listen() }()
	t.Cleanup(func() {
		s.end(unix.SIGKILL)
		_ = s.socket.Close()
		<-done
		for _, one := range s.stored {
			_ = one.file.Close()
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", tail(s.log(), 100))
		}
	})
	return s
}

func (s *supervisor) log() string {
	text, _ := os.ReadFile(s.output)
	return string(text)
}

func (s *supervisor) listen() {
	text, control := make([]byte, 4096), make([]byte, 4096)
	for {
		n, rights, _, _, err := s.socket.ReadMsgUnix(text, control)
		if err != nil {
			return
		}
		var files []*os.File
		if messages, err := unix.ParseSocketControlMessage(control[:rights]); err == nil {
			for _, m := range messages {
				if fds, err := unix.ParseUnixRights(&m); err == nil {
					for _, fd := range fds {
						unix.CloseOnExec(fd)
						files = append(files, os.NewFile(uintptr(fd), "stored"))
					}
				}
			}
		}
		s.hear(string(text[:n]), files)
	}
}

func (s *supervisor) hear(text string, files []*os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		said[key] = value
	}
	if said["READY"] == "1" {
		s.ready++
	}
	if said["FDSTOREREMOVE"] == "1" {
		var rest []stored
		for _, one := range s.stored {
			if one.name == said["FDNAME"] {
				_ = one.file.Close()
			} else {
				rest = append(rest, one)
			}
		}
		s.stored = rest
	}
	for _, file := range files {
		if said["FDSTORE"] == "1" && !s.has(file) {
			s.stored = append(s.stored, stored{said["FDNAME"], file})
		} else {
			_ = file.Close() // as that of a BARRIER
		}
	}
}

// has reports whether a descriptor is stored. s.mu is held.
func (s *supervisor) has(file *os.File) bool {
	its, err := file.Stat()
	for _, one := range s.stored {
		if other, otherErr := one.file.Stat(); err == nil && otherErr == nil && os.SameFile(its, other) {
			return true
		}
	}
	return false
}

// names are what is stored.
func (s *supervisor) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.stored {
		names = append(names, one.name)
	}
	return names
}

// start runs the daemon with what is stored, and returns when it is ready.
func (s *supervisor) start(t *testing.T, flags ...string) {
	t.Helper()
	s.mu.Lock()
	ready := s.ready
	var names []string
	var files []*os.File
	for _, one := range s.stored {
		names, files = append(names, one.name), append(files, one.file)
	}
	args := append([]string{
		"env", "NOTIFY_SOCKET=" + s.socket.LocalAddr().String(), "LISTEN_FDNAMES=" + strings.Join(names, ":"), fmt.Sprintf("LISTEN_FDS=%d", len(files)),
		"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh",
	}, s.lab.args(t, append([]string{"run", "--log-level", "info", "--log-format", "text"}, flags...)...)...)
	cmd := s.lab.router.Command(context.Background(), args...)
	cmd.ExtraFiles = files
	output, err := os.OpenFile(s.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = output, output
	err = cmd.Start()
	_ = output.Close()
	gone := make(chan struct{})
	s.cmd, s.gone = cmd, gone
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(gone) }()
	nettest.Eventually(t, 30*time.Second, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ready == ready {
			return errors.New("the daemon isn't ready: " + tail(s.log(), 20))
		}
		return nil
	})
}

// end ends the daemon by a signal and returns when it is gone.
func (s *supervisor) end(signal unix.Signal) {
	s.mu.Lock()
	cmd, gone := s.cmd, s.gone
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(signal)
	<-gone
}
