package daemon

import (
	"context"
	"errors"
	"net"

	"labnet/dnsserver"
	"labnet/internal/control"
)

// guestsWait reports whether a daemon before this one has left its sockets, and the links are there to serve on.
func (d *daemon) guestsWait(p parts) bool {
	if d.former.takeover == nil {
		return false
	}
	for _, cfg := range p.dhcp {
		if _, err := net.InterfaceByName(cfg.Interface); err != nil {
			return false
		}
	}
	return true
}

// resume is start where guests wait, and the network is up: who answers them comes first, and the host is looked at afterwards. A program that
// takes over has been asked before whether anything stands against it.
func (d *daemon) resume(ctx context.Context, p parts) (err error) {
	if err := d.makeTable(ctx, p); err != nil {
		return err
	}
	if d.dns, err = dnsserver.ListenWith(p.dns, d.table, d.estate, d.log.With("part", "dns")); err != nil {
		return err
	}
	if d.links, err = listenLinks(p.dhcp, d.table, d.estate, d.log.With("part", "dhcp")); err != nil {
		d.dns.Close()
		return err
	}
	return d.serve(ctx, func() (*control.Server, error) {
		d.noteServing()
		if err := d.check(p); err != nil {
			return nil, err
		}
		if err := d.listenMetrics(); err != nil {
			return nil, err
		}
		api, err := control.ListenWith(d.opts.Paths.Socket, d, d.opts.Version, d.estate, d.log.With("part", "control"))
		if err != nil {
			d.metrics.Close()
			return nil, err
		}
		if _, err := d.bringUp(ctx, p.host); err != nil {
			d.metrics.Close()
			return nil, errors.Join(err, api.Close())
		}
		return api, nil
	})
}
