package top

import (
	"context"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"labnet/internal/control"
)

// Watcher tells what happens to leases. Implementations: control.Client, and a list in tests.
type Watcher interface {
	WatchLeases(ctx context.Context, w control.LeaseWatch) iter.Seq2[control.LeaseEvent, error]
}

// guests is the leases in force, kept current by what happens to them: so many needn't be listed anew every second.
type guests struct {
	mu      sync.Mutex // guards what follows
	leases  map[place]control.Lease
	anew    map[place]control.Lease // while a resync lists them; nil otherwise
	current bool                    // they have been listed once
}

type place struct {
	network string
	addr    netip.Addr
}

// follow keeps them current until ctx ends, or the daemon can't be asked in the beginning: the error says why.
func (g *guests) follow(ctx context.Context, w Watcher, network string) error {
	for e, err := range w.WatchLeases(ctx, control.LeaseWatch{Network: network}) {
		if err != nil {
			return err
		}
		g.take(e)
	}
	return ctx.Err()
}

// take follows one event.
func (g *guests) take(e control.LeaseEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	into := g.leases
	switch {
	case e.Event == control.EventResync:
		g.anew = map[place]control.Lease{}
		return
	case e.Event == control.EventSynced:
		if g.anew != nil {
			g.leases, g.anew = g.anew, nil
		}
		g.current = true
		return
	case g.anew != nil:
		into = g.anew
	case into == nil:
		into = map[place]control.Lease{}
		g.leases = into
	}
	if e.Lease == nil {
		return
	}
	at := place{e.Lease.Network, e.Lease.Address}
	if inForce(*e.Lease) {
		into[at] = *e.Lease
	} else {
		delete(into, at)
	}
}

func inForce(l control.Lease) bool { return l.State == "bound" || l.State == "observed" }

// all is the leases as they are now; known is false before they have been listed once.
func (g *guests) all() (leases []control.Lease, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Values(g.leases)), g.current
}
