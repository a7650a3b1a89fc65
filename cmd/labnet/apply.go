package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newApply(g *global) *cobra.Command {
	var out format
	var within time.Duration
	var force bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Apply the configuration as it is now, with a way back where an uplink is moved",
		Long: `Let the daemon read the configuration again and apply it. Where that makes an uplink a port of a bridge, what the uplink has goes
to the bridge, and comes back after a while unless 'labnet confirm' is run over a new connection to this host: whoever is cut off
is so for that time only. A process that doesn't depend on the daemon stands by for it.`,
		Example: `  labnet apply
  labnet apply --confirm-within 5m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("confirm-within") && (within < 10*time.Second || within > time.Hour) {
				return wrongUse("--confirm-within must be 10s to 1h")
			}
			paths := g.quietPaths()
			client := control.NewClient(paths.Socket)
			answer, err := client.Apply(cmd.Context(), control.ApplyRequest{ConfirmWithin: int(within / time.Second), Force: force})
			if err != nil {
				return err
			}
			if p := answer.Pending; p != nil {
				if err := standBy(cmd.Context(), g, paths.StateDir, p.Token); err != nil {
					return fmt.Errorf("nothing is changed, since the way back couldn't be opened: %w", err)
				}
				steps, notes := p.Steps, p.Notes
				if answer, err = client.Commit(cmd.Context(), p.Token); err != nil {
					return err
				}
				if answer.Pending == nil {
					return errors.New("the daemon has made another change than the one that was asked for; see `labnet status`")
				}
				answer.Pending.Steps, answer.Pending.Notes = steps, notes
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, answer)
			}
			return writeApplied(cmd.OutOrStdout(), answer)
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().DurationVar(&within, "confirm-within", 0, "go back after this time (default: the configuration's)")
	cmd.Flags().BoolVar(&force, "force", false, "overrule what stands against moving the uplink, where that is possible")
	return cmd
}

func writeApplied(w io.Writer, a control.Applied) error {
	if err := writeChanges(w, a.Changes); err != nil {
		return err
	}
	p := a.Pending
	if p == nil {
		if len(a.Changes) == 0 {
			_, err := fmt.Fprintln(w, "applied: nothing was to be changed on this host")
			return err
		}
		return nil
	}
	text := "uplink\n"
	for _, step := range p.Steps {
		text += "  " + step + "\n"
	}
	for _, note := range p.Notes {
		text += "note: " + note + "\n"
	}
	text += fmt.Sprintf(`
%s has what %s had. It goes back in %v, unless this is run over a new connection to this host:

  labnet confirm %s

At once it goes back by 'labnet rollback'.
`, p.Bridge, p.Uplink, time.Duration(p.Within)*time.Second, p.Token)
	_, err := io.WriteString(w, visible(text))
	return err
}

func newConfirm(g *global) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "confirm TOKEN",
		Short: "Make a change of an uplink last",
		Long: `Make the change last that 'labnet apply' has made, and has printed the token of: from now on, and for each start. It counts only
over a connection that began after the change, by SSH, or on a console of the machine: another one doesn't show that the host
can be reached. It needs no daemon.`,
		Example: `  labnet confirm 7GX2KQ1A`,
		Args:    exactArgs(1, "the token that `labnet apply` has printed"),

		ValidArgsFunction: cobra.NoFileCompletions, // it is to be copied from there
		RunE: func(cmd *cobra.Command, args []string) error {
			uplink, bridge, err := confirm(g, cmd.ErrOrStderr(), args[0], force)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "confirmed: %s keeps what %s had, and takes it at each start\n", bridge, uplink)
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "confirm from wherever this is run")
	return cmd
}

func newRollback(g *global) *cobra.Command {
	var out format
	var token string
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Take back a change of an uplink that isn't confirmed",
		Long: `Take the change back that 'labnet apply' has made and nobody has confirmed: the uplink gets what it had, and the configuration that
ran before runs again. What others have changed meanwhile stays. It needs no daemon.`,
		Example: `  labnet rollback`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if token != "" {
				return waitToRollBack(cmd, g, token)
			}
			return rollback(cmd, g, out)
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().StringVar(&token, "stand-by", "", "wait to take back the change of a token, and go when it is confirmed")
	// For the process that `labnet apply` leaves behind.
	_ = cmd.Flags().MarkHidden("stand-by") // it fails for flags that don't exist only
	return cmd
}

// ready is what a process says that stands by.
const ready = "ready\n"

// awaitReady waits until a process says that it stands by.
func awaitReady(ctx context.Context, from io.Reader) error {
	said := make(chan error, 1)
	go func() {
		text := make([]byte, len(ready))
		_, err := io.ReadFull(from, text)
		if err == nil && string(text) != ready {
			err = fmt.Errorf("it says %q", text)
		}
		said <- err
	}()
	select {
	case err := <-said:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
