package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"labnet/internal/demo"
)

func newDemo() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See labnet work, without touching this machine's network",
		Long: `Make a LAN, a router and two guests in network namespaces of their own, run the real daemon on the router, and tell what
happens. This machine's network isn't touched and nothing is left behind. Needs root and nothing else.`,
		Example: `  sudo labnet demo
  sudo labnet demo --keep`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A terminal that is closed must not leave the demo's directory behind.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			return demo.Run(ctx, cmd.OutOrStdout(), keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave it up until Ctrl-C, to look around")
	return cmd
}
