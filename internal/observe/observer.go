package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sync/errgroup"
)

// Config is what is to be observed.
type Config struct {
	// Bridge is the bridge. It may come, go and come back, and so may its ports.
	Bridge string
	// Uplink is its port towards the LAN. Whoever is behind it is no guest, and only from there a server's word counts, since guests lie.
	Uplink string
	// Log gets lines for people; nil for none.
	Log *slog.Logger
}

const (
	// settle is how long changes of links are collected: they come in bursts.
	settle = 100 * time.Millisecond
	// lookEvery bounds how long a port stays unheard that couldn't be listened to, or whose event was lost.
	lookEvery = 30 * time.Second
)

// Observer sees who is behind the ports of one bridge.
type Observer struct {
	cfg           Config
	log           *slog.Logger
	table         *table
	links, events *netlink.Conn

	// inside opens sockets in the network namespace: tests have several.
	inside func(func() error) error
}

// Open makes an observer, in the network namespace of the calling thread. CAP_NET_RAW. Run must be called; it closes the sockets.
func Open(cfg Config) (*Observer, error) {
	o := &Observer{cfg: cfg, log: slog.New(slog.DiscardHandler), table: newTable(), inside: func(f func() error) error { return f() }}
	if cfg.Log != nil {
		o.log = cfg.Log.With("iface", cfg.Bridge)
	}
	file, err := openPort("")
	if err != nil {
		return nil, err
	}
	_ = file.Close() // it can be opened, which is all that was to be seen
	if o.links, o.events, err = openLinks(); err != nil {
		return nil, err
	}
	return o, nil
}

// Guests lists the machines that have been seen, by address. Any goroutine may call it, also while nothing runs.
func (o *Observer) Guests(now time.Time) []Guest { return o.table.guests(now) }

// Run listens until ctx ends, then returns nil. What it has seen of a port is forgotten with the port.
func (o *Observer) Run(ctx context.Context) error {
	defer func() { _, _ = o.links.Close(), o.events.Close() }()
	group, ctx := errgroup.WithContext(ctx)
	wake := make(chan struct{}, 1)
	group.Go(func() error { return o.watch(ctx, wake) })
	group.Go(func() error { return o.follow(ctx, wake, group) })
	return group.Wait()
}

// watch wakes at every change of links.
func (o *Observer) watch(ctx context.Context, wake chan<- struct{}) error {
	stop := context.AfterFunc(ctx, func() { _ = o.events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		// An error says that events were lost: then there were some.
		_, err := o.events.Receive()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !lostEvents(err) {
			return fmt.Errorf("watching links: %w", err)
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// follow listens to the ports that there are.
func (o *Observer) follow(ctx context.Context, wake <-chan struct{}, group *errgroup.Group) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	listening := map[link]*os.File{}
	defer func() {
		for _, file := range listening {
			_ = file.Close()
		}
	}()
	failed := map[link]bool{}
	for {
		ports, err := portsOf(o.links, o.cfg.Bridge)
		if err != nil {
			o.log.Warn("the ports of a bridge can't be listed; who is behind them is seen later", "err", err)
		} else {
			o.adapt(ctx, group, ports, listening, failed)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-wake:
			if !pause(ctx, settle) {
				return nil
			}
		}
	}
}

// adapt brings what is listened to to the ports that there are. failed is those that can't be, so that it is said once.
func (o *Observer) adapt(ctx context.Context, group *errgroup.Group, ports []link, listening map[link]*os.File, failed map[link]bool) {
	there := map[link]bool{}
	for _, p := range ports {
		there[p] = true
	}
	for p, file := range listening {
		if !there[p] {
			_ = file.Close() // which ends the reader
			delete(listening, p)
			o.table.close(p.name)
		}
	}
	for p := range failed {
		if !there[p] {
			delete(failed, p)
		}
	}
	for _, p := range ports {
		if listening[p] != nil {
			continue
		}
		file, err := o.listen(p)
		if err != nil {
			if !failed[p] && !errors.Is(err, errGone) {
				failed[p] = true
				o.log.Warn("a port can't be listened to; who is behind it isn't seen", "port", p.name, "err", err)
			}
			continue
		}
		delete(failed, p)
		listening[p] = file
		if p.name == o.cfg.Uplink {
			group.Go(func() error { return o.hear(ctx, file, o.fromLAN) })
			continue
		}
		o.table.open(p.name)
		group.Go(func() error { return o.hear(ctx, file, func(s sighting) { o.table.seen(p.name, s, time.Now()) }) })
	}
}

// fromLAN takes what is heard on the uplink.
func (o *Observer) fromLAN(s sighting) {
	if s.kind == given {
		o.table.given(s, time.Now())
	}
}

// pause reports whether the time passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
