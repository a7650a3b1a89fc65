package main

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strings"

	"labnet/internal/control"
)

// findLease finds the one lease of a network, "" for any, that key names: an address, a name (a label, or with its domain), or a MAC. A lease in force goes
// before one that has ended.
func findLease(ctx context.Context, client *control.Client, network, key string) (control.Lease, error) {
	matches, err := matching(client.Leases(ctx, control.LeaseQuery{Network: network}), key)
	if err != nil {
		return control.Lease{}, err
	}
	if label, domain, ok := strings.Cut(strings.TrimSuffix(key, "."), "."); ok && len(matches) == 0 && label != "" {
		// The leases hold labels only; the networks' domains are the status's.
		status, err := client.Status(ctx)
		if err != nil {
			return control.Lease{}, err
		}
		inDomain := func(l control.Lease) bool {
			return slices.ContainsFunc(status.Networks, func(n control.Network) bool {
				return n.Name == l.Network && n.Domain != "" && strings.EqualFold(n.Domain, domain)
			})
		}
		if matches, err = matching(where(client.Leases(ctx, control.LeaseQuery{Network: network}), inDomain), label); err != nil {
			return control.Lease{}, err
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return control.Lease{}, noLeaseError{key}
	}
	places := make([]string, len(matches))
	for i, l := range matches {
		places[i] = l.Address.String() + " in " + l.Network
	}
	return control.Lease{}, fmt.Errorf("%q is ambiguous: %s; name the address, and --network where that isn't enough", key, strings.Join(places, ", "))
}

// noLeaseError says that no lease is named by what was typed.
type noLeaseError struct{ key string }

func (e noLeaseError) Error() string {
	return fmt.Sprintf("no lease has the address, name or MAC %q; see `labnet leases`", e.key)
}

// matching is the leases of an address, a label or a MAC: those in force, or else those that have ended.
func matching(all iter.Seq2[control.Lease, error], key string) ([]control.Lease, error) {
	addr, addrErr := netip.ParseAddr(key)
	mac := macText(key)
	var inForce, ended []control.Lease
	for l, err := range all {
		if err != nil {
			return nil, err
		}
		switch {
		case addrErr == nil && l.Address == addr:
		case addrErr != nil && l.Name != "" && strings.EqualFold(l.Name, key):
		case addrErr != nil && strings.EqualFold(l.MAC, mac):
		default:
			continue
		}
		if l.State == "bound" || l.State == observed {
			inForce = append(inForce, l)
		} else {
			ended = append(ended, l)
		}
	}
	if len(inForce) > 0 {
		return inForce, nil
	}
	return ended, nil
}

// macText is a MAC, in whatever way it was typed, as lists have it; and anything else as it is.
func macText(key string) string {
	if mac, err := net.ParseMAC(key); err == nil {
		return mac.String()
	}
	return key
}

// where is the entries that match, and every error.
func where[T any](all iter.Seq2[T, error], match func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range all {
			if (err != nil || match(v)) && !yield(v, err) {
				return
			}
		}
	}
}
