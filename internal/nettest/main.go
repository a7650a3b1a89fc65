package nettest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside marks the process that already runs in namespaces of its own.
const inside = "LABNET_NETTEST_INSIDE"

// Main runs a package's tests in network, mount and process namespaces of their own, so that no test can touch the host's
// network, and everything that a test makes or starts ends with the test process, even by kill -9. Call it from TestMain;
// it doesn't return. Without root the tests that need namespaces skip themselves (see NeedRoot); everything else runs.
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		// A worker of `go test -fuzz` is the child of a process that is prepared already.
		if slices.Contains(os.Args, "-test.fuzzworker") {
			os.Exit(m.Run())
		}
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "nettest: preparing the namespaces:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	os.Exit(reexec())
}

// NeedRoot skips a test that needs namespaces where there is no privilege for them.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getenv(inside) != "" {
		return
	}
	Skip(t, "this test needs root and nettest.Main in TestMain")
}

// Skip skips a test for want of something. With LABNET_TEST_NO_SKIP=1, which `make test` sets for root, that is a failure.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("LABNET_TEST_NO_SKIP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// reexec starts the test binary again as process 1 of fresh namespaces, and returns its exit code.
func reexec() int {
	// Pdeathsig follows the thread that forked.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "nettest: starting in namespaces of its own:", err)
		return 1
	}
	// The child decides how to end; what `go test` sends on a time-out is passed on.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if code := exit.ExitCode(); code >= 0 {
			return code
		}
		fmt.Fprintln(os.Stderr, "nettest:", err)
		return 2
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nettest:", err)
		return 1
	}
	return 0
}

// prepare gives the new mount namespace its own /proc, /sys and /run, copies of /etc and /var that take writes and forget
// them (DHCP clients write resolv.conf and lease files), and brings lo up.
func prepare() error {
	mounts := []struct {
		source, target, kind, data string
		flags                      uintptr
	}{
		{"", "/", "", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", "", 0},
		{"sysfs", "/sys", "sysfs", "", 0},
		{"tmpfs", "/run", "tmpfs", "mode=0755", 0},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	for _, target := range []string{"/etc", "/var"} {
		if err := forgetful(target); err != nil {
			return err
		}
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("bringing lo up: %w: %s", err, out)
	}
	return nil
}

// forgetful lays a layer in memory over a directory.
func forgetful(target string) error {
	layer := filepath.Join("/run/layers", target)
	upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	data := "lowerdir=" + target + ",upperdir=" + upper + ",workdir=" + work
	if err := unix.Mount("overlay", target, "overlay", 0, data); err != nil {
		return fmt.Errorf("laying a layer over %s: %w", target, err)
	}
	return nil
}
