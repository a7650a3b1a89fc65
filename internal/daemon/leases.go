package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"labnet/internal/control"
	"labnet/leases"
)

// Leases implements control.Backend.
func (d *daemon) Leases(_ context.Context, network string) []control.Lease {
	found := d.table.Leases(network)
	out := make([]control.Lease, 0, len(found))
	for _, l := range found {
		out = append(out, controlLease(l))
	}
	return out
}

func controlLease(l leases.Lease) control.Lease {
	return control.Lease{
		Network:     l.Network,
		Address:     l.Addr,
		MAC:         l.HWAddr.String(),
		ClientID:    l.ID.String(),
		Name:        l.Name,
		State:       l.State.String(),
		Reserved:    l.Reserved,
		Start:       l.Start,
		Expires:     l.Expiry,
		LastSeen:    l.LastSeen,
		Hostname:    l.RequestedName,
		VendorClass: l.VendorClass,
	}
}

// Release implements control.Backend.
func (d *daemon) Release(ctx context.Context, network string, addr netip.Addr) (control.Lease, error) {
	change, err := d.table.ReleaseAddr(network, addr, time.Now())
	switch {
	case errors.Is(err, leases.ErrUnknownNetwork):
		return control.Lease{}, fmt.Errorf("%w: there is no network %q", control.ErrNotFound, network)
	case errors.Is(err, leases.ErrNotHolder):
		return control.Lease{}, fmt.Errorf("%w: nobody leases %v in %q", control.ErrNotFound, addr, network)
	case err != nil:
		return control.Lease{}, err
	}
	committed := make(chan error, 1)
	d.table.Submit([]leases.Change{change}, func(err error) { committed <- err })
	select {
	case err := <-committed:
		if err != nil {
			return control.Lease{}, fmt.Errorf("the lease stays, the store refuses: %w", err)
		}
		d.log.Info("lease released by an operator", "network", network, "addr", addr)
		return controlLease(change.Lease), nil
	case <-ctx.Done():
		return control.Lease{}, ctx.Err()
	}
}
