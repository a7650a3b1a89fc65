package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/daemon"
)

func newUpgrade(g *global) *cobra.Command {
	var out format
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Let the installed program take the running daemon over",
		Long: `Let the program that stands where the daemon's own did take over its process, with its sockets and what is queued there: no question and no
DHCP message is lost, and the process id stays. It must show first that it starts and can read the configuration; if it doesn't, or doesn't
come to serve, what runs goes on. Nothing has to be installed for it: it also restarts the daemon as it is.`,
		Example: `  labnet upgrade
  labnet upgrade -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			asked, err := client.Upgrade(cmd.Context())
			if err != nil {
				return err
			}
			status, err := awaitUpgrade(cmd.Context(), client, asked, wait)
			if err != nil {
				return err
			}
			if t := status.Takeover; t != nil && t.Failed != "" {
				return fmt.Errorf("labnet %s couldn't take over, and %s runs again: %s", asked.To, status.Version, t.Failed)
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), status.Takeover)
			}
			return writeUpgraded(cmd.OutOrStdout(), status)
		},
	}
	addFormat(cmd, &out, "text", "json")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long the other program may take until it serves")
	return cmd
}

// awaitUpgrade waits for another daemon than the one that was asked.
func awaitUpgrade(ctx context.Context, client *control.Client, asked control.Upgrade, limit time.Duration) (control.Status, error) {
	deadline := time.Now().Add(limit)
	for {
		status, err := client.Status(ctx)
		switch {
		case err == nil && !status.Started.Equal(asked.Started):
			return status, nil
		case err != nil && !errors.Is(err, control.ErrNotRunning):
			return status, err
		case !time.Now().Before(deadline):
			return status, fmt.Errorf("labnet %s doesn't serve after %v; see the log", asked.To, limit)
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func writeUpgraded(w io.Writer, s control.Status) error {
	text := fmt.Sprintf("labnet %s serves (pid %d)\n", s.Version, s.PID)
	if t := s.Takeover; t != nil {
		text = fmt.Sprintf("labnet %s took over from %s (pid %d): guests waited for %d ms, and nothing was lost\n", s.Version, t.From, s.PID, t.Pause)
	}
	_, err := io.WriteString(w, visible(text))
	return err
}

// ownProgram is where this program was started from, and where another version of it will stand: the path that was named, not the file that it
// led to.
func ownProgram() string {
	if path, err := exec.LookPath(os.Args[0]); err == nil {
		if absolute, err := filepath.Abs(path); err == nil {
			return absolute
		}
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return strings.TrimSuffix(path, " (deleted)")
}

// selfTest is what a program does that is asked whether it may take over: cfg has been loaded.
func selfTest(w io.Writer, cfg *config.Config) error {
	if err := daemon.Check(cfg); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, buildVersion())
	return err
}
