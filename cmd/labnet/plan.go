package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"labnet/internal/control"
	"labnet/internal/daemon"
)

func newPlan(g *global) *cobra.Command {
	var out format
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what `run` would change on this host",
		Long: `Show what 'labnet run' would change on this host now, and what stands against it. It changes nothing, and prints nothing when
there is nothing to do. Needs root, to read the rules of the kernel.`,
		Example: `  labnet plan -c ./lab.hcl
  labnet plan --detailed-exitcode || echo "something to do"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			prospect, err := daemon.Plan(cfg, g.paths(cfg), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if out != "text" {
				err = writeObject(w, out, prospect)
			} else {
				err = writeChanges(w, prospect.Changes)
				writeProblems(cmd, prospect.Problems)
				writeReturnRoutes(cmd.ErrOrStderr(), prospect.Routes)
				writeNotes(cmd, prospect.Notes)
			}
			switch {
			case err != nil:
				return err
			case prospect.Refused():
				return exitError{exitFailed, nil}
			case detailed && len(prospect.Changes) > 0:
				return exitError{exitChanges, nil}
			}
			return nil
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there is something to do")
	return cmd
}

// writeProblems prints problems to standard error: they are not part of what a plan prints.
func writeProblems(cmd *cobra.Command, problems []control.Problem) {
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), problemLine(p))
	}
}

func writeNotes(cmd *cobra.Command, notes []control.Note) {
	for _, n := range notes {
		line := "note: "
		if n.Network != "" {
			line += fmt.Sprintf("network %q: ", n.Network)
		}
		line += n.Text
		if n.Hint != "" {
			line += "\n  " + n.Hint
		}
		fmt.Fprintln(cmd.ErrOrStderr(), visible(line))
	}
}

func problemLine(p control.Problem) string {
	line := "warning: "
	if p.Fatal {
		line = "error: "
	}
	if p.Network != "" {
		line += fmt.Sprintf("network %q: ", p.Network)
	}
	line += p.Summary
	if p.Remedy != "" {
		line += "\n  " + p.Remedy
	}
	return visible(line)
}
