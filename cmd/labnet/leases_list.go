package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newLeasesList(g *global) *cobra.Command {
	var out format
	var f leaseFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List leases",
		Long: `List leases, by network and address: those in force and those that have ended. The guests of a bridged network, to whom the
LAN gives addresses, are listed as observed.

A filter is FIELD=VALUE or FIELD!=VALUE, with commas between several, which must all hold. A value may be several with | between them; texts may have
* and ?, an address may be a prefix, and a MAC the beginning of one. The fields are those of the JSON.`,
		Example: `  labnet leases list
  labnet leases --filter state=bound,network=lab --sort -expires
  labnet leases --filter 'name=web*|db*' -o wide
  labnet leases --filter mac=52:54:00,address=10.0.0.0/28 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			client := control.NewClient(g.quietPaths().Socket)
			all := client.Leases(cmd.Context(), q)
			if q.Network != "" {
				all = orElse(all, func() error { return knownNetwork(cmd.Context(), client, q.Network) })
			}
			return writeList(cmd.OutOrStdout(), out, all, leaseView(time.Now()))
		},
	}
	addFormat(cmd, &out, listFormats...)
	f.add(cmd, g)
	cmd.Flags().StringVar(&f.sort, "sort", "", "fields to sort by, with commas between them, - before one for descending order")
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(control.LeaseFields, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// leaseFlags is which leases are wanted, as it was typed.
type leaseFlags struct {
	network, sort string
	filters       []string
}

func (f *leaseFlags) add(cmd *cobra.Command, g *global) {
	cmd.Flags().StringVar(&f.network, "network", "", "only this network's")
	cmd.Flags().StringArrayVar(&f.filters, "filter", nil, "only those for which it holds, e.g. state=bound,name=web*")
	complete(cmd, g, "network", networkNames)
	_ = cmd.RegisterFlagCompletionFunc("filter", cobra.FixedCompletions(
		[]string{"state=bound", "state=declined", "state=released", "state=expired", "state=observed", "reserved=true", "name=", "mac=", "address="},
		cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

func (f *leaseFlags) query() (q control.LeaseQuery, err error) {
	q.Network = f.network
	if q.Filter, err = control.ParseLeaseFilter(strings.Join(f.filters, ",")); err != nil {
		return q, fmt.Errorf("--%w", err)
	}
	if q.Order, err = control.ParseLeaseOrder(f.sort); err != nil {
		return q, fmt.Errorf("--%w", err)
	}
	return q, nil
}

// orElse is the entries of all or, without any, the error of otherwise.
func orElse[T any](all iter.Seq2[T, error], otherwise func() error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		empty := true
		for v, err := range all {
			empty = false
			if !yield(v, err) {
				return
			}
		}
		if empty {
			if err := otherwise(); err != nil {
				var none T
				yield(none, err)
			}
		}
	}
}

// knownNetwork tells a network without leases from one that doesn't exist.
func knownNetwork(ctx context.Context, client *control.Client, network string) error {
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(status.Networks))
	for i, n := range status.Networks {
		if names[i] = n.Name; n.Name == network {
			return nil
		}
	}
	return fmt.Errorf("there is no network %q; there is: %s", network, strings.Join(names, ", "))
}

// leaseView is how leases are listed.
func leaseView(now time.Time) listView[control.Lease] {
	vendors := newVendors()
	state := func(l control.Lease) string {
		if l.Reserved {
			return l.State + ", reserved"
		}
		return l.State
	}
	return listView[control.Lease]{
		columns: []string{
			"network", "address", "mac", "client_id", "name", "state", "reserved", "start", "expires", "last_seen", "hostname", "vendor_class",
		},
		record: func(l control.Lease) []string {
			return []string{
				l.Network, l.Address.String(), l.MAC, l.ClientID, l.Name, l.State, strconv.FormatBool(l.Reserved),
				stamp(l.Start), stamp(l.Expires), stamp(l.LastSeen), printable(l.Hostname), printable(l.VendorClass),
			}
		},
		narrow: tableView[control.Lease]{
			[]string{"address", "name", "mac", "state", "expires", "network"},
			func(l control.Lease) []string {
				return []string{l.Address.String(), orDash(shownName(l)), l.MAC, state(l), expiry(l, now), l.Network}
			},
		},
		wide: tableView[control.Lease]{
			[]string{"address", "name", "mac", "vendor", "state", "expires", "last seen", "network", "client id", "asked name", "vendor class"},
			func(l control.Lease) []string {
				return []string{
					l.Address.String(), orDash(shownName(l)), l.MAC, orDash(vendors.of(l.MAC)), state(l), expiry(l, now), ago(l.LastSeen, now), l.Network,
					l.ClientID, orDash(printable(l.Hostname)), orDash(printable(l.VendorClass)),
				}
			},
		},
	}
}
