package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"labnet/internal/control"
	"labnet/leases"
)

// Leases implements control.Backend.
func (d *daemon) Leases(_ context.Context, q control.LeaseQuery) iter.Seq[control.Lease] {
	found := d.table.Snapshot(q.Network)
	if !q.Filter.Empty() {
		found = found.Where(func(l leases.Lease) bool {
			shown := controlLease(l)
			return q.Filter.Match(&shown)
		})
	}
	if len(q.Order) > 0 {
		found.SortFunc(comparer(q.Order))
	}
	return withObserved(found.All(), d.observers.guests(q.Network, time.Now()), q)
}

// comparers are by the fields of control.LeaseFields.
var comparers = map[string]func(a, b leases.Lease) int{
	"network":      func(a, b leases.Lease) int { return cmp.Compare(a.Network, b.Network) },
	"address":      func(a, b leases.Lease) int { return a.Addr.Compare(b.Addr) },
	"mac":          func(a, b leases.Lease) int { return cmp.Compare(a.HWAddr, b.HWAddr) },
	"client_id":    func(a, b leases.Lease) int { return cmp.Compare(a.ID, b.ID) },
	"name":         func(a, b leases.Lease) int { return cmp.Compare(a.Name, b.Name) },
	"state":        func(a, b leases.Lease) int { return cmp.Compare(a.State, b.State) },
	"reserved":     func(a, b leases.Lease) int { return compareBool(a.Reserved, b.Reserved) },
	"start":        func(a, b leases.Lease) int { return a.Start.Compare(b.Start) },
	"expires":      func(a, b leases.Lease) int { return compareExpiry(a.Expiry, b.Expiry) },
	"last_seen":    func(a, b leases.Lease) int { return a.LastSeen.Compare(b.LastSeen) },
	"hostname":     func(a, b leases.Lease) int { return cmp.Compare(a.RequestedName, b.RequestedName) },
	"vendor_class": func(a, b leases.Lease) int { return cmp.Compare(a.VendorClass, b.VendorClass) },
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareExpiry puts what never ends last.
func compareExpiry(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return compareBool(a.IsZero(), b.IsZero())
	}
	return a.Compare(b)
}

func comparer(order control.LeaseOrder) func(a, b leases.Lease) int {
	return func(a, b leases.Lease) int {
		for _, k := range order {
			c := comparers[k.Field](a, b)
			if k.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

func controlLease(l leases.Lease) control.Lease {
	const ethernet = 1
	out := control.Lease{
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
	if l.HWType != ethernet {
		out.HardwareType = l.HWType
	}
	return out
}

// Release implements control.Backend.
func (d *daemon) Release(ctx context.Context, network string, addr netip.Addr, force bool) (control.Lease, error) {
	if !force {
		if err := d.unused(ctx, network, addr); err != nil {
			return control.Lease{}, err
		}
	}
	change, err := d.table.ReleaseAddr(network, addr, time.Now())
	switch {
	case d.observers.observes(network):
		return control.Lease{}, fmt.Errorf("%w: addresses in %q are only observed here; the LAN's DHCP server gives them", control.ErrConflict, network)
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
		d.log.Info("lease released by an operator", "network", network, "addr", addr, "forced", force)
		return controlLease(change.Lease), nil
	case <-ctx.Done():
		return control.Lease{}, ctx.Err()
	}
}

// unused is an error where a machine uses an address that is leased, or rests.
func (d *daemon) unused(ctx context.Context, network string, addr netip.Addr) error {
	l, ok := d.table.ByAddr(network, addr)
	if !ok || l.State != leases.Bound && l.State != leases.Declined {
		return nil // what follows says so
	}
	user, err := d.links.whoUses(ctx, network, addr)
	switch {
	case err != nil || user == "":
		return err
	case user != l.HWAddr:
		return fmt.Errorf("%w: %v is still in use, by %v and not by %v; see which machine that is, or use --force", control.ErrConflict, addr, user, l.HWAddr)
	}
	who := user.String()
	if l.Name != "" {
		who = l.Name + " (" + who + ")"
	}
	return fmt.Errorf("%w: %s still uses %v; shut it down first, or use --force: then it goes on using the address until it renews", control.ErrConflict, who, addr)
}
