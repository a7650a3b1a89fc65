package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"labnet/internal/config"
)

func newInit(g *global) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init routed|bridged [FILE]",
		Short: "Write a commented configuration to start from",
		Long:  "Write a commented configuration to start from, to FILE (default: that of --config; - for standard output). An existing file is left alone.",
		Example: `  labnet init routed
  labnet init bridged -
  labnet init routed ./lab.hcl && labnet check -c ./lab.hcl`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []cobra.Completion{word("bridged", "guests are machines of the LAN"), word("routed", "a network of their own behind this host")}, cobra.ShellCompDirectiveNoFileComp
			}
			return oneFile(nil, args[1:], "")
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return wrongUse("labnet init wants a mode, and may be given a file; see `labnet init --help`")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := config.Starter(args[0])
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			path := g.config
			if len(args) == 2 {
				if cmd.Flags().Changed("config") {
					return wrongUse("%s wants one file, by --config or as an argument", cmd.CommandPath())
				}
				path = args[1]
			}
			if path == "-" {
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			if err := writeStarter(path, text, force); err != nil {
				return err
			}
			flag := ""
			if path != defaultConfig {
				flag = " -c " + path
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\nnext: look at it, then `labnet plan%s` and `labnet run%s`\n", path, flag, flag)
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	return cmd
}

func writeStarter(path string, text []byte, force bool) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory; name a file in it", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		if force {
			return replaceFile(path, text)
		}
		return fmt.Errorf("%s exists and is left alone; name another file, or overwrite it with --force", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		// Half of it would stand in the way of the next try.
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
