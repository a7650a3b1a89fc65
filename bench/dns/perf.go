package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// recording is perf at work; nil is none.
type recording struct{ cmd *exec.Cmd }

// record lets perf watch a server in its first measurement of a kind, if that is wanted.
func (b *bench) record(run string, s *server) (*recording, error) {
	k := key{run, s.subject.name}
	if b.opts.perf == "" || s.process == nil || b.recorded[k] {
		return nil, nil
	}
	b.recorded[k] = true
	file := fmt.Sprintf("%s.%s.%s", b.opts.perf, run, s.subject.name)
	// By the clock, since virtual machines often have no counters of events.
	cmd := exec.Command("perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "1999", "-p", strconv.Itoa(s.process.PID()), "-o", file)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("perf, of Debian's package linux-perf: %w", err)
	}
	time.Sleep(300 * time.Millisecond) // until it has attached itself
	return &recording{cmd}, nil
}

func (r *recording) stop() {
	if r != nil {
		_ = r.cmd.Process.Signal(unix.SIGINT)
		_ = r.cmd.Wait()
	}
}
