package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

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
			switch out {
			case "json":
				return writeJSON(cmd.OutOrStdout(), lease)
			case "yaml":
				return writeYAML(cmd.OutOrStdout(), lease)
			}
			return writeLease(cmd.OutOrStdout(), lease, time.Now())
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, "text", "json", "yaml")
	cmd.Flags().StringVar(&network, "network", "", "only in this network")
	complete(cmd, g, "network", networkNames)
	return cmd
}

func writeLease(w io.Writer, l control.Lease, now time.Time) error {
	var text strings.Builder
	line := func(key, value string) { fmt.Fprintf(&text, "%-13s %s\n", key, value) }
	line("address", l.Address.String())
	line("network", l.Network)
	line("name", orDash(l.Name))
	line("mac", l.MAC)
	line("vendor", orDash(newVendors().of(l.MAC)))
	line("client id", orDash(l.ClientID))
	line("state", l.State)
	line("reserved", strconv.FormatBool(l.Reserved))
	line("start", orDash(stamp(l.Start)))
	line("expires", expiry(l, now))
	if l.Port != "" {
		line("port", l.Port)
	}
	line("last seen", orDash(stamp(l.LastSeen)))
	line("asked name", orDash(printable(l.Hostname)))
	line("vendor class", orDash(printable(l.VendorClass)))
	_, err := io.WriteString(w, text.String())
	return err
}
