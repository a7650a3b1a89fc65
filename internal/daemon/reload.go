package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"labnet/internal/config"
)

// reload reads the configuration again and brings the parts to it by differences. What can't be applied leaves the running
// configuration alone, and the log says why.
func (d *daemon) reload(ctx context.Context, front *errgroup.Group) {
	notify(d.log, sdnotify.SdNotifyReloading)
	defer notify(d.log, sdnotify.SdNotifyReady)
	cfg, err := d.opts.Load()
	if err == nil {
		err = d.reconfigure(ctx, front, cfg)
	}
	if err != nil {
		d.log.Error("the configuration is not reloaded; what runs stays as it is", "config", d.opts.ConfigPath, "err", err)
		return
	}
	d.log.Info("the configuration is reloaded", "config", d.opts.ConfigPath, "networks", len(cfg.Networks))
}

// reconfigure brings every part to cfg, and back to what was if one refuses.
func (d *daemon) reconfigure(ctx context.Context, front *errgroup.Group, cfg *config.Config) error {
	if err := unchangeable(d.config().Daemon, cfg.Daemon); err != nil {
		return err
	}
	next := compile(cfg, hostName())
	if err := d.check(next.host); err != nil {
		return err
	}
	if err := d.apply(ctx, front, next); err != nil {
		old := compile(d.config(), hostName())
		return errors.Join(err, d.apply(ctx, front, old))
	}
	d.mu.Lock()
	d.cfg = cfg
	d.mu.Unlock()
	return nil
}

// apply brings each part to p: links first, then who gives out addresses on them, then who answers.
func (d *daemon) apply(ctx context.Context, front *errgroup.Group, p parts) error {
	plan, err := d.host.Apply(ctx, p.host)
	if err != nil {
		return fmt.Errorf("changing the host: %w", err)
	}
	for _, c := range changes(plan) {
		d.log.Info("changed the host", "change", c.Text)
	}
	if err := d.table.Configure(p.leases, time.Now()); err != nil {
		return err
	}
	if err := d.links.reconfigure(ctx, front, p.dhcp); err != nil {
		return err
	}
	return d.dns.Reconfigure(p.dns)
}

// unchangeable refuses what a reload can't change.
func unchangeable(old, next config.Daemon) error {
	if old.StateDir != next.StateDir || old.RunDir != next.RunDir {
		return errors.New("daemon: state_dir and run_dir are changed by a restart only")
	}
	return nil
}

// config is the configuration as it is served.
func (d *daemon) config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}
