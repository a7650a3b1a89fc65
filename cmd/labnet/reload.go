package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newReload(g *global) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Let the daemon read its configuration again, and say what came of it",
		Long: `Let the daemon read its configuration again and bring what runs to it, as SIGHUP does, and return when that is done. If the file has errors,
or this host stands against it, what runs stays as it is, and the error says where. An uplink isn't moved: that is for 'labnet apply'.`,
		Example: `  labnet reload
  labnet reload -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			changes, err := control.NewClient(g.quietPaths().Socket).Reload(cmd.Context())
			if err != nil {
				return err
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), changes)
			}
			if len(changes) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "reloaded: nothing was to be changed on this host")
				return err
			}
			return writeChanges(cmd.OutOrStdout(), changes)
		},
	}
	addFormat(cmd, &out, "text", "json")
	return cmd
}
