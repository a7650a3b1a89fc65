package main

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
	"labnet/internal/daemon"
)

// historyFlags is what is wanted of the history, as it was typed.
type historyFlags struct {
	network, addr, name, client, since, until, at string
}

func newLeasesHistory(g *global) *cobra.Command {
	var out format
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [ADDRESS|NAME|MAC]",
		Short: "Show who had which address when",
		Long: `Show who had which address when: first what has ended, in the order of the ends, then what is bound. A renewal is no new line; where a guest's name
or MAC changed, two lines adjoin. The state says how it ended: released, expired, declined (the guest found the address in use), replaced by
another client, or changed.

A time is a local date or date and time, or RFC 3339, or how long ago: 2026-03-01, "2026-03-01 14:00", 2026-03-01T14:00:00Z, 24h, 7d. People are
shown local times; JSON, YAML and CSV have UTC. Without a daemon the database in the state directory is read, which needs root.`,
		Example: `  labnet leases history 10.0.0.57
  labnet leases history --addr 10.0.0.57 --at "2026-03-01 14:00"
  labnet leases history --name 'web*' --since 7d -o csv
  labnet leases history --mac 52:54:00:12:34:56`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrongUse("%s wants one address, name or MAC at most; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := f.mean(args[0]); err != nil {
					return exitError{exitWrongUse, err}
				}
			}
			q, err := f.query(time.Now())
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			all, err := g.history(cmd, q, f.domain())
			if err != nil {
				return err
			}
			return writeList(cmd.OutOrStdout(), out, all, tenancyView(time.Local))
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, listFormats...)
	flags := cmd.Flags()
	flags.StringVar(&f.network, "network", "", "only this network's")
	flags.StringVar(&f.addr, "addr", "", "only of an address or a prefix")
	flags.StringVar(&f.name, "name", "", "only under this name, may have * and ?")
	flags.StringVar(&f.client, "mac", "", "only of a MAC, its beginning, or a client id; may have * and ?")
	flags.StringVar(&f.since, "since", "", "only what ended after this time")
	flags.StringVar(&f.until, "until", "", "only what began before this time")
	flags.StringVar(&f.at, "at", "", "only what was at this time")
	cmd.MarkFlagsMutuallyExclusive("at", "since")
	cmd.MarkFlagsMutuallyExclusive("at", "until")
	complete(cmd, g, "network", networkNames)
	complete(cmd, g, "mac", leasedMACs)
	complete(cmd, g, "addr", leasedAddresses)
	return cmd
}

// macLike is how MACs begin that people type, and client identifiers.
var macLike = regexp.MustCompile(`^((mac|arp|hw\d+):)?[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2})+$`)

// mean takes an argument for the flag that it stands for.
func (f *historyFlags) mean(arg string) error {
	field, flag := &f.name, "name"
	if _, err := control.ParseAddressFilter(arg); err == nil {
		field, flag = &f.addr, "addr"
	} else if macLike.MatchString(arg) {
		field, flag = &f.client, "mac"
	}
	if *field != "" {
		return fmt.Errorf("%q and --%s %s: give one of them", arg, flag, *field)
	}
	*field = arg
	return nil
}

// query is what was typed as a query. A name is without its domain there.
func (f *historyFlags) query(now time.Time) (q control.HistoryQuery, err error) {
	q = control.HistoryQuery{Network: f.network, Client: f.client}
	q.Name, _, _ = strings.Cut(f.name, ".")
	if f.addr != "" {
		if q.Addresses, err = control.ParseAddressFilter(f.addr); err != nil {
			return q, fmt.Errorf("--addr: %w", err)
		}
	}
	var at time.Time
	for _, t := range []struct {
		flag, text string
		into       *time.Time
		past       bool
	}{{"since", f.since, &q.Since, true}, {"until", f.until, &q.Until, false}, {"at", f.at, &at, true}} {
		if t.text == "" {
			continue
		}
		if *t.into, err = parseTime(t.text, now, time.Local); err != nil {
			return q, fmt.Errorf("--%s: %w", t.flag, err)
		}
		if t.past && t.into.After(now) {
			return q, fmt.Errorf("--%s %s is in the future", t.flag, t.text)
		}
	}
	if !at.IsZero() {
		q = q.At(at)
	}
	return q.Clean()
}

