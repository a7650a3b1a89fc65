package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
	"labnet/internal/daemon"
)

func newDown(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the network from this host",
		Long: `Remove everything of labnet's from this host: links, addresses, rules, and sysctls back to what they were. A daemon that runs
does it and ends; without one it is done by what was recorded, and no configuration is needed. Leases stay for the next run.`,
		Example: `  labnet down`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			changes, err := takeDown(cmd.Context(), g.quietPaths(), log)
			if err != nil {
				return err
			}
			if len(changes) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing of labnet's is up")
				return err
			}
			return writeChanges(cmd.OutOrStdout(), changes)
		},
	}
}

// endingFor is how long a daemon that doesn't answer may take to serve or to end.
const endingFor = 5 * time.Second

// takeDown lets the daemon take the network down, or does it when there is none. It returns when the daemon is gone, so that
// another may be started.
func takeDown(ctx context.Context, paths daemon.Paths, log *slog.Logger) ([]control.Change, error) {
	client := control.NewClient(paths.Socket)
	for deadline := time.Now().Add(endingFor); ; {
		pid, runs := daemon.Running()
		status, asked := client.Status(ctx)
		changes, err := client.Down(ctx)
		switch {
		case err == nil && asked == nil && status.PID != pid:
			// The daemon of another network namespace: the one that runs here stays.
			return changes, nil
		case err == nil:
			return changes, gone(ctx, pid)
		case !errors.Is(err, control.ErrNotRunning) && !errors.Is(err, control.ErrConflict):
			return nil, err
		case !runs:
			return daemon.Down(ctx, paths, log)
		case time.Now().After(deadline):
			return nil, fmt.Errorf("a daemon (pid %d) runs here, but not on %s; name its socket with --socket", pid, paths.Socket)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// gone waits until the process pid is no longer this network namespace's daemon.
func gone(ctx context.Context, pid int) error {
	for {
		if now, runs := daemon.Running(); !runs || now != pid {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}
