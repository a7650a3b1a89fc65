package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/daemon"
)

func newCheck(g *global) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell what is wrong with a configuration",
		Long: `Tell everything that is wrong with a configuration, at once and with its place. It looks at the file, and whether the block
lists that it names can be read; 'labnet plan' also looks at this host.`,
		Example: `  labnet check
  labnet check ./lab.hcl -o json`,
		Args: optionalFile(g),

		ValidArgsFunction: oneFile,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, diags := config.Load(g.config)
			if !diags.HasErrors() {
				if err := daemon.Check(cfg); err != nil {
					diags.Add(g.config, err.Error(), "Two networks say different things about one name; leave one of them out.")
				}
			}
			if out == "json" {
				if err := writeJSON(cmd.OutOrStdout(), diags); err != nil {
					return err
				}
			} else if err := writeDiagnostics(cmd.OutOrStdout(), diags); err != nil {
				return err
			}
			if diags.HasErrors() {
				return exitError{exitFailed, nil}
			}
			if out == "json" {
				return nil
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: fine (%s)\n", g.config, count(len(cfg.Networks), "network"))
			return err
		},
	}
	addFormat(cmd, &out, "text", "json")
	return cmd
}

// optionalFile takes the configuration as an argument too.
func optionalFile(g *global) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 1 && !cmd.Flags().Changed("config"):
			g.config = args[0]
			return nil
		case len(args) > 0:
			return wrongUse("%s wants one file; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
		}
		return nil
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
