package main

import "github.com/spf13/cobra"

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
