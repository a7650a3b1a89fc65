package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"labnet/internal/daemon"
)

// standBy leaves a process behind that takes the change of a token back in time, whatever becomes of this one, of its terminal and of
// the daemon, and returns when it stands by.
func standBy(ctx context.Context, g *global, stateDir, token string) error {
	if done, err := standByUnit(ctx, g, token); done || err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-c", g.config, "--state-dir", stateDir, "rollback", "--stand-by", token)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	cmd.Dir = "/"
	// Nothing that it might write to may end with this process.
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := awaitReady(waiting, out); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("the process that is to stand by doesn't: %w", err)
	}
	return cmd.Process.Release()
}

// waitToRollBack is the process that standBy leaves behind.
func waitToRollBack(cmd *cobra.Command, g *global, token string) error {
	// Of all processes this is the last that may go when memory is short.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0) // as far as it may
	log := slog.New(slog.DiscardHandler)
	return daemon.StandBy(cmd.Context(), g.quietPaths(), token, func() error {
		_, err := io.WriteString(cmd.OutOrStdout(), ready)
		return errors.Join(err, tellSystemd())
	}, log)
}

func confirm(g *global, errOut io.Writer, token string, force bool) (uplink, bridge string, err error) {
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return daemon.Confirm(g.quietPaths(), token, session(), force, log)
}

func rollback(cmd *cobra.Command, g *global, out format) error {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	back, err := daemon.Rollback(cmd.Context(), g.quietPaths(), log)
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if out != "text" {
		err = writeObject(w, out, back)
	} else if _, err = fmt.Fprintf(w, "%s has again what %s had\n", back.Uplink, back.Bridge); err == nil && len(back.Differences) == 0 {
		_, err = fmt.Fprintln(w, "it is what it was before")
	}
	if err == nil && len(back.Differences) > 0 {
		return fmt.Errorf("%s isn't what it was before: %s", back.Uplink, strings.Join(back.Differences, "; "))
	}
	return err
}
