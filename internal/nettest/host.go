package nettest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Host is a machine of a test's network: a named network namespace, usable with `ip netns exec`.
type Host struct {
	Name string
}

var hosts atomic.Int32

// NewHost makes a network namespace with lo up; it is removed when the test ends. name is a prefix.
func NewHost(t testing.TB, name string) *Host {
	t.Helper()
	NeedRoot(t)
	h := &Host{Name: fmt.Sprintf("%s-%d", name, hosts.Add(1))}
	run(t, "ip", "netns", "add", h.Name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.Name).Run() })
	h.Run(t, "ip", "link", "set", "lo", "up")
	return h
}

// Command returns a command that runs in the host's namespace, with a /sys of that namespace.
func (h *Host) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.Name}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Run runs a command in the host's namespace and returns its standard output; the test fails if the command does.
func (h *Host) Run(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, append([]string{"ip", "netns", "exec", h.Name}, args...)...)
}

// Try is Run for commands that may fail: it returns standard output and error together.
func (h *Host) Try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := h.Command(ctx, args...).CombinedOutput()
	return string(out), err
}

// Start starts a command in the host's namespace; it is ended (SIGTERM, then SIGKILL) when the test ends. The returned
// function gives what it has printed so far, standard output and error together.
func (h *Host) Start(t testing.TB, args ...string) (cmd *exec.Cmd, output func() string) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "output")
	if err != nil {
		t.Fatal(err)
	}
	cmd = h.Command(context.Background(), args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: starting %s: %v", h.Name, strings.Join(args, " "), err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		_ = file.Close()
	})
	return cmd, func() string {
		text, _ := os.ReadFile(file.Name())
		return string(text)
	}
}

// Do calls f on a thread that is in the host's namespace: sockets opened there stay there. f must not start goroutines
// that open sockets.
func (h *Host) Do(t testing.TB, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- h.enter(f) }()
	if err := <-done; err != nil {
		t.Fatalf("%s: entering the namespace: %v", h.Name, err)
	}
}

// enter calls f in the host's namespace, and brings the thread back. (A thread that ended with its goroutine instead, as a locked
// one does, would at times show goleak a goroutine without a stack, at which it panics.)
func (h *Host) enter(f func()) error {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// /proc/PID speaks of a process's first thread, and what looks there would find the process in this namespace.
		defer runtime.UnlockOSThread()
		done := make(chan error, 1)
		go func() { done <- h.enter(f) }()
		return <-done
	}
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(home) }()
	there, err := unix.Open("/run/netns/"+h.Name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(there) }()
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return err
	}
	// By defer, since f may end the goroutine by t.Fatal. A thread that can't be brought back stays locked, and ends.
	defer func() {
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	f()
	return nil
}

// Link joins two hosts by a veth pair and brings both ends up.
func Link(t testing.TB, a *Host, aName string, b *Host, bName string) {
	t.Helper()
	a.Run(t, "ip", "link", "add", aName, "type", "veth", "peer", "name", bName, "netns", b.Name)
	a.Run(t, "ip", "link", "set", aName, "up")
	b.Run(t, "ip", "link", "set", bName, "up")
}

// Eventually calls check every 20 ms until it returns nil, and fails the test with its last error after the limit.
func Eventually(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}
