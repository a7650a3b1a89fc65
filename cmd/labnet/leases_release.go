package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newLeasesRelease(g *global) *cobra.Command {
	var network string
	var force, missingOK bool
	cmd := &cobra.Command{
		Use:   "release ADDRESS|NAME|MAC",
		Short: "End a lease at once",
		Long: `End a lease at once: its address and its name are free for others. Before that ARP is asked whether a machine still uses the address: a
guest that runs isn't told, and would go on using it until it renews. Then the lease stays; shut the guest down first, or release the lease from within
it, or use --force. Root may, and who is of a group of api.admins.`,
		Example: `  labnet leases release builder
  labnet leases release 10.0.0.57 --force`,
		Args: exactArgs(1, "an address, a name or a MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			lease, err := findLease(cmd.Context(), client, network, args[0])
			if err == nil {
				_, err = client.Release(cmd.Context(), lease.Network, lease.Address, force)
			}
			if missingOK && missing(err) {
				return nothingToEnd(cmd, client, network)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "released %s (%s, %s)\n", lease.Address, lease.MAC, orDash(lease.Name))
			return err
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also if a machine still uses the address")
	addMissingOK(cmd, &missingOK)
	cmd.Flags().StringVar(&network, "network", "", "only in this network")
	complete(cmd, g, "network", networkNames)
	return cmd
}
