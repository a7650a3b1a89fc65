package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	// maxOutput is how much is kept of what a program prints, in bytes.
	maxOutput = 4096
	// straggling is how long the output of a program that has ended is read to its end, if something still holds it open.
	straggling = time.Second
	// searchPath is the PATH of programs.
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// run runs the hook's program with the event on its standard input, and returns what it printed. When ctx ends, or the time limit, the program
// is killed; with its end, everything that it has left behind in its process group.
func run(ctx context.Context, cfg *Config, e *Event) (output string, err error) {
	body, err := e.body()
	if err != nil {
		return "", err
	}
	credential, err := credentialOf(cfg.User)
	if err != nil {
		return "", err
	}
	var printed scrap
	cmd := exec.Command(cfg.Command[0], cfg.Command[1:]...)
	cmd.Dir = "/"
	cmd.Env = environment(e)
	cmd.Stdin = bytes.NewReader(body)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.WaitDelay = straggling
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: credential}
	// Pdeathsig follows the thread that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
			err = wrapped.Err
		}
		if cfg.User != "" {
			return "", fmt.Errorf("%s can't be started as %q: %w", cfg.Command[0], cfg.User, err)
		}
		return "", fmt.Errorf("%s can't be started: %w", cfg.Command[0], err)
	}
	late := awaitEnd(ctx, cmd.Process.Pid, cfg.Timeout)
	err = cmd.Wait()
	switch {
	case late && ctx.Err() != nil:
		err = ctx.Err()
	case late:
		err = fmt.Errorf("still running after %v, and killed; see timeout", cfg.Timeout)
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil // a daemon that it has started holds its output
	}
	return printed.String(), err
}

// awaitEnd waits until the process is a zombie, and kills its group: at the end of ctx or of the limit to have it end (late), and then
// whatever is left of it. As long as nobody reaps the zombie, its number can't be another process's.
func awaitEnd(ctx context.Context, pid int, limit time.Duration) (late bool) {
	ended := make(chan struct{})
	go waitUnreaped(pid, ended)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
	case <-ctx.Done():
		late = true
	case <-timer.C:
		late = true
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	<-ended
	return late
}

func waitUnreaped(pid int, ended chan<- struct{}) {
	defer close(ended)
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return
		}
	}
}

// environment is all that a program has: nothing of it is a guest's but the name, which is a DNS label.
func environment(e *Event) []string {
	return []string{
		"PATH=" + searchPath,
		"LANG=C.UTF-8",
		"LABNET_EVENT=" + e.Event,
		"LABNET_NETWORK=" + e.Network,
		"LABNET_ADDRESS=" + e.Lease.Address.String(),
		"LABNET_MAC=" + e.Lease.MAC,
		"LABNET_NAME=" + e.Lease.Name,
	}
}

// credentialOf is a user with his groups; nil for "".
func credentialOf(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("there is no user %q", name)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("the groups of %q: %w", name, err)
	}
	credential := &syscall.Credential{}
	for _, id := range append([]string{u.Uid, u.Gid}, ids...) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("the user %q: %q is no number", name, id)
		}
		credential.Groups = append(credential.Groups, uint32(n))
	}
	credential.Uid, credential.Gid = credential.Groups[0], credential.Groups[1]
	credential.Groups = credential.Groups[2:]
	return credential, nil
}

// scrap keeps the beginning of what is written to it.
type scrap struct {
	mu   sync.Mutex // guards text: a program that outlives its time may still write
	text []byte
	more bool
}

func (s *scrap) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := maxOutput - len(s.text)
	s.more = s.more || len(p) > room
	s.text = append(s.text, p[:min(room, len(p))]...)
	return len(p), nil
}

func (s *scrap) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := plain(string(s.text))
	if s.more {
		text += "…"
	}
	return text
}

// plain is foreign text as far as it only prints, on as many lines as it has.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text))
}

// lastLine is what a program that fails says last, cut to what fits a line.
func lastLine(text string) string {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	runes := []rune(line)
	if len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return line
}
