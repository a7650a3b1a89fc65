package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server that runs.
type process struct {
	cmd  *exec.Cmd
	log  string // a file with what it prints
	done chan struct{}
}

// start runs a command in the bed's namespace, on some CPUs.
func (b *bed) start(cpus []int, env []string, args ...string) (*process, error) {
	p := &process{log: filepath.Join(b.dir, "log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// `ip netns exec` becomes the command: its process id is the server's.
	p.cmd = exec.Command("ip", append([]string{"netns", "exec", b.name}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = out, out, b.dir
	p.cmd.Env = append(os.Environ(), env...)
	started := make(chan error)
	go func() {
		// The thread isn't unlocked: it ends with the goroutine, and nobody else is kept to its CPUs.
		runtime.LockOSThread()
		if err := pinThread(cpus); err != nil {
			started <- err
			return
		}
		started <- p.cmd.Start()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", args[0], err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// stop ends the server, by force if it doesn't.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// ended says whether the server runs no longer.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// cpu is the CPU time of all the server's threads, those that have ended included.
func (p *process) cpu() (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of a process: the scheduler's nanoseconds, not the ticks of /proc/PID/stat
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid)<<3|schedClock, &at); err != nil {
		return 0, fmt.Errorf("reading the server's CPU time: %w", err)
	}
	return time.Duration(at.Nano()), nil
}

// A server is calm when it computes for less than calmShare of calmTime; it is waited for at most calmLimit.
const (
	calmTime  = 200 * time.Millisecond
	calmShare = 50
	calmLimit = 10 * time.Second
)

// calm waits until the server has nothing more to do, and returns its CPU time then.
func (p *process) calm(ctx context.Context) (time.Duration, error) {
	last, err := p.cpu()
	for deadline := time.Now().Add(calmLimit); err == nil && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(calmTime):
		}
		before := last
		if last, err = p.cpu(); last-before < calmTime/calmShare {
			break
		}
	}
	return last, err
}

// memory is the server's resident memory in bytes.
func (p *process) memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no memory", p.cmd.Process.Pid)
}

// lastWords is the end of what the server has printed.
func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-2000):])
}
