package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/daemon"
)

func newRun(g *global) *cobra.Command {
	var ephemeral, confirmed, test bool
	var level, logFormat string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Bring the network up and serve it",
		Long: `Bring the network up and serve it, in the foreground, until SIGTERM or Ctrl-C. The network itself stays up then, so that an
upgrade doesn't cut the guests off; 'labnet down' removes it. SIGHUP reads the configuration again; at SIGUSR2 the program that stands where
this one did takes over, as by 'labnet upgrade'.`,
		Example: `  labnet run
  labnet run -c ./lab.hcl --ephemeral`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Before the configuration is read: what it was a moment later is never missed.
			reload, upgrade := make(chan os.Signal, 1), make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			signal.Notify(upgrade, syscall.SIGUSR2)
			defer signal.Stop(upgrade)
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if level == "" {
				level = cfg.Daemon.LogLevel
			}
			if logFormat == "" {
				logFormat = cfg.Daemon.LogFormat
			}
			parsed, err := daemon.ParseLevel(level)
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			var threshold slog.LevelVar
			threshold.Set(parsed)
			log, err := daemon.NewLogger(os.Stderr, &threshold, logFormat)
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			var setLevel func(string)
			if !cmd.Flags().Changed("log-level") {
				setLevel = func(level string) {
					if parsed, err := daemon.ParseLevel(level); err == nil {
						threshold.Set(parsed)
					}
				}
			}
			if test {
				return selfTest(cmd.OutOrStdout(), cfg)
			}
			return daemon.Run(cmd.Context(), daemon.Options{
				ConfigPath: g.config,
				Config:     cfg,
				Paths:      g.paths(cfg),
				Ephemeral:  ephemeral,
				Confirmed:  confirmed,
				Version:    buildVersion(),
				Log:        log,
				SetLevel:   setLevel,
				Reload:     reload,
				Upgrade:    upgrade,
				Program:    ownProgram(),
				Args:       os.Args[1:],
				Load: func() (*config.Config, error) {
					cfg, diags := config.Load(g.config)
					if diags.HasErrors() {
						return nil, inOneLine(diags)
					}
					return cfg, nil
				},
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&ephemeral, "ephemeral", false, "remove the network when the daemon ends")
	flags.BoolVar(&confirmed, "confirmed", false, "move the uplink of a bridged network without asking: for machines that nobody is logged into")
	flags.BoolVar(&test, daemon.SelfTestFlag, false, "load what a start needs, print the version, and end")
	_ = flags.MarkHidden(daemon.SelfTestFlag) // it fails for flags that don't exist only
	flags.StringVar(&level, "log-level", "", "debug, info, warn or error (default: the configuration's)")
	flags.StringVar(&logFormat, "log-format", "", "auto, text, json or journal (default: the configuration's)")
	completeFixed(cmd, "log-level", "debug", "info", "warn", "error")
	completeFixed(cmd, "log-format", "auto", "text", "json", "journal")
	return cmd
}

// inOneLine is what is wrong with a file, for the log.
func inOneLine(diags *config.Diagnostics) error {
	var errs []string
	for _, d := range diags.All() {
		if d.Severity == config.SeverityError {
			errs = append(errs, fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Summary))
		}
	}
	return errors.New(strings.Join(errs, "; "))
}
