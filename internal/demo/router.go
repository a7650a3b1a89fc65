package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"labnet/internal/control"
)

// configuration is the whole of what labnet is told in the story.
const configuration = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
}
resolver {
  upstream "lan" {
    servers = ["udp://` + lanServer + `"]
  }
}
`

// router is the real daemon, in a place of its own.
type router struct {
	*place
	dir    string
	cmd    *exec.Cmd
	client *control.Client
	log    *lockedBuffer
	exited chan error
}

// start runs this very binary as the daemon and waits until it serves; it returns how long that took.
func (r *router) start(ctx context.Context) (time.Duration, error) {
	binary, err := os.Executable()
	if err != nil {
		return 0, err
	}
	config := filepath.Join(r.dir, "labnet.hcl")
	if err := os.WriteFile(config, []byte(configuration), 0o644); err != nil {
		return 0, err
	}
	r.cmd = exec.Command(binary, "run", "--config", config, "--state-dir", filepath.Join(r.dir, "state"), "--run-dir", r.dir, "--log-format", "text")
	// A process group of its own, so that Ctrl-C reaches the story alone, which then ends the daemon; and the daemon dies with
	// the story's thread, if that is killed.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.Env = append(os.Environ(), "LABNET_SOCKET="+r.socket(), "NOTIFY_SOCKET=")
	begin := time.Now()
	if err := r.call(r.cmd.Start); err != nil {
		return 0, fmt.Errorf("starting the daemon: %w", err)
	}
	r.exited = make(chan error, 1)
	go func() { r.exited <- r.cmd.Wait() }()
	r.client = control.NewClient(r.socket())
	for {
		if _, err := r.client.Status(ctx); err == nil {
			return time.Since(begin), nil
		}
		select {
		case err := <-r.exited:
			r.exited <- err
			return 0, fmt.Errorf("the daemon ended: %w\n%s", err, r.log)
		case <-ctx.Done():
			return 0, fmt.Errorf("the daemon doesn't serve: %w\n%s", ctx.Err(), r.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r *router) socket() string { return filepath.Join(r.dir, "labnet.sock") }

// down has the daemon remove its network and end, and returns how many changes that took.
func (r *router) down(ctx context.Context) (int, error) {
	changes, err := r.client.Down(ctx)
	if err != nil {
		return 0, err
	}
	select {
	case err = <-r.exited:
		r.cmd = nil
	case <-ctx.Done():
		return 0, fmt.Errorf("the daemon doesn't end: %w\n%s", context.Cause(ctx), r.log)
	}
	if err != nil {
		return 0, fmt.Errorf("the daemon ended badly: %w\n%s", err, r.log)
	}
	return len(changes), nil
}

// stop ends a daemon that still runs. Its place goes with it, so nothing need be put back.
func (r *router) stop() error {
	if r.cmd == nil || r.cmd.Process == nil {
		return nil
	}
	err := r.cmd.Process.Kill()
	<-r.exited
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
