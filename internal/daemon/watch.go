package daemon

import (
	"context"
	"crypto/rand"
	"errors"

	"labnet/internal/control"
	"labnet/leases"
)

// newInstance names a start of the daemon: the numbers of its events begin anew.
func newInstance() string { return rand.Text() }

// WatchLeases implements control.Backend.
func (d *daemon) WatchLeases(ctx context.Context, w control.LeaseWatch, emit func(control.LeaseEvent) error) error {
	reason := control.ResyncStart
	events := d.table.Events(w.After)
	if w.Instance != "" {
		reason = control.ResyncRestart
	}
	synced := w.Instance == d.instance
	for {
		if !synced {
			seq, err := d.listAll(w, reason, emit)
			if err != nil {
				return err
			}
			events, synced = d.table.Events(seq), true
		}
		event, err := events.Next(ctx)
		switch {
		case errors.Is(err, leases.ErrEventsLost):
			synced, reason = false, control.ResyncLost
			continue
		case err != nil:
			return err
		}
		if shown, ok := leaseEvent(event, w); ok {
			if err := emit(shown); err != nil {
				return err
			}
		}
	}
}

// listAll emits a resync. It returns the number of the last event that is in it.
func (d *daemon) listAll(w control.LeaseWatch, reason string, emit func(control.LeaseEvent) error) (uint64, error) {
	found := d.table.Snapshot(w.Network)
	if err := emit(control.LeaseEvent{Event: control.EventResync, Seq: found.Seq(), Instance: d.instance, Reason: reason}); err != nil {
		return 0, err
	}
	for l := range found.All() {
		shown := controlLease(l)
		if !w.Filter.Match(&shown) {
			continue
		}
		if err := emit(control.LeaseEvent{Event: control.EventListed, Lease: &shown}); err != nil {
			return 0, err
		}
	}
	return found.Seq(), emit(control.LeaseEvent{Event: control.EventSynced, Seq: found.Seq()})
}

// leaseEvent is e for who watches, if it is one that is wanted.
func leaseEvent(e leases.Event, w control.LeaseWatch) (control.LeaseEvent, bool) {
	if w.Network != "" && e.Lease.Network != w.Network {
		return control.LeaseEvent{}, false
	}
	is := controlLease(e.Lease)
	out := control.LeaseEvent{Event: string(e.Kind), Seq: e.Seq, Time: e.At, Lease: &is}
	wanted := w.Filter.Match(&is)
	if e.Before.Addr.IsValid() {
		was := controlLease(e.Before)
		out.Before = &was
		wanted = wanted || w.Filter.Match(&was)
	}
	return out, wanted
}
