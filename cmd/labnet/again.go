package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

// What programs need that are started again after they were ended half way: to ask for what is so already isn't wrong.

// addMissingOK adds the flag of verbs that end something.
func addMissingOK(cmd *cobra.Command, missingOK *bool) {
	cmd.Flags().BoolVar(missingOK, "missing-ok", false, "do nothing, and exit with 0, where there is nothing to end")
}

// missing reports whether an error says that what a verb shall end isn't there.
func missing(err error) bool {
	return errors.As(err, new(noLeaseError)) || errors.As(err, new(nothingReservedError)) || errors.Is(err, control.ErrNotFound)
}

// nothingToEnd is the answer where nothing was there; a network that isn't there is a mistake all the same.
func nothingToEnd(cmd *cobra.Command, client *control.Client, network string) error {
	if network != "" {
		if err := knownNetwork(cmd.Context(), client, network); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing to do")
	return err
}

// nothingReservedError says that no reservation is named by what was typed.
type nothingReservedError struct{ key string }

func (e nothingReservedError) Error() string {
	return fmt.Sprintf("nothing is reserved with the address, name or MAC %q; see `labnet leases reservations`", e.key)
}

// splitTAPs parts the TAPs that are there as they are wanted from those that are to be made. One that is there otherwise is among the latter, so that the
// daemon says what stands against it.
func splitTAPs(ctx context.Context, client *control.Client, n control.NewTAPs) (there []control.TAP, lacking []string, err error) {
	all, err := client.TAPs(ctx, n.Network)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range n.Names {
		i := slices.IndexFunc(all, func(t control.TAP) bool {
			return t.Name == name && t.Origin == control.OriginRuntime && t.MultiQueue == n.MultiQueue && (n.Host == "" || t.Host == n.Host) &&
				(n.MAC == "" || macText(t.MAC) == macText(n.MAC))
		})
		if i < 0 {
			lacking = append(lacking, name)
			continue
		}
		there = append(there, all[i])
	}
	return there, lacking, nil
}

// addTAPs makes TAPs; with existOK, those that lack.
func addTAPs(ctx context.Context, client *control.Client, n control.NewTAPs, existOK bool) ([]control.TAP, error) {
	if !existOK {
		return client.AddTAPs(ctx, n)
	}
	names := n.Names
	all, lacking, err := splitTAPs(ctx, client, n)
	if err != nil {
		return nil, err
	}
	if n.Names = lacking; len(lacking) > 0 {
		made, err := client.AddTAPs(ctx, n)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	slices.SortFunc(all, func(a, b control.TAP) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
	return all, nil
}

// withoutMissing is the names of TAPs that are there.
func withoutMissing(ctx context.Context, client *control.Client, names []string) ([]string, error) {
	all, err := client.TAPs(ctx, "")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !slices.ContainsFunc(all, func(t control.TAP) bool { return t.Name == name })
	}), nil
}
