package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/control"
	"labnet/internal/daemon"
	"labnet/internal/migrate"
)

func newLeasesExport(g *global) *cobra.Command {
	var network string
	var subnet uint32
	to := formatValue{new(format), formatNames()}
	*to.f = format(migrate.JSON)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the leases for another DHCP server",
		Long: `Write the leases as a file that another DHCP server reads, so that its clients keep their addresses: for dnsmasq, Kea, ISC dhcpd or libvirt,
or as labnet's own JSON, which import reads. dnsmasq and libvirt keep leases in force only; the others know of those that have ended, too.

Kea numbers its subnets: --subnet-id is the number of the network, or of the first one; the others follow by their names.

Without a daemon the leases are read from the store. Then it needs root.`,
		Example: `  labnet leases export --format dnsmasq > dnsmasq.leases
  labnet leases export --format kea --network lab --subnet-id 7 > kea-leases4.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := exported(cmd.Context(), g, network, cmd.ErrOrStderr())
			f := migrate.Format(*to.f)
			if f == migrate.JSON {
				return writeList(cmd.OutOrStdout(), "json", all, listView[control.Lease]{})
			}
			var found []migrate.Lease
			networks := map[string]uint32{}
			for l, err := range all {
				if err != nil {
					return err
				}
				one, err := exportedLease(l)
				if err != nil {
					return fmt.Errorf("%v: %w", l.Address, err)
				}
				one.File = l.Network // tells the subnet
				if _, known := networks[l.Network]; !known {
					networks[l.Network] = subnet + uint32(len(networks))
				}
				found = append(found, one)
			}
			omitted, err := migrate.Write(cmd.OutOrStdout(), found, migrate.Target{
				Format: f, Subnet: func(l *migrate.Lease) uint32 { return networks[l.File] },
			})
			if err == nil && omitted > 0 {
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "left out, since the format has no place for them: %d\n", omitted)
			}
			return err
		},
	}
	cmd.Flags().Var(&to, "format", strings.Join(to.known, ", "))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(to.known, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&network, "network", "", "only this network's")
	complete(cmd, g, "network", networkNames)
	cmd.Flags().Uint32Var(&subnet, "subnet-id", 1, "Kea's number of the network")
	return cmd
}

// exported is the leases of a network, "" for all: the daemon's, or those of the store where there is no daemon.
func exported(ctx context.Context, g *global, network string, errOut io.Writer) iter.Seq2[control.Lease, error] {
	client := control.NewClient(g.quietPaths().Socket)
	all := client.Leases(ctx, control.LeaseQuery{Network: network, Filter: notObserved()})
	if network != "" {
		all = orElse(all, func() error { return knownNetwork(ctx, client, network) })
	}
	return func(yield func(control.Lease, error) bool) {
		begun := false
		for l, err := range all {
			if errors.Is(err, control.ErrNotRunning) && !begun {
				stored(ctx, g, network, errOut)(yield)
				return
			}
			begun = true
			if !yield(l, err) {
				return
			}
		}
	}
}

// stored is the leases of the store.
func stored(ctx context.Context, g *global, network string, errOut io.Writer) iter.Seq2[control.Lease, error] {
	return func(yield func(control.Lease, error) bool) {
		err := noDaemon(g)
		var found []control.Lease
		if err == nil {
			found, err = daemon.StoredLeases(ctx, g.quietPaths(), warnLog(errOut))
		}
		if err != nil {
			yield(control.Lease{}, err)
			return
		}
		for _, l := range found {
			if (network == "" || l.Network == network) && !yield(l, nil) {
				return
			}
		}
	}
}

var errNotHex = errors.New("its MAC or client identifier isn't bytes in hexadecimal; is the daemon of another version?")

// exportedLease makes of a lease what migrate writes.
func exportedLease(l control.Lease) (migrate.Lease, error) {
	out := migrate.Lease{
		Addr: l.Address, HWType: 1, Name: l.Name, Hostname: l.Hostname, VendorClass: l.VendorClass, Start: l.Start, Seen: l.LastSeen, Expiry: l.Expires,
	}
	if l.HardwareType != 0 {
		out.HWType = l.HardwareType
	}
	for state, name := range importStates {
		if name == l.State {
			out.State = state
		}
	}
	hw, err := hex.DecodeString(strings.ReplaceAll(l.MAC, ":", ""))
	if err != nil {
		return out, errNotHex
	}
	out.HWAddr = string(hw)
	// What stands in for an identifier (mac:…, hw32:…, arp:…) is ours alone.
	if kind, _, _ := strings.Cut(l.ClientID, ":"); len(kind) == 2 {
		id, err := hex.DecodeString(strings.ReplaceAll(l.ClientID, ":", ""))
		if err != nil {
			return out, errNotHex
		}
		out.ClientID = string(id)
	}
	return out, nil
}
