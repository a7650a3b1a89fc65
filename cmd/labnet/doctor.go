package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/daemon"
	"labnet/internal/doctor"
)

func newDoctor(g *global) *cobra.Command {
	var out format
	var name string
	cmd := &cobra.Command{
		Use:   "doctor [GUEST]",
		Short: "Find out what is wrong with the network, or with one guest",
		Long: `Look at everything between a guest and the world, in the order in which a packet meets it, and say what is wrong with it and what to do:
the configuration, the daemon, bridges and ports, DHCP, DNS, labnet's rules, the way out, upstreams, and what else lives on the host. With a GUEST,
by its name, address, MAC or port, look at that one: is it plugged in and heard, has it a lease and why not, a name, does it answer, how would it get out.

It changes nothing. It sends what it needs to know: ARP and ping to the guest, ARP to the router and to published guests, of
which it opens and closes a published TCP port, DNS questions to the gateways and upstreams. It also works without a daemon, and with a configuration that doesn't load, as far as that goes. Root sees everything.

The exit code is 1 if something fails; warnings don't count.`,
		Example: `  labnet doctor
  labnet doctor vm1
  labnet doctor 52:54:00:12:34:56 -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrongUse("%s wants one guest at most, but got %q", cmd.CommandPath(), args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			sources := doctorSources(g, name)
			var found doctor.Report
			if len(args) == 1 {
				found = doctor.ExamineGuest(cmd.Context(), sources, args[0])
			} else {
				found = doctor.Examine(cmd.Context(), sources)
			}
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			var err error
			if out != "text" {
				err = writeObject(cmd.OutOrStdout(), out, found)
			} else {
				err = writeReport(cmd.OutOrStdout(), found)
			}
			if err == nil && found.Status == doctor.Fail {
				return exitError{exitFailed, nil}
			}
			return err
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().StringVar(&name, "name", "example.org", "the name of the outside that DNS is asked for")
	_ = cmd.RegisterFlagCompletionFunc("name", cobra.NoFileCompletions) // fails for flags that don't exist only
	return cmd
}

// doctorSources is where the doctor gets to know things from.
func doctorSources(g *global, name string) doctor.Sources {
	cfg, diags := config.Load(g.config)
	s := doctor.Sources{Config: cfg, Name: name, ResolvConf: hostResolvers}
	if diags.HasErrors() {
		s.Config, s.ConfigError = nil, firstError(diags)
	}
	paths := g.paths(s.Config)
	quiet := slog.New(slog.DiscardHandler)
	s.Client = control.NewClient(paths.Socket)
	s.Plan = func() ([]control.Change, []control.Problem, []control.Note, error) {
		p, err := daemon.Plan(cfg, paths, quiet)
		return p.Changes, p.Problems, p.Notes, err
	}
	s.Counters = func() (map[string]uint64, error) { return daemon.Counters(paths, quiet) }
	s.StoredLeases = func(ctx context.Context) ([]control.Lease, error) { return daemon.StoredLeases(ctx, paths, quiet) }
	return s
}

// firstError is a configuration's first error in a line.
func firstError(diags *config.Diagnostics) string {
	for _, d := range diags.All() {
		switch {
		case d.Severity != config.SeverityError:
		case d.Line == 0:
			return fmt.Sprintf("%s: %s", d.File, d.Summary)
		default:
			return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Summary)
		}
	}
	return "the configuration doesn't load"
}

// hostResolvers are the servers of /etc/resolv.conf.
func hostResolvers() (servers []netip.AddrPort) {
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "nameserver" {
			if addr, err := netip.ParseAddr(fields[1]); err == nil {
				servers = append(servers, netip.AddrPortFrom(addr, 53))
			}
		}
	}
	return servers
}

var reportMarks = map[doctor.Status]string{doctor.OK: "[ ok ]", doctor.Warn: "[warn]", doctor.Fail: "[fail]"}

var markColours = map[doctor.Status]colour{doctor.OK: good, doctor.Warn: so, doctor.Fail: bad}

// writeReport prints a line for each finding, and the fix below it.
func writeReport(w io.Writer, r doctor.Report) error {
	var text strings.Builder
	for _, f := range r.Findings {
		area := f.Area
		if f.Network != "" {
			area += " " + f.Network
		}
		fmt.Fprintf(&text, "%s %-18s %s\n", tint(w, markColours[f.Status], reportMarks[f.Status]), oneLine(area), oneLine(f.What))
		if f.Fix != "" && f.Status != doctor.OK {
			fmt.Fprintf(&text, "%26s%s\n", "", oneLine(f.Fix))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
