package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/control"
	"labnet/internal/daemon"
	"labnet/internal/migrate"
)

func newLeasesImport(g *global) *cobra.Command {
	var out format
	var network string
	var dryRun bool
	from := formatValue{new(format), formatNames(migrate.Auto)}
	*from.f = format(migrate.Auto)
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Take over the leases of another DHCP server",
		Long: `Take over the leases that dnsmasq, Kea, ISC dhcpd, libvirt or another labnet gave out, so that their clients keep their addresses. Stop that
server first: what it gives out later isn't in the file. FILE may be - for standard input.

Each lease goes to the network that has its address. A client that has another lease here keeps that, and an address that is another client's here,
or reserved for another one, stays so: such leases are refused, with a line for each. Leases that have ended are kept in mind, so that their
clients get their addresses again. To import a file twice does no harm.

Without a daemon the leases go straight into the store of the configuration, so that labnet can be started with them. Needs root.`,
		Example: `  labnet leases import /var/lib/misc/dnsmasq.leases
  labnet leases import --dry-run /var/lib/kea/kea-leases4.csv*
  labnet leases import --network lab /var/lib/dhcp/dhcpd.leases`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),

		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrongUse("%s wants a file at least; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			report := importReport{DryRun: dryRun, Problems: []importProblem{}}
			found, err := readLeaseFiles(cmd.InOrStdin(), args, migrate.Format(*from.f), &report)
			if err != nil {
				return err
			}
			answer, err := importLeases(cmd.Context(), g, cmd.ErrOrStderr(), control.ImportRequest{Network: network, DryRun: dryRun, Leases: importRequest(found)})
			report.add(found, answer)
			if err != nil && len(answer.Results) > 0 {
				err = fmt.Errorf("after %d of %d leases: %w; import the file again, which does no harm to those", len(answer.Results), len(found), err)
			}
			if err != nil {
				return err
			}
			if out != "text" {
				err = writeObject(cmd.OutOrStdout(), out, report)
			} else {
				err = report.write(cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			if err == nil && report.Refused+report.Bad > 0 {
				err = exitError{exitFailed, nil}
			}
			return err
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().Var(&from, "format", "of the files: "+strings.Join(from.known, ", "))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(from.known, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&network, "network", "", "the network that all of them are for")
	complete(cmd, g, "network", networkNames)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would become of them")
	return cmd
}

// formatNames are the names of the formats of lease files, first one before them if there is one.
func formatNames(first ...migrate.Format) []string {
	var names []string
	for _, f := range append(first, migrate.Formats...) {
		names = append(names, string(f))
	}
	return names
}

// readLeaseFiles reads the files, and enters into the report what is no lease.
func readLeaseFiles(stdin io.Reader, names []string, f migrate.Format, report *importReport) ([]migrate.Lease, error) {
	var found []migrate.Lease
	for _, group := range migrate.Groups(names) {
		var latest migrate.Latest
		for _, name := range group {
			err := readLeaseFile(stdin, name, f, migrate.Sink{
				Lease: latest.Add,
				Problem: func(p migrate.Problem) {
					report.Bad++
					report.Problems = append(report.Problems, importProblem{p.File, p.Line, p.Addr, "bad", p.Reason})
				},
				Skipped: func() { report.Skipped++ },
			})
			if errors.Is(err, migrate.ErrFormat) && f == migrate.Auto {
				err = fmt.Errorf("%w; name its format by --format", err)
			}
			if errors.Is(err, migrate.ErrFormat) {
				err = fmt.Errorf("%s: %w", name, err)
			}
			if err != nil {
				return nil, fmt.Errorf("%w; nothing is imported", err)
			}
		}
		found = append(found, latest.Leases()...)
	}
	// Who had a name gets it before those who only asked for it; and of the leases that have ended the oldest come first, so that the last
	// one of a client counts.
	slices.SortStableFunc(found, func(a, b migrate.Lease) int {
		running := func(l *migrate.Lease) bool { return l.State == migrate.Active }
		switch {
		case running(&a) != running(&b):
			return first(running(&a))
		case running(&a):
			return first(a.Name != "") - first(b.Name != "")
		}
		return a.Expiry.Compare(b.Expiry)
	})
	return found, nil
}

// first is for sorting: what it holds for comes first.
func first(holds bool) int {
	if holds {
		return -1
	}
	return 1
}

func readLeaseFile(stdin io.Reader, name string, f migrate.Format, sink migrate.Sink) error {
	in, shown := stdin, "standard input"
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		in, shown = file, name
	}
	_, err := migrate.Read(in, shown, f, sink)
	return err
}

// importLeases gives the leases to the daemon, or to its store where there is no daemon.
func importLeases(ctx context.Context, g *global, errOut io.Writer, request control.ImportRequest) (control.ImportAnswer, error) {
	answer, err := control.NewClient(g.quietPaths().Socket).ImportLeases(ctx, request)
	if !errors.Is(err, control.ErrNotRunning) || len(answer.Results) > 0 {
		return answer, err
	}
	if err := noDaemon(g); err != nil {
		return answer, err
	}
	cfg, err := g.load(errOut)
	if err != nil {
		return answer, err
	}
	answer, err = daemon.Import(ctx, cfg, g.paths(cfg), warnLog(errOut), request)
	if errors.Is(err, control.ErrNotFound) {
		err = errors.New(strings.TrimPrefix(err.Error(), control.ErrNotFound.Error()+": ")) // as the daemon's client says it
	}
	return answer, err
}

// noDaemon is an error where a daemon runs that doesn't answer on the socket.
func noDaemon(g *global) error {
	if pid, runs := daemon.Running(); runs {
		return fmt.Errorf("a daemon (pid %d) runs here, but not on %s; name its socket with --socket", pid, g.quietPaths().Socket)
	}
	return nil
}

func warnLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
