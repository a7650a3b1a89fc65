package dhcpclient

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
)

// Client is a DHCP client of one interface.
type Client struct {
	cfg   Config
	log   *slog.Logger
	socks *sockets
	clock *clock
}

// Open makes a client, with its sockets, in the network namespace of the calling thread. CAP_NET_RAW. Run must be called; it closes
// them.
func Open(cfg Config) (_ *Client, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Uplink == "" {
		cfg.Uplink = cfg.Interface
	}
	c := &Client{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if cfg.Log != nil {
		c.log = cfg.Log.With("iface", cfg.Interface)
	}
	if c.clock, err = newClock(); err != nil {
		return nil, err
	}
	if c.socks, err = openSockets(cfg.Interface, cfg.Uplink); err != nil {
		c.clock.close()
		return nil, err
	}
	return c, nil
}

// Run gets an address and keeps it until ctx ends, then returns nil; the server isn't told, so that who comes after it has the lease: Release
// gives it back. handle is told everything that happens, one event after the
// other, by the goroutine of Run: nothing else happens meanwhile. Its error ends Run, which returns it.
func (c *Client) Run(ctx context.Context, handle func(Event) error) error {
	defer c.clock.close()
	defer c.socks.close()
	group, groupCtx := errgroup.WithContext(ctx)
	l := &loop{
		Client: c, machine: newMachine(&c.cfg, c.log, c.socks.current().mac), handle: handle, inputs: make(chan func(now time.Duration)),
	}
	stop := context.AfterFunc(groupCtx, func() { c.socks.interrupt(); c.clock.interrupt() })
	defer stop()
	group.Go(func() error { return c.socks.readDHCP(groupCtx, l) })
	group.Go(func() error { return c.socks.readARP(groupCtx, l) })
	group.Go(func() error { return c.socks.readLinks(groupCtx, l) })
	group.Go(func() error { return c.clock.ticks(groupCtx, l) })
	group.Go(func() error { return l.run(groupCtx) })
	return group.Wait()
}
