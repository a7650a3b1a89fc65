package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"labnet/internal/config"
	"labnet/internal/control"
)

// reload reads the configuration again and brings the parts to it by differences. What can't be applied leaves the running
// configuration alone, and the log says why. It returns what was changed on the host.
func (d *daemon) reload(ctx context.Context, front *errgroup.Group) (changed []control.Change, err error) {
	notify(d.log, sdnotify.SdNotifyReloading)
	defer notify(d.log, sdnotify.SdNotifyReady)
	var file *config.Config
	state, err := d.hand.State()
	if err == nil && state.Phase.Armed() {
		err = errors.New("a change of the uplink waits to be confirmed; confirm it, or roll it back, first")
	}
	if err == nil {
		file, err = d.opts.Load()
	}
	if err == nil {
		changed = d.planOf(file)
		err = d.reconfigure(ctx, front, file)
	}
	if err != nil {
		d.unread.Store(true)
		d.log.Error("the configuration is not reloaded; what runs stays as it is", "config", d.opts.ConfigPath, "err", err)
		return nil, err
	}
	d.log.Info("the configuration is reloaded", "config", d.opts.ConfigPath, "networks", len(file.Networks))
	return changed, nil
}

// planOf is what a configuration would change on the host; what stands against it, who makes the change says.
func (d *daemon) planOf(file *config.Config) []control.Change {
	cfg, _ := withKept(file, d.kept)
	plan, err := d.host.Plan(d.compile(cfg).host)
	if err != nil {
		return nil
	}
	return changes(plan)
}

// Reload implements control.Backend.
func (d *daemon) Reload(ctx context.Context) (changed []control.Change, err error) {
	err = d.inTurn(ctx, func(t turn) error {
		changed, err = d.reload(t.ctx, t.front)
		return err
	})
	if err != nil && !errors.Is(err, control.ErrConflict) {
		err = fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	return changed, err
}

// reconfigure brings every part to file, and back to what was if one refuses.
func (d *daemon) reconfigure(ctx context.Context, front *errgroup.Group, file *config.Config) error {
	if err := unchangeable(d.config().Daemon, file.Daemon); err != nil {
		return err
	}
	cfg, obstacles := withKept(file, d.kept)
	next := d.compile(cfg)
	if err := d.check(next); err != nil {
		return err
	}
	for _, step := range d.steps(ctx, front, cfg, next) {
		if err := step(); err != nil {
			return errors.Join(err, d.restore(ctx, front))
		}
	}
	if d.opts.SetLevel != nil {
		d.opts.SetLevel(cfg.Daemon.LogLevel)
	}
	d.observers.follow(ctx, front, observedBridges(cfg))
	d.store.KeepHistory(historyAge(cfg.Daemon))
	d.warnOfKept(d.kept, obstacles)
	d.mu.Lock()
	d.file, d.cfg = file, cfg
	d.mu.Unlock()
	d.noteReload()
	d.warnOfTAPs()
	d.admit(cfg.API)
	return nil
}

// restore brings every part back to the configuration that is served, one that refuses notwithstanding.
func (d *daemon) restore(ctx context.Context, front *errgroup.Group) error {
	var errs []error
	for _, step := range d.steps(ctx, front, d.config(), d.compile(d.config())) {
		errs = append(errs, step())
	}
	return errors.Join(errs...)
}

// steps bring each part to p, which is cfg's, in this order. As at the start, what can fail without touching the host comes first: DNS binds to
// addresses that aren't there yet, and a taken port must not cost the guests their bridge. Then the links, then who gives out
// addresses on them.
func (d *daemon) steps(ctx context.Context, front *errgroup.Group, cfg *config.Config, p parts) []func() error {
	return []func() error{
		func() error { return d.dns.Reconfigure(p.dns) },
		func() error { return d.metrics.Reconfigure(cfg.Metrics.Listen) },
		func() error {
			// Before the rules that go by it are there.
			d.rules.reconfigure(cfg)
			plan, err := d.host.Apply(ctx, p.host)
			if err != nil {
				return fmt.Errorf("changing the host: %w", err)
			}
			for _, c := range changes(plan) {
				d.log.Info("changed the host", "change", c.Text)
			}
			return nil
		},
		func() error { return d.table.Configure(p.leases, time.Now()) },
		func() error { return d.links.reconfigure(ctx, front, p.dhcp) },
		// Last, since a hook that goes loses what it wasn't told yet: nothing after it can fail and have it back.
		func() error {
			d.hooks.reconfigure(p.hooks)
			return nil
		},
	}
}

// unchangeable refuses what a reload can't change.
func unchangeable(old, next config.Daemon) error {
	if old.StateDir != next.StateDir || old.RunDir != next.RunDir || old.LogFormat != next.LogFormat {
		return errors.New("daemon: state_dir, run_dir and log_format are changed by a restart only")
	}
	return nil
}

// config is the configuration as it is served.
func (d *daemon) config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}
