package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newLeasesWatch(g *global) *cobra.Command {
	var out format
	var f leaseFlags
	var count int
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch what happens to leases, live",
		Long: `Watch what happens to leases: first those that there are, then a line for each that is bound, renewed, changed, released, expired, found in
conflict, or cleared of one. It goes on when the daemon is restarted. Where something may be missing, after a restart or since it was read too
slowly, it says resync and lists the leases anew. Ctrl-C ends it.`,
		Example: `  labnet leases watch
  labnet leases watch --filter name=web* -o ndjson
  labnet leases watch --network lab --count 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			if count < 0 {
				return wrongUse("--count wants a number of events, not %d", count)
			}
			client := control.NewClient(g.quietPaths().Socket)
			if q.Network != "" {
				if err := knownNetwork(cmd.Context(), client, q.Network); err != nil {
					return err
				}
			}
			err = watchLeases(cmd, client, control.LeaseWatch{Network: q.Network, Filter: q.Filter}, count, out)
			if cmd.Context().Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	addFormat(cmd, &out, "text", "ndjson")
	f.add(cmd, g)
	cmd.Flags().IntVar(&count, "count", 0, "end after so many events, not counting the list")
	return cmd
}

// watchLeases prints count events, or all until the end for 0.
func watchLeases(cmd *cobra.Command, client *control.Client, w control.LeaseWatch, count int, out format) error {
	several := w.Network == "" && servesSeveral(cmd.Context(), client)
	seen := 0
	for event, err := range client.WatchLeases(cmd.Context(), w) {
		if err != nil {
			return err
		}
		if out == "ndjson" {
			err = writeJSONLine(cmd.OutOrStdout(), event)
		} else {
			err = writeLeaseEvent(cmd.OutOrStdout(), event, several, time.Local)
		}
		if err != nil {
			return err
		}
		if ofALease(event) {
			seen++
		}
		if count > 0 && seen == count {
			return nil
		}
	}
	return nil
}

// ofALease tells what happened from what is said of the stream.
func ofALease(e control.LeaseEvent) bool { return e.Lease != nil && e.Event != control.EventListed }

// resyncWords says why the leases are listed anew.
var resyncWords = map[string]string{
	control.ResyncStart:   "these are the leases that there are",
	control.ResyncLost:    "events came faster than this could be read; these are the leases that there are",
	control.ResyncRestart: "the daemon was started anew; these are the leases that there are",
}

func writeLeaseEvent(w io.Writer, e control.LeaseEvent, several bool, zone *time.Location) error {
	var line strings.Builder
	at := "            "
	if !e.Time.IsZero() {
		at = e.Time.In(zone).Format("15:04:05.000")
	}
	fmt.Fprintf(&line, "%s %-9s", at, e.Event)
	switch {
	case e.Lease != nil:
		writeEventOfALease(&line, e, several)
	case e.Event == control.EventResync:
		line.WriteString(" " + resyncWords[e.Reason])
	case e.Event == control.EventSynced:
		line.WriteString(" what follows happens now")
	case e.Event == control.EventGone:
		line.WriteString(" the daemon has ended; waiting for it")
	}
	_, err := io.WriteString(w, visible(strings.TrimRight(line.String(), " "))+"\n")
	return err
}

func writeEventOfALease(line *strings.Builder, e control.LeaseEvent, several bool) {
	l := e.Lease
	fmt.Fprintf(line, " %-15s %-17s %s", l.Address, l.MAC, orDash(l.Name))
	switch e.Event {
	case "bound", "renewed":
		if l.Expires.IsZero() {
			line.WriteString(", for ever")
		} else {
			line.WriteString(", for " + l.Expires.Sub(e.Time).Round(time.Second).String())
		}
	case "changed":
		if e.Before != nil && e.Before.Name != l.Name {
			line.WriteString(", was " + orDash(e.Before.Name))
		}
		if e.Before != nil && e.Before.MAC != l.MAC {
			line.WriteString(", was at " + e.Before.MAC)
		}
	case "released", "expired":
		if e.Before != nil && e.Before.Name != "" {
			line.WriteString(", was " + e.Before.Name)
		}
	case "listed":
		line.WriteString(", " + l.State)
	}
	if several {
		line.WriteString(" [" + l.Network + "]")
	}
}
