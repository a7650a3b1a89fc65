package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

const (
	// runsEvery is how often TAPs that were made for programs are looked at.
	runsEvery = 500 * time.Millisecond
	// openWithin is how long a program may take from its TAP's making to opening it.
	openWithin = 30 * time.Second
)

// tapRuns is what is known of the programs that TAPs were made for, beyond what is remembered: after a restart of the daemon all count as having opened
// theirs.
type tapRuns struct {
	mu   sync.Mutex // guards runs
	runs map[string]tapRun
}

// tapRun is a program that is about to open its TAP.
type tapRun struct {
	pid   int // 0: in another process namespace
	since time.Time
}

func (r *tapRuns) begin(name string, pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs == nil {
		r.runs = map[string]tapRun{}
	}
	r.runs[name] = tapRun{pid, time.Now()}
}

func (r *tapRuns) end(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, name)
}

// starting reports whether a program is still to open its TAP.
func (r *tapRuns) starting(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	run, ok := r.runs[name]
	if !ok || time.Since(run.since) > openWithin {
		return false
	}
	if run.pid == 0 {
		return true
	}
	_, err := os.Stat("/proc/" + strconv.Itoa(run.pid))
	return err == nil
}

// tapForRun reports whether there is a TAP already that the caller's program may use. The error is ErrConflict where it is in use, ErrForbidden where it
// was made for somebody else's. Whether the caller may open one that was made to stay, the kernel says. It is called in turns.
func (d *daemon) tapForRun(caller control.Caller, name, network string) (there bool, err error) {
	at, run := "", false
	for _, n := range d.cfg.Networks {
		if slices.ContainsFunc(n.TAPs, func(t config.TAP) bool { return t.Name == name }) {
			at = n.Name
		}
	}
	if i := slices.IndexFunc(d.taps, func(k keptTAP) bool { return k.Name == name }); i >= 0 && at == "" {
		if k := d.taps[i]; k.Run && !caller.Admin && k.Maker != caller.UID {
			return false, fmt.Errorf("%w: the TAP %s was made for a program of somebody else", control.ErrForbidden, name)
		}
		at, run = d.taps[i].Network, d.taps[i].Run
	}
	if at == "" {
		return false, nil
	}
	if network != "" && network != at {
		return false, fmt.Errorf("%w: the TAP %s is of network %q", control.ErrConflict, name, at)
	}
	found, err := d.tapsNamed([]string{name})
	switch {
	case err != nil:
		return false, err
	case found[0].Obstacle != "":
		return false, fmt.Errorf("%w: the TAP %s isn't there: %s", control.ErrConflict, name, found[0].Obstacle)
	case found[0].InUse:
		return false, fmt.Errorf("%w: the TAP %s is in use%s", control.ErrConflict, name, byWhom(found[0]))
	case run && d.runs.starting(name):
		return false, fmt.Errorf("%w: another program is about to use the TAP %s", control.ErrConflict, name)
	case run:
		d.runs.begin(name, caller.PID)
	}
	return true, nil
}

// loadTAPs reads which TAPs were made at run time, and forgets those whose programs ended while no daemon ran.
func (d *daemon) loadTAPs() error {
	d.tapFile = tapFile{d.opts.Paths.taps()}
	kept, err := d.tapFile.load()
	if err != nil {
		return err
	}
	all := len(kept)
	var failed error
	kept = slices.DeleteFunc(kept, func(k keptTAP) bool {
		if !k.Run {
			return false
		}
		_, ours, used, err := d.host.LinkExists(k.Name)
		failed = errors.Join(failed, err)
		if ours && used {
			return false
		}
		d.lateTAPs = append(d.lateTAPs, k)
		return true
	})
	if failed != nil {
		return failed
	}
	d.taps = kept
	d.warnOfTAPs()
	if len(kept) == all {
		return nil
	}
	return d.tapFile.save(kept)
}

// watchRuns removes the TAPs whose programs have ended, however they ended, with their guests' leases.
func (d *daemon) watchRuns(ctx context.Context) error {
	for _, k := range d.lateTAPs {
		d.endLease(k)
	}
	tick := time.NewTicker(runsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, k := range d.keptTAPs() {
			if k.Run && d.runEnded(k.Name) {
				if err := d.endRun(ctx, k.Name); err != nil && ctx.Err() == nil {
					d.log.Error("a TAP whose program has ended can't be removed; it is tried again", "link", k.Name, "err", err)
				}
			}
		}
	}
}

// runEnded reports whether nobody uses a TAP, nor is about to.
func (d *daemon) runEnded(name string) bool {
	_, _, used, err := d.host.LinkExists(name)
	if err != nil {
		return false
	}
	if used {
		d.runs.end(name)
		return false
	}
	return !d.runs.starting(name)
}

func (d *daemon) endRun(ctx context.Context, name string) error {
	return d.inTurn(ctx, func(t turn) error {
		i := slices.IndexFunc(d.taps, func(k keptTAP) bool { return k.Name == name && k.Run })
		if i < 0 || !d.runEnded(name) {
			return nil // meanwhile another one has it
		}
		k := d.taps[i]
		if err := d.keepTAPs(t, slices.Delete(slices.Clone(d.taps), i, i+1)); err != nil {
			return err
		}
		d.runs.end(name)
		d.log.Info("TAP removed, since its program has ended", "link", name, "network", k.Network)
		d.endLease(k)
		return nil
	})
}

// endLease ends the lease of the guest of a TAP that is gone, and with it its name. It goes by the MAC that the guest was to have: what else was heard
// behind the TAP may have been another's.
func (d *daemon) endLease(k keptTAP) {
	var mac leases.HWAddr
	if err := mac.UnmarshalText([]byte(k.MAC)); err != nil {
		return
	}
	for l := range d.table.Snapshot(k.Network).All() {
		if l.State != leases.Bound || l.HWAddr != mac {
			continue
		}
		change, err := d.table.ReleaseAddr(k.Network, l.Addr, time.Now())
		if err != nil {
			continue // it ended meanwhile
		}
		d.table.Submit([]leases.Change{change}, func(err error) {
			if err != nil {
				d.log.Warn("the lease of a guest that is gone stays until it expires", "network", k.Network, "addr", l.Addr, "err", err)
			}
		})
		d.log.Info("lease released with its TAP", "network", k.Network, "addr", l.Addr, "hwaddr", k.MAC)
	}
}
