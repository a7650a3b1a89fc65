package stage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideDir tells the process in the namespaces where its files are; outside it is not set.
const insideDir = "LABNET_BENCH_DIR"

// Inside returns the directory for the benchmark's files, and whether this process runs in the namespaces that Outside made.
func Inside() (dir string, inside bool) { return os.LookupEnv(insideDir) }

// Outside runs this program again, with the same arguments, as process 1 of fresh namespaces, on some CPUs; name stands in messages. Its files
// lie in a directory that is made in parent and removed afterwards; ready, if not nil, may put some there before. Outside returns the exit code.
func Outside(name, parent string, cpus []int, ready func(dir string)) int {
	if err := outside(name, parent, cpus, ready); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
			return exit.ExitCode() // it has said why itself
		}
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

func outside(name, parent string, cpus []int, ready func(dir string)) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, for network namespaces")
	}
	// From here on a signal is for the child, which ends in order, and then so do we.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	dir, err := os.MkdirTemp(parent, name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if ready != nil {
		ready(dir)
	}
	// Both follow the thread that forks: its CPUs, and its end, with which the child ends too.
	runtime.LockOSThread()
	if err := Pin(cpus); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // the terminal's Ctrl-C comes to us alone, and is passed on once
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting in namespaces of its own: %w", err)
	}
	go func() {
		for range signals {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	return cmd.Wait()
}

// Prepare gives the new mount namespace its own /proc, /sys and /run, and brings lo up. Call it first in the process that Outside has started.
func Prepare() error {
	for _, m := range []struct {
		source, target, kind, data string
		flags                      uintptr
	}{
		{"", "/", "", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", "", 0},
		{"sysfs", "/sys", "sysfs", "", 0},
		{"tmpfs", "/run", "tmpfs", "mode=0755", 0},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	return IP("link", "set", "lo", "up")
}

// IP runs ip(8); the error has what it says.
func IP(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
