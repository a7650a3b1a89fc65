package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

// waitStep is how long one question to the daemon takes, and waitReturn how long a daemon that isn't there is waited for between two.
const (
	waitStep   = 30 * time.Second
	waitReturn = 100 * time.Millisecond
)

func newLeasesWait(g *global) *cobra.Command {
	var out format
	var q control.WaitQuery
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait NAME|ADDRESS|MAC",
		Short: "Wait until a guest has a lease, or its name resolves",
		Long: `Wait until a guest has a lease, or its name resolves, and print its address. For dns the name is asked for as a guest would: one of a record, or one
that is reserved with an address, resolves without a guest. It waits for the daemon too, if that isn't up yet. When the time is over it says what is
missing, with exit code 1.`,
		Example: `  labnet leases wait vm1
  labnet leases wait vm1 --for dns --timeout 2m
  ssh root@$(labnet leases wait 52:54:00:12:34:56)`,
		Args: exactArgs(1, "a name, an address or a MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Key = args[0]
			switch {
			case q.Key == "":
				return wrongUse("%s wants a name, an address or a MAC, not nothing", cmd.CommandPath())
			case q.For != control.WaitLease && q.For != control.WaitDNS:
				return wrongUse("--for wants %s or %s, not %q", control.WaitLease, control.WaitDNS, q.For)
			case timeout <= 0:
				return wrongUse("--timeout wants a time such as 60s, not %v", timeout)
			}
			result, err := waitForLease(cmd.Context(), control.NewClient(g.quietPaths().Socket), q, timeout)
			if err != nil {
				return err
			}
			return writeWaited(cmd, out, result)
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, objectFormats...)
	flags := cmd.Flags()
	flags.StringVar(&q.For, "for", control.WaitLease, "what to wait for: lease or dns")
	flags.DurationVar(&timeout, "timeout", time.Minute, "how long to wait")
	flags.StringVar(&q.Network, "network", "", "only in this network")
	complete(cmd, g, "network", networkNames)
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{control.WaitLease, control.WaitDNS}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// waitForLease asks until it is there. A daemon that isn't up, or ends meanwhile, is waited for.
func waitForLease(ctx context.Context, client *control.Client, q control.WaitQuery, timeout time.Duration) (control.WaitResult, error) {
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		result, err := client.WaitLease(ctx, q, max(0, min(left, waitStep)))
		switch {
		case err == nil && result.Done:
			return result, nil
		case ctx.Err() != nil:
			return result, errors.New("interrupted while waiting")
		case err != nil && !errors.Is(err, control.ErrNotRunning):
			return result, err
		case time.Now().Before(deadline):
			if err != nil {
				sleep(ctx, min(waitReturn, time.Until(deadline)))
			}
			continue
		case err != nil:
			return result, err
		}
		return result, fmt.Errorf("not within %v: %s", timeout, result.Obstacle)
	}
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func writeWaited(cmd *cobra.Command, out format, r control.WaitResult) error {
	if out != "text" {
		return writeObject(cmd.OutOrStdout(), out, r)
	}
	addresses := r.Addresses
	if len(addresses) == 0 && r.Lease != nil {
		addresses = []netip.Addr{r.Lease.Address}
	}
	lines := make([]string, len(addresses))
	for i, a := range addresses {
		lines[i] = a.String()
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(lines, "\n"))
	return err
}
