package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideDir tells the process in the namespaces where its files are; outside it is not set.
const insideDir = "LABNET_BENCH_DIR"

// outside runs this program again as process 1 of fresh namespaces, on the CPUs of the clients, and removes what it leaves
// on the disk. It returns the exit code.
func outside(o *options) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "bench-dhcp: needs root, for network namespaces")
		return 1
	}
	// Both follow the thread that forks: its CPUs, and its end, with which the child ends too.
	runtime.LockOSThread()
	if err := pinThread(o.generatorCPUs); err != nil {
		fmt.Fprintln(os.Stderr, "bench-dhcp:", err)
		return 1
	}
	// From here on a signal is for the child, which ends in order, and then so do we.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	dir, err := os.MkdirTemp(o.dir, "bench-dhcp-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-dhcp:", err)
		return 1
	}
	defer os.RemoveAll(dir)
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
		fmt.Fprintln(os.Stderr, "bench-dhcp: starting in namespaces of its own:", err)
		return 1
	}
	go func() {
		for range signals {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-dhcp:", err)
		return 1
	}
	return 0
}

// prepare gives the new mount namespace its own /proc, /sys and /run, and brings lo up.
func prepare() error {
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
	return ip("link", "set", "lo", "up")
}

// pinThread keeps the calling thread, and what it forks, to some CPUs.
func pinThread(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("keeping to CPUs %v: %w", cpus, err)
	}
	return nil
}
