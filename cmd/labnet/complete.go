package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

// networkNames is the daemon's networks, for the shell.
func networkNames(ctx context.Context, client *control.Client) []string {
	status, _ := client.Status(ctx)
	var names []string
	for _, n := range status.Networks {
		names = append(names, n.Name)
	}
	return names
}

// reasonCodes is every reason of DHCP: the counters have them all.
func reasonCodes(ctx context.Context, client *control.Client) []string {
	status, _ := client.Status(ctx)
	reasons := map[string]bool{}
	for _, n := range status.Networks {
		for reason := range n.DHCP {
			reasons[reason] = true
		}
	}
	return slices.Sorted(maps.Keys(reasons))
}

// dnsReasonCodes is every reason of DNS.
func dnsReasonCodes(ctx context.Context, client *control.Client) []string {
	status, _ := client.Status(ctx)
	return slices.Sorted(maps.Keys(status.DNS))
}

// leasedMACs is the MACs that have or had a lease.
func leasedMACs(ctx context.Context, client *control.Client) []string {
	return leaseWords(ctx, client, func(l control.Lease) []string { return []string{l.MAC} })
}

func leasedAddresses(ctx context.Context, client *control.Client) []string {
	return leaseWords(ctx, client, func(l control.Lease) []string { return []string{l.Address.String()} })
}

// leaseKeys is what a lease may be named by.
func leaseKeys(ctx context.Context, client *control.Client) []string {
	return leaseWords(ctx, client, func(l control.Lease) []string { return []string{l.MAC, l.Name, l.Address.String()} })
}

// reservationKeys is what a reservation of run time may be named by.
func reservationKeys(ctx context.Context, client *control.Client) []string {
	found, _ := client.Reservations(ctx, "")
	var words []string
	for _, r := range found {
		if r.Origin == control.OriginRuntime {
			words = append(words, cmp.Or(r.Name, r.MAC, r.ClientID))
		}
	}
	return words
}

func leaseWords(ctx context.Context, client *control.Client, of func(control.Lease) []string) []string {
	var words []string
	for l, err := range client.Leases(ctx, control.LeaseQuery{}) {
		if err != nil {
			break
		}
		words = append(words, of(l)...)
	}
	slices.Sort(words)
	return slices.DeleteFunc(slices.Compact(words), func(w string) bool { return w == "" })
}

// complete lets the shell complete a flag by what the daemon knows.
func complete(cmd *cobra.Command, g *global, flag string, words func(context.Context, *control.Client) []string) {
	// It fails for flags that don't exist only.
	_ = cmd.RegisterFlagCompletionFunc(flag, completion(g, words))
}

func completion(g *global, words func(context.Context, *control.Client) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
		defer cancel()
		return words(ctx, control.NewClient(g.quietPaths().Socket)), cobra.ShellCompDirectiveNoFileComp
	}
}

// oneArg completes the first argument only.
func oneArg(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, word)
	}
}
