package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/daemon"
)

const (
	defaultConfig   = "/etc/labnet/labnet.hcl"
	defaultStateDir = "/var/lib/labnet"
	defaultRunDir   = "/run/labnet"
	socketName      = "labnet.sock"
)

// global is the flags that every verb knows.
type global struct {
	config   string
	stateDir string
	runDir   string
	socket   string
}

func newRoot() *cobra.Command {
	var g global
	root := &cobra.Command{
		Use:   "labnet",
		Short: "The network of a lab's virtual machines",
		Long: `labnet runs the network of a lab's virtual machines from one HCL file: a bridge, masquerading, DHCP and DNS.

Start with 'labnet demo' to see it work without touching this machine's network, or with 'labnet init routed'.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       buildVersion(),
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&g.config, "config", "c", defaultConfig, "the configuration: a file, or a directory of *.hcl")
	flags.StringVar(&g.stateDir, "state-dir", "", "where leases are kept (default: the configuration's, "+defaultStateDir+")")
	flags.StringVar(&g.runDir, "run-dir", "", "where the control socket is (default: the configuration's, "+defaultRunDir+")")
	flags.StringVar(&g.socket, "socket", "", "the control socket (default: $LABNET_SOCKET, or "+socketName+" in the run directory)")
	for _, flag := range []string{"config", "state-dir", "run-dir", "socket"} {
		completeFiles(root, flag)
	}
	root.SetVersionTemplate("labnet {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return wrongUse("%w; see `%s --help`", err, cmd.CommandPath())
	})
	root.AddCommand(
		newInit(&g), newRun(&g), newCheck(&g), newFmt(&g), newPlan(&g), newApply(&g), newConfirm(&g), newRollback(&g), newDown(&g), newStatus(&g), newLeases(&g), newTAPs(&g), newTop(&g), newTrace(&g), newExplain(&g),
		newCache(&g), newReload(&g), newUpgrade(&g), newDoctor(&g), newImport(&g), newDemo(), newVersion(),
	)
	root.AddCommand(builderVerbs()...)
	return root
}

// adoptCompletion makes cobra's own verb follow the house: wrong use is an error, and there are examples. The writers of root
// must be set before.
func adoptCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Args = noArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.Example = "  source <(labnet completion bash)"
		for _, shell := range cmd.Commands() {
			shell.Args = noArgs
			shell.Example = "  " + shell.CommandPath()
		}
	}
}

// noArgs refuses arguments: for verbs that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.HasSubCommands() {
		return wrongUse("unknown command %q for %q%s", args[0], cmd.CommandPath(), suggestions(cmd, args[0]))
	}
	if len(args) > 0 {
		return wrongUse("%s takes no arguments, but got %q", cmd.CommandPath(), args)
	}
	return nil
}

func suggestions(cmd *cobra.Command, word string) string {
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if found := cmd.SuggestionsFor(word); len(found) > 0 {
		return "; did you mean " + found[0] + "?"
	}
	return "; see `" + cmd.CommandPath() + " --help`"
}

// exactArgs wants n arguments, described for people.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return wrongUse("%s wants %s; see `%s --help`", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

// load reads the configuration; what is wrong with it, warnings included, is printed to errOut.
func (g *global) load(errOut io.Writer) (*config.Config, error) {
	cfg, diags := config.Load(g.config)
	if len(diags.All()) > 0 {
		_ = writeDiagnostics(errOut, diags)
	}
	if diags.HasErrors() {
		return nil, exitError{exitFailed, nil}
	}
	return cfg, nil
}

// paths is where the daemon of a configuration keeps its files. cfg may be nil: then the defaults count.
func (g *global) paths(cfg *config.Config) daemon.Paths {
	state, run := defaultStateDir, defaultRunDir
	if cfg != nil {
		state, run = cfg.Daemon.StateDir, cfg.Daemon.RunDir
	}
	if g.stateDir != "" {
		state = g.stateDir
	}
	if g.runDir != "" {
		run = g.runDir
	}
	socket := filepath.Join(run, socketName)
	if env := os.Getenv("LABNET_SOCKET"); env != "" {
		socket = env
	}
	if g.socket != "" {
		socket = g.socket
	}
	return daemon.Paths{StateDir: state, Socket: socket}
}

// quietPaths is paths for verbs that work without a configuration, and with a broken one: it says where the daemon's files are as far
// as the configuration tells.
func (g *global) quietPaths() daemon.Paths {
	cfg, diags := config.Load(g.config)
	if diags.HasErrors() {
		cfg = nil
	}
	return g.paths(cfg)
}
