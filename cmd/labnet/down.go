package main

import (
	"errors"
	"fmt"
	"log/slog"

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
			paths := g.quietPaths()
			changes, err := control.NewClient(paths.Socket).Down(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				if pid, ok := daemon.Running(); ok {
					return fmt.Errorf("a daemon (pid %d) runs here, but not on %s; name its socket with --socket", pid, paths.Socket)
				}
				changes, err = daemon.Down(cmd.Context(), paths, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(),
					&slog.HandlerOptions{Level: slog.LevelWarn})))
			}
			if err != nil {
				return err
			}
			if len(changes) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing of labnet's is up")
				return nil
			}
			return writeChanges(cmd.OutOrStdout(), changes)
		},
	}
}
