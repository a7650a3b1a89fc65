package daemon

import (
	"context"
	"sync"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
)

const (
	// stuckLoop is how long a loop may work on one batch; it waits for no disk and no network meanwhile.
	stuckLoop = 20 * time.Second
	// stuckTurn is how long a change may take before nobody believes any more that it ends: moving an uplink, and reading lists from a slow disk,
	// take their time, and guests are served meanwhile.
	stuckTurn = 2 * time.Minute
	// looksEvery is how often is looked, at least.
	looksEvery = 5 * time.Second
)

// watchdog tells systemd that the daemon is alive, as long as it really is: the loops that serve guests turn, and changes get their turn.
// Without WatchdogSec= it does nothing. A disk that hangs is no reason: a restart doesn't mend it, and names are answered without it.
func (d *daemon) watchdog(ctx context.Context) error {
	limit, err := sdnotify.SdWatchdogEnabled(false)
	if err != nil {
		d.log.Warn("systemd's watchdog isn't served", "err", err)
	}
	if err != nil || limit == 0 {
		return nil
	}
	tick := time.NewTicker(min(limit/3, looksEvery))
	defer tick.Stop()
	turned := make(chan struct{}, 1)
	var p pulses
	asked := time.Time{} // when the turn was asked for that hasn't come; zero: none waits
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		if asked.IsZero() {
			asked = time.Now()
			asking.Go(func() { d.takeTurn(ctx, turned) })
		}
		notify(d.log, sdnotify.SdNotifyWatchdog)
		for alive := false; !alive; {
			select {
			case <-ctx.Done():
				return nil
			case <-turned:
				asked = time.Time{}
			case now := <-tick.C:
				stuck := p.stuck(d.loops(), now)
				if !asked.IsZero() && now.Sub(asked) > stuckTurn {
					stuck = append(stuck, "changes of the configuration")
				}
				if alive = len(stuck) == 0; !alive {
					d.log.Error("not alive: systemd's watchdog will end this process", "stuck", stuck)
				}
			}
		}
	}
}

// takeTurn says when the goroutine that owns all changes has had time for one.
func (d *daemon) takeTurn(ctx context.Context, turned chan<- struct{}) {
	_ = d.inTurn(ctx, func(turn) error { return nil }) // an error is the daemon's end
	turned <- struct{}{}
}

// loops are the pulses of those that serve guests.
func (d *daemon) loops() map[string]uint64 {
	all := d.dns.Pulses()
	for _, l := range d.links.all() {
		all["dhcp "+l.cfg.Interface] = l.server.Pulse()
	}
	return all
}

// pulses remembers what loops showed, to find those that are stuck.
type pulses map[string]pulse

type pulse struct {
	value uint64
	since time.Time
}

// stuck returns the loops that have been at the same work for too long.
func (p *pulses) stuck(seen map[string]uint64, now time.Time) (names []string) {
	next := pulses{}
	for name, value := range seen {
		before, known := (*p)[name]
		if !known || before.value != value {
			before = pulse{value, now}
		}
		next[name] = before
		if value%2 == 1 && now.Sub(before.since) > stuckLoop {
			names = append(names, name)
		}
	}
	*p = next
	return names
}
