package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"

	"labnet/internal/daemon"
)

const serviceUnit = "labnet.service"

// standByUnit lets systemd run the process that stands by, where it runs the daemon: then it isn't of the session of whoever applies, which may
// end when the network changes, with all that it has started. done is false where that isn't so.
func standByUnit(ctx context.Context, g *global, token string) (done bool, err error) {
	// The unit has no other files than the service's.
	if g.config != defaultConfig || g.stateDir != "" || g.runDir != "" || !isService(daemon.Running()) {
		return false, nil
	}
	unit := rollbackUnit(token)
	if exec.CommandContext(ctx, "systemctl", "cat", "--", unit).Run() != nil {
		return false, nil // a service that somebody has written himself
	}
	waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// It returns when the process stands by.
	if out, err := exec.CommandContext(waiting, "systemctl", "start", "--", unit).CombinedOutput(); err != nil {
		return false, fmt.Errorf("starting %s: %w: %s", unit, err, strings.TrimSpace(string(out)))
	}
	return true, nil
}

func rollbackUnit(token string) string { return "labnet-rollback@" + token + ".service" }

// isService reports whether a process is that of the service in this network namespace, by the last part of its control group's path, cgroups(7).
func isService(pid int, runs bool) bool {
	if !runs {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if path.Base(strings.TrimSpace(line)) == serviceUnit {
			return true
		}
	}
	return false
}

// tellSystemd says that this process is ready, where systemd waits for that.
func tellSystemd() error {
	_, err := sdnotify.SdNotify(false, sdnotify.SdNotifyReady)
	return err
}
