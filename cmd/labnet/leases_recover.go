package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/daemon"
)

func newLeasesRecover(g *global) *cobra.Command {
	var out format
	var setAside bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Say what of a damaged database can be saved, and save it",
		Long: `Say what is wrong with the lease database and the redo log beside it, and what of both can be read. It changes nothing, and exits with 1 if something
is wrong. No daemon may run. Needs root.

With --set-aside it makes a new database of what can be read, and moves the old files into a directory beside it; nothing is ever deleted. If it is
interrupted, run it again: it goes on, and until then no daemon starts. A sound database stays as it is.`,
		Example: `  labnet leases recover
  labnet leases recover --set-aside`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := daemon.Recover(cmd.Context(), g.quietPaths(), setAside)
			if err != nil {
				return err
			}
			if out == "json" {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				err = writeRecovery(cmd.OutOrStdout(), r)
			}
			if err == nil && len(r.Problems) > 0 && r.SetAside == "" {
				err = exitError{exitFailed, nil}
			}
			return err
		},
	}
	addFormat(cmd, &out, "text", "json")
	cmd.Flags().BoolVar(&setAside, "set-aside", false, "make a new database of what can be read, and move the old files away")
	return cmd
}

func writeRecovery(w io.Writer, r daemon.Recovery) error {
	var text strings.Builder
	line := func(key, value string) { fmt.Fprintf(&text, "%-12s %s\n", key, value) }
	line("database", r.Database)
	if len(r.Problems) == 0 {
		line("wrong", "nothing")
	}
	for _, p := range r.Problems {
		line("wrong", p)
	}
	key := "readable"
	if r.SetAside != "" {
		key = "saved"
	}
	line(key, fmt.Sprintf("%d leases, %d of them bound; %d entries of the history; %d reservations", r.Leases, r.Bound, r.History, r.Reservations))
	if r.FromLog > 0 {
		line("", fmt.Sprintf("%d of the leases by the redo log alone", r.FromLog))
	}
	for _, l := range r.Lost {
		line("unreadable", l)
	}
	switch {
	case r.SetAside != "":
		line("set aside", r.SetAside+", with everything that was there; `labnet run` starts on the new database")
	case len(r.Problems) > 0:
		text.WriteString("\nNothing was changed. `labnet leases recover --set-aside` makes a new database of what is readable, and moves this one away.\n")
	}
	_, err := io.WriteString(w, visible(text.String()))
	return err
}
