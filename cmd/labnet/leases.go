package main

import "github.com/spf13/cobra"

func newLeases(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "List leases, and all that can be asked and done about them",
		Example: `  labnet leases
  labnet leases show builder
  labnet leases history 10.0.0.57`,
		Args: noArgs,
	}
	list := newLeasesList(g)
	// `labnet leases` alone lists.
	cmd.RunE = list.RunE
	cmd.Flags().AddFlagSet(list.Flags())
	cmd.AddCommand(
		list,
		newLeasesShow(g),
		newLeasesHistory(g),
		newLeasesWatch(g),
		newLeasesWait(g),
		newLeasesRelease(g),
		newLeasesReserve(g),
		newLeasesUnreserve(g),
		newLeasesReservations(g),
		newLeasesImport(g),
		newLeasesExport(g),
		newLeasesRecover(g),
	)
	return cmd
}