// domain is what the name has behind its label.
func (f *historyFlags) domain() string {
	_, domain, _ := strings.Cut(strings.TrimSuffix(f.name, "."), ".")
	return domain
}

// history asks the daemon or, where none runs, reads the store.
func (g *global) history(cmd *cobra.Command, q control.HistoryQuery, domain string) (iter.Seq2[control.Tenancy, error], error) {
	ctx, paths := cmd.Context(), g.quietPaths()
	client := control.NewClient(paths.Socket)
	status, err := client.Status(ctx)
	switch {
	case errors.Is(err, control.ErrNotRunning) && domain == "":
		return g.storedHistory(cmd, q, err)
	case errors.Is(err, control.ErrNotRunning):
		return nil, fmt.Errorf("%w; without it only the first label of a name can be looked for", err)
	case err != nil:
		return nil, err
	}
	if domain != "" {
		if q.Network, err = networkOfDomain(status, q.Network, domain); err != nil {
			return nil, err
		}
	}
	all := client.History(ctx, q)
	if q.Network != "" {
		// A network of the past may be gone from the configuration.
		all = orElse(all, func() error { return knownNetwork(ctx, client, q.Network) })
	}
	return all, nil
}

// networkOfDomain is the network of a domain, which must be the one that is meant otherwise, if one is.
func networkOfDomain(status control.Status, network, domain string) (string, error) {
	for _, n := range status.Networks {
		if strings.EqualFold(n.Domain, domain) && (network == "" || network == n.Name) {
			return n.Name, nil
		}
	}
	return "", fmt.Errorf("no network has the domain %q; give the first label of the name alone", domain)
}

// storedHistory reads the store; notRunning says why.
func (g *global) storedHistory(cmd *cobra.Command, q control.HistoryQuery, notRunning error) (iter.Seq2[control.Tenancy, error], error) {
	all, err := daemon.History(cmd.Context(), g.quietPaths(), q)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notRunning
	}
	if err == nil {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "no daemon runs: this is what the database says")
	}
	return all, err
}

// tenancyView is how the history is listed.
func tenancyView(zone *time.Location) listView[control.Tenancy] {
	vendors := newVendors()
	addr := func(a netip.Addr) string {
		if !a.IsValid() { // somebody has changed the row by hand
			return ""
		}
		return a.String()
	}
	local := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.In(zone).Format(time.DateTime)
	}
	lasted := func(t control.Tenancy) string {
		if t.Until.IsZero() {
			return "-"
		}
		return t.Until.Sub(t.Since).String()
	}
	return listView[control.Tenancy]{
		columns: []string{"network", "address", "mac", "client_id", "name", "state", "since", "until", "expires"},
		record: func(t control.Tenancy) []string {
			return []string{
				printable(t.Network), addr(t.Address), printable(t.MAC), printable(t.ClientID), printable(t.Name), printable(t.State),
				stamp(t.Since), stamp(t.Until), stamp(t.Expires),
			}
		},
		narrow: tableView[control.Tenancy]{
			[]string{"address", "name", "mac", "since", "until", "state", "network"},
			func(t control.Tenancy) []string {
				return []string{
					orDash(addr(t.Address)), orDash(printable(t.Name)), printable(t.MAC), local(t.Since), local(t.Until), printable(t.State), printable(t.Network),
				}
			},
		},
		wide: tableView[control.Tenancy]{
			[]string{"address", "name", "mac", "vendor", "since", "until", "lasted", "state", "expires", "network", "client id"},
			func(t control.Tenancy) []string {
				return []string{
					orDash(addr(t.Address)), orDash(printable(t.Name)), printable(t.MAC), orDash(vendors.of(t.MAC)), local(t.Since), local(t.Until), lasted(t),
					printable(t.State), local(t.Expires), printable(t.Network), printable(t.ClientID),
				}
			},
		},
	}
}
