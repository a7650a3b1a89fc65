package stage

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

// Process is a server that runs.
type Process struct {
	cmd  *exec.Cmd
	log  string // a file with what it prints
	done chan struct{}
}

// Command is what Start starts.
type Command struct {
	Namespace string   // a named network namespace; "" is the benchmark's own
	Dir       string   // its working directory, where its log goes too
	CPUs      []int    // that it is kept to
	Env       []string // beside our own
	Args      []string
}

// Start starts a server. The caller stops it.
func Start(c Command) (*Process, error) {
	p := &Process{log: filepath.Join(c.Dir, "log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	args := c.Args
	if c.Namespace != "" {
		// `ip netns exec` becomes the command: its process id is the server's.
		args = append([]string{"ip", "netns", "exec", c.Namespace}, args...)
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = out, out, c.Dir
	p.cmd.Env = append(os.Environ(), c.Env...)
	started := make(chan error)
	go func() {
		// The thread isn't unlocked: it ends with the goroutine, and nobody else is kept to its CPUs.
		runtime.LockOSThread()
		if err := Pin(c.CPUs); err != nil {
			started <- err
			return
		}
		started <- p.cmd.Start()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Args[0], err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// Stop ends the server, by force if it doesn't within ten seconds.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// PID is the server's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended says whether the server runs no longer.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// CPU is the CPU time of all the server's threads and children, those that have ended included; of children that have
// ended to 10 ms.
func (p *Process) CPU() (time.Duration, error) {
	own, err := cpuTime(p.PID())
	if err != nil {
		return 0, fmt.Errorf("reading the server's CPU time: %w", err)
	}
	reaped, err := p.reaped()
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of the server's children: %w", err)
	}
	return own + reaped + p.living(), nil
}

// cpuTime is that of all the threads of one process.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of a process: the scheduler's nanoseconds, not the ticks of /proc/PID/stat
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|schedClock, &at); err != nil {
		return 0, err
	}
	return time.Duration(at.Nano()), nil
}

// reaped is the CPU time of children that have ended.
func (p *Process) reaped() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, err
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 for every program, whatever the kernel's own is
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p.PID(), len(fields))
	}
	var sum time.Duration
	for _, field := range fields[13:15] { // cutime and cstime of proc(5), whose first two fields are cut off
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// living is the CPU time of children that run: dnsmasq has one for each TCP connection.
func (p *Process) living() time.Duration {
	var sum time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.PID()))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for child := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(child)
			if err != nil {
				continue
			}
			if used, err := cpuTime(pid); err == nil { // else it has just ended
				sum += used
			}
		}
	}
	return sum
}

// A server is calm when it computes for less than calmShare of calmTime; it is waited for at most calmLimit.
const (
	calmTime  = 200 * time.Millisecond
	calmShare = 50
	calmLimit = 10 * time.Second
)

// Calm waits until the server has nothing more to do, for ten seconds at most, and returns its CPU time then.
func (p *Process) Calm(ctx context.Context) (time.Duration, error) {
	last, err := p.CPU()
	for deadline := time.Now().Add(calmLimit); err == nil && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(calmTime):
		}
		before := last
		if last, err = p.CPU(); last-before < calmTime/calmShare {
			break
		}
	}
	return last, err
}

// Memory is the server's resident memory in bytes, without files in memory and other memory that it may share.
func (p *Process) Memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	var sum int64
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "RssAnon" && name != "RssFile" {
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += kib << 10
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has no memory", p.PID())
	}
	return sum, nil
}

// LastWords is the end of what the server has printed.
func (p *Process) LastWords() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-2000):])
}
