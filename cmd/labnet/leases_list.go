package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newLeasesList(g *global) *cobra.Command {
	var out format
	var network string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List leases",
		Example: `  labnet leases
  labnet leases list --network lab -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			found, err := client.Leases(cmd.Context(), network)
			if err == nil && len(found) == 0 && network != "" {
				err = knownNetwork(cmd.Context(), client, network)
			}
			if err != nil {
				return err
			}
			switch out {
			case "json":
				return writeJSON(cmd.OutOrStdout(), found)
			case "csv":
				return writeLeasesCSV(cmd.OutOrStdout(), found)
			default:
				return writeLeasesTable(cmd.OutOrStdout(), found, time.Now())
			}
		},
	}
	addFormat(cmd, &out, "table", "json", "csv")
	cmd.Flags().StringVar(&network, "network", "", "only this network's")
	complete(cmd, g, "network", networkNames)
	return cmd
}

// knownNetwork tells a network without leases from one that doesn't exist.
func knownNetwork(ctx context.Context, client *control.Client, network string) error {
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(status.Networks))
	for i, n := range status.Networks {
		if names[i] = n.Name; n.Name == network {
			return nil
		}
	}
	return fmt.Errorf("there is no network %q; there is: %s", network, strings.Join(names, ", "))
}

func writeLeasesTable(w io.Writer, found []control.Lease, now time.Time) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	t.AppendHeader(table.Row{"address", "name", "mac", "state", "expires", "network"})
	for _, l := range found {
		state := l.State
		if l.Reserved {
			state += ", reserved"
		}
		t.AppendRow(table.Row{l.Address, orDash(l.Name), l.MAC, state, expiry(l, now), l.Network})
	}
	_, err := io.WriteString(w, trimLines(t.Render()))
	return err
}

// trimLines takes the padding off line ends, which only gets into the way of pasting.
func trimLines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text + "\n") {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

// leaseColumns are the columns of the CSV: stable.
var leaseColumns = []string{
	"network", "address", "mac", "client_id", "name", "state", "reserved", "start", "expires", "last_seen", "hostname", "vendor_class",
}

func writeLeasesCSV(w io.Writer, found []control.Lease) error {
	out := csv.NewWriter(w)
	rows := [][]string{leaseColumns}
	for _, l := range found {
		rows = append(rows, []string{
			l.Network, l.Address.String(), l.MAC, l.ClientID, l.Name, l.State, strconv.FormatBool(l.Reserved),
			stamp(l.Start), stamp(l.Expires), stamp(l.LastSeen), printable(l.Hostname), printable(l.VendorClass),
		})
	}
	return out.WriteAll(rows)
}
