package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/hooks"
	"labnet/leases"
	"labnet/netcfg"
)

// failuresInARow is how often a hook fails before it is a problem, and not only a line in the log.
const failuresInARow = 3

// hookFeed hands what happens to leases to the hooks. It reads the table's events, which keep nobody waiting, and only while there are hooks.
type hookFeed struct {
	runner   *hooks.Runner
	table    *leases.Table
	instance string
	log      *slog.Logger
	changed  chan struct{} // has a value when there may be hooks where there were none
	told     uint64        // the last event that was handed to the hooks; to be read when run has returned
}

func newHookFeed(cfgs []hooks.Config, table *leases.Table, instance string, log *slog.Logger) *hookFeed {
	return &hookFeed{runner: hooks.New(cfgs, log), table: table, instance: instance, log: log, changed: make(chan struct{}, 1)}
}

// run tells the hooks of the events after the one with the number after, until ctx ends and they know what has happened by then.
func (f *hookFeed) run(ctx context.Context, after uint64) error {
	runner, runnerCtx := group(context.WithoutCancel(ctx))
	runner.Go(func() error { return f.runner.Run(runnerCtx) })
	for more := true; more; {
		after, more = f.read(ctx, after)
	}
	runner.stop()
	f.told = after
	return runner.Wait()
}

// untold is what happened since run has returned, for the daemon that comes next.
func (f *hookFeed) untold() (all []hooks.Event) {
	none, cancel := context.WithCancel(context.Background())
	cancel()
	events := f.table.Events(f.told)
	for {
		event, err := events.Next(none)
		if err != nil {
			return all // there is no more, or too much
		}
		if kind := "lease." + string(event.Kind); f.runner.Wants(kind, event.Lease.Network) {
			all = append(all, hookEvent(event, kind, f.instance))
		}
	}
}

// takeUp has the hooks told what the daemon before couldn't tell them any more.
func (f *hookFeed) takeUp(events []hooks.Event) {
	for _, e := range events {
		if f.runner.Wants(e.Event, e.Network) {
			f.runner.Deliver(e)
		}
	}
}

// read delivers events until there are no hooks, events were lost, or ctx has ended and nothing is left (then there is no more). It returns the number
// to go on after.
func (f *hookFeed) read(ctx context.Context, seen uint64) (after uint64, more bool) {
	if f.runner.Empty() {
		select {
		case <-f.changed:
			return f.table.LastEvent(), true
		case <-ctx.Done():
			return seen, false
		}
	}
	events := f.table.Events(seen)
	for !f.runner.Empty() {
		event, err := events.Next(ctx)
		switch {
		case errors.Is(err, leases.ErrEventsLost):
			last := f.table.LastEvent()
			f.runner.Lost(last - seen)
			f.log.Warn("events came faster than they could be handed to the hooks, and are lost", "events", last-seen)
			return last, true
		case err != nil:
			return seen, false
		}
		seen = event.Seq
		if kind := "lease." + string(event.Kind); f.runner.Wants(kind, event.Lease.Network) {
			f.runner.Deliver(hookEvent(event, kind, f.instance))
		}
	}
	return seen, true
}

// reconfigure brings the hooks to cfgs; it can't fail.
func (f *hookFeed) reconfigure(cfgs []hooks.Config) {
	f.runner.Reconfigure(cfgs)
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func hookEvent(e leases.Event, kind, instance string) hooks.Event {
	out := hooks.Event{
		ID: fmt.Sprintf("%s-%d", instance, e.Seq), Event: kind, Time: e.At, Network: e.Lease.Network, Lease: hookLease(e.Lease),
	}
	if e.Before.Addr.IsValid() {
		before := hookLease(e.Before)
		out.Before = &before
	}
	return out
}

// hookLease is a lease as the list has it, but for what only guests have that are observed: nothing happens to those that hooks are told.
func hookLease(l leases.Lease) hooks.Lease {
	c := controlLease(l)
	return hooks.Lease{
		Network: c.Network, Address: c.Address, MAC: c.MAC, ClientID: c.ClientID, Name: c.Name, State: c.State, Reserved: c.Reserved,
		Start: c.Start, Expires: c.Expires, LastSeen: c.LastSeen, Hostname: c.Hostname, VendorClass: c.VendorClass, HardwareType: c.HardwareType,
	}
}

func hookConfigs(cfgs []config.Hook) []hooks.Config {
	var out []hooks.Config
	for _, h := range cfgs {
		out = append(out, hooks.Config{
			Name: h.Name, Events: h.On, Networks: h.Networks, Timeout: h.Timeout, Command: h.Command, User: h.User,
			URL: h.URL, SecretFile: h.SecretFile, TokenFile: h.TokenFile,
		})
	}
	return out
}

// status is how the hooks do, as the API shows it.
func (f *hookFeed) status() []control.Hook {
	out := []control.Hook{}
	for _, s := range f.runner.Stats() {
		out = append(out, control.Hook{
			Name: s.Name, Target: s.Target, Delivered: s.Delivered, Failed: s.Failed, Dropped: s.Dropped, Waiting: s.Waiting,
			LastError: s.LastError, LastErrorAt: s.LastErrorAt.UTC(),
		})
	}
	return out
}

// problems is what a person should look at, of what the hooks need on the host and of how they do.
func (f *hookFeed) problems(cfgs []hooks.Config) []netcfg.Problem {
	found := hookProblems(cfgs)
	for _, s := range f.runner.Stats() {
		if s.Failures >= failuresInARow {
			found = append(found, netcfg.Problem{
				Summary: fmt.Sprintf("hook %q has failed %d times in a row, at last: %s", s.Name, s.Failures, s.LastError),
				Remedy:  "see to " + s.Target + "; guests are served all the same",
			})
		}
		if s.Behind {
			found = append(found, netcfg.Problem{
				Summary: fmt.Sprintf("hook %q falls behind: %d events wait, %d were dropped", s.Name, s.Waiting, s.Dropped),
				Remedy:  "see why " + s.Target + " takes so long; guests are served all the same",
			})
		}
	}
	return found
}

// hookProblems is what the hooks lack on this host.
func hookProblems(cfgs []hooks.Config) []netcfg.Problem {
	var out []netcfg.Problem
	for _, p := range hooks.Check(cfgs) {
		out = append(out, netcfg.Problem{Summary: p.Summary, Remedy: p.Remedy})
	}
	return out
}
