package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"labnet/internal/config"
)

func newFmt(g *global) *cobra.Command {
	var checkOnly bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE…]",
		Short: "Format configuration files",
		Long: `Format configuration files in place, and print the names of those that changed; of a directory every *.hcl. - reads standard
input and prints. Default: the file or directory of --config.`,
		Example: `  labnet fmt lab.hcl
  labnet fmt --check *.hcl`,
		Args: cobra.ArbitraryArgs,

		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{g.config}
			} else if cmd.Flags().Changed("config") {
				return wrongUse("%s wants files by --config or as arguments, not both", cmd.CommandPath())
			}
			paths, err := files(args)
			if err != nil {
				return err
			}
			var errs []error
			differ := false
			for _, path := range paths {
				changed, err := formatFile(cmd, path, checkOnly)
				errs = append(errs, err)
				differ = differ || changed
			}
			if err := errors.Join(errs...); err != nil {
				return err
			}
			if checkOnly && differ {
				return exitError{exitFailed, nil}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&checkOnly, "check", false, "change nothing; exit 1 if a file isn't formatted")
	return cmd
}

// files puts the *.hcl of a directory in its place.
func files(args []string) ([]string, error) {
	var all []string
	for _, path := range args {
		if info, err := os.Stat(path); path == "-" || err != nil || !info.IsDir() {
			all = append(all, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && strings.HasSuffix(e.Name(), ".hcl") && !strings.HasPrefix(e.Name(), ".") {
				all = append(all, filepath.Join(path, e.Name()))
			}
		}
	}
	return all, nil
}

// formatFile formats one file and reports whether it wasn't.
func formatFile(cmd *cobra.Command, path string, checkOnly bool) (changed bool, err error) {
	out := cmd.OutOrStdout()
	var text []byte
	if path == "-" {
		text, err = io.ReadAll(cmd.InOrStdin())
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return false, err
	}
	formatted, diags := config.Format(text, path)
	if diags.HasErrors() {
		_ = writeDiagnostics(cmd.ErrOrStderr(), diags)
		return false, fmt.Errorf("%s is left alone", path)
	}
	changed = !bytes.Equal(text, formatted)
	if path == "-" && !checkOnly {
		_, err = out.Write(formatted)
		return changed, err
	}
	if !changed {
		return false, nil
	}
	fmt.Fprintln(out, path)
	if checkOnly {
		return true, nil
	}
	return true, replaceFile(path, formatted)
}

// replaceFile writes a file whole or not at all: a full disk must not cost anybody's configuration.
func replaceFile(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".labnet-fmt-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	// By sudo, a user's file stays the user's.
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && (int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid()) {
		err = errors.Join(err, file.Chown(int(owner.Uid), int(owner.Gid)))
	}
	err = errors.Join(err, file.Chmod(info.Mode().Perm()), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
