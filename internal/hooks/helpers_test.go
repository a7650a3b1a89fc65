package hooks

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) { nettest.Main(m) }

// journal is a log that can be read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) count(text string) int { return strings.Count(j.String(), text) }

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// event is the n-th one, of 10.0.0.LAST.
func event(n, last int) Event {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	lease := Lease{
		Network: "lab", Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(last)}), MAC: "52:54:00:00:00:01", ClientID: "01:52:54:00:00:00:01", Name: "vm1",
		State: "bound", Reserved: true, Start: at, Expires: at.Add(time.Hour), LastSeen: at, Hostname: "VM1 $(reboot)\x00", VendorClass: "udhcp",
	}
	return Event{ID: fmt.Sprint("START-", n), Event: "lease.bound", Time: at, Network: "lab", Lease: lease}
}

// start runs r until the test, or stop, ends it.
func start(t *testing.T, r *Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func checkLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
}

// script writes a shell script and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(shared(t), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// shared is a directory that every user can write to.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "labnet-hooks")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func secretFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func stats(r *Runner, name string) Stats {
	for _, s := range r.Stats() {
		if s.Name == name {
			return s
		}
	}
	return Stats{}
}

// keepOnExec lets programs inherit a file.
func keepOnExec(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0)
	return err
}

func mkfifo(path string) error { return unix.Mkfifo(path, 0o600) }
