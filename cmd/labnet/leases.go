package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newLeases(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "List, show and release leases",
		Example: `  labnet leases
  labnet leases show builder`,
		Args: noArgs,
	}
	list := newLeasesList(g)
	// `labnet leases` alone lists.
	cmd.RunE = list.RunE
	cmd.Flags().AddFlagSet(list.Flags())
	cmd.AddCommand(list, newLeasesShow(g), newLeasesRelease(g))
	return cmd
}

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

func newLeasesShow(g *global) *cobra.Command {
	var out format
	var network string
	cmd := &cobra.Command{
		Use:   "show ADDRESS|NAME|MAC",
		Short: "Show everything about a lease",
		Example: `  labnet leases show 10.0.0.57
  labnet leases show builder`,
		Args: exactArgs(1, "an address, a name or a MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			lease, err := findLease(cmd.Context(), control.NewClient(g.quietPaths().Socket), network, args[0])
			if err != nil {
				return err
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), lease)
			}
			return writeLease(cmd.OutOrStdout(), lease, time.Now())
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, "text", "json")
	cmd.Flags().StringVar(&network, "network", "", "only in this network")
	complete(cmd, g, "network", networkNames)
	return cmd
}

func newLeasesRelease(g *global) *cobra.Command {
	var network string
	cmd := &cobra.Command{
		Use:   "release ADDRESS|NAME|MAC",
		Short: "End a lease at once",
		Long: `End a lease at once: its address and its name are free for others. A guest that still runs isn't told, and goes on using the
address until it renews; shut it down first, or release the lease from within the guest. Needs root.`,
		Example: `  labnet leases release builder`,
		Args:    exactArgs(1, "an address, a name or a MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			lease, err := findLease(cmd.Context(), client, network, args[0])
			if err != nil {
				return err
			}
			if _, err := client.Release(cmd.Context(), lease.Network, lease.Address); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "released %s (%s, %s)\n", lease.Address, lease.MAC, orDash(lease.Name))
			return err
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	cmd.Flags().StringVar(&network, "network", "", "only in this network")
	complete(cmd, g, "network", networkNames)
	return cmd
}

// findLease finds the one lease of a network, "" for any, that key names: an address, a name (a label, or with its domain), or a MAC. A lease in force goes
// before one that has ended.
func findLease(ctx context.Context, client *control.Client, network, key string) (control.Lease, error) {
	all, err := client.Leases(ctx, network)
	if err != nil {
		return control.Lease{}, err
	}
	matches := matching(all, key)
	if label, domain, ok := strings.Cut(strings.TrimSuffix(key, "."), "."); ok && len(matches) == 0 && label != "" {
		// The leases hold labels only; the networks' domains are the status's.
		status, err := client.Status(ctx)
		if err != nil {
			return control.Lease{}, err
		}
		matches = matching(slices.DeleteFunc(all, func(l control.Lease) bool {
			return !slices.ContainsFunc(status.Networks, func(n control.Network) bool {
				return n.Name == l.Network && n.Domain != "" && strings.EqualFold(n.Domain, domain)
			})
		}), label)
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return control.Lease{}, noLeaseError{key}
	}
	places := make([]string, len(matches))
	for i, l := range matches {
		places[i] = l.Address.String() + " in " + l.Network
	}
	return control.Lease{}, fmt.Errorf("%q is ambiguous: %s; name the address, and --network where that isn't enough", key, strings.Join(places, ", "))
}

// noLeaseError says that no lease is named by what was typed.
type noLeaseError struct{ key string }

func (e noLeaseError) Error() string {
	return fmt.Sprintf("no lease has the address, name or MAC %q; see `labnet leases`", e.key)
}

// matching is the leases of an address, a label or a MAC: those in force, or else those that have ended.
func matching(all []control.Lease, key string) []control.Lease {
	addr, addrErr := netip.ParseAddr(key)
	var inForce, ended []control.Lease
	for _, l := range all {
		switch {
		case addrErr == nil && l.Address == addr:
		case addrErr != nil && l.Name != "" && strings.EqualFold(l.Name, key):
		case addrErr != nil && strings.EqualFold(l.MAC, strings.ReplaceAll(key, "-", ":")):
		default:
			continue
		}
		if l.State == "bound" {
			inForce = append(inForce, l)
		} else {
			ended = append(ended, l)
		}
	}
	if len(inForce) > 0 {
		return inForce
	}
	return ended
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

func writeLease(w io.Writer, l control.Lease, now time.Time) error {
	var text strings.Builder
	line := func(key, value string) { fmt.Fprintf(&text, "%-13s %s\n", key, value) }
	line("address", l.Address.String())
	line("network", l.Network)
	line("name", orDash(l.Name))
	line("mac", l.MAC)
	line("client id", l.ClientID)
	line("state", l.State)
	line("reserved", strconv.FormatBool(l.Reserved))
	line("start", orDash(stamp(l.Start)))
	line("expires", expiry(l, now))
	line("last seen", orDash(stamp(l.LastSeen)))
	line("asked name", orDash(printable(l.Hostname)))
	line("vendor class", orDash(printable(l.VendorClass)))
	_, err := io.WriteString(w, text.String())
	return err
}

// expiry is when a lease ends, or ended, in words.
func expiry(l control.Lease, now time.Time) string {
	switch {
	case l.Expires.IsZero():
		return "never"
	case l.Expires.After(now):
		return "in " + l.Expires.Sub(now).Round(time.Second).String()
	default:
		return now.Sub(l.Expires).Round(time.Second).String() + " ago"
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// printable quotes what a guest sent if a terminal or a spreadsheet could take it for more than text.
func printable(s string) string {
	quoted := strconv.QuoteToASCII(s)
	formula := strings.TrimLeft(s, " ")
	if quoted == `"`+s+`"` && !strings.Contains(s, ";") && (formula == "" || !strings.ContainsRune("=+-@", rune(formula[0]))) {
		return s
	}
	// Where the comma is for decimals, spreadsheets take the semicolon for the end of a cell, quotes or not.
	return strings.ReplaceAll(quoted, ";", `\x3b`)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
