package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"labnet/internal/dhcpclient"
	"labnet/netcfg"
)

// tenant keeps the address that a bridged network's host leases from the LAN's DHCP server.
type tenant struct {
	stop context.CancelFunc // nil while no client runs; belongs to who follows the handover

	mu         sync.Mutex // guards what follows
	unanswered bool
	last       dhcpclient.Event
	failure    error // of the client, until it runs again
}

// retryTenant is the wait before a client that failed is tried again.
const retryTenant = 2 * time.Second

// followTenant has a client run while the bridge is to lease its address.
func (d *daemon) followTenant(ctx context.Context, leases bool) {
	t := &d.tenant
	switch {
	case leases && t.stop == nil:
		var clientCtx context.Context
		clientCtx, t.stop = context.WithCancel(ctx)
		d.hostLease.Go(func() { d.runTenant(clientCtx) })
	case !leases && t.stop != nil:
		t.stop()
		t.stop = nil
		d.hostLease.Wait()
		t.set(func() { t.unanswered, t.failure, t.last = false, nil, dhcpclient.Event{} })
	}
}

// runTenant runs clients until ctx ends.
func (d *daemon) runTenant(ctx context.Context) {
	t := &d.tenant
	for ctx.Err() == nil {
		err := d.hand.Lease(ctx, func(e dhcpclient.Event) {
			t.set(func() { t.last, t.unanswered, t.failure = e, e.Kind == dhcpclient.Unanswered, nil })
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		d.log.Warn("the bridge's address isn't kept by DHCP now", "err", err, "retry", retryTenant)
		t.set(func() { t.failure = err })
		select {
		case <-ctx.Done():
		case <-time.After(retryTenant):
		}
	}
}

func (t *tenant) set(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

// problems is what a person should know of the lease of a network's host, which has an address now, or none.
func (t *tenant) problems(network string, addr netip.Prefix) []netcfg.Problem {
	t.mu.Lock()
	defer t.mu.Unlock()
	problem := func(summary, remedy string) []netcfg.Problem {
		return []netcfg.Problem{{Network: network, Summary: summary, Remedy: remedy}}
	}
	const remedy = "look whether the LAN's DHCP server runs, and whether the uplink reaches it; it is asked again all the time"
	switch l := t.last.Lease; {
	case t.failure != nil:
		return problem("the host's address can't be leased: "+t.failure.Error(), "it is tried again")
	case t.unanswered && addr.IsValid():
		return problem(fmt.Sprintf("no DHCP server answers; the host keeps %v while its lease lasts", addr.Addr()), remedy)
	case t.unanswered:
		return problem("no DHCP server answers: the host has no leased address", remedy)
	case t.last.Kind == dhcpclient.Lost && l.Server.IsValid():
		return problem(fmt.Sprintf("the host has lost its leased address %v: %s", l.Addr.Addr(), t.last.Reason), remedy)
	}
	return nil
}
