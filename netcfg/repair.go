package netcfg

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// attachAfter is how long a link must have been there before it is taken: whoever made it may be about to use it.
	attachAfter = 300 * time.Millisecond
	// repairsAMinute is how often drift is repaired before it counts as a fight with another manager.
	repairsAMinute = 5
	// standBack is how long such a fight is left alone.
	standBack = time.Minute
	// retryFirst and retryMost bound the wait after a repair that failed.
	retryFirst = 500 * time.Millisecond
	retryMost  = 30 * time.Second
)

// keeper is what reconciling remembers from one look to the next.
type keeper struct {
	seen    map[int]time.Time // links that may be attached, by index
	taken   []taking          // of the last minute
	repairs []time.Time       // of the last minute
	resting time.Time         // no repairs until then
	retry   time.Duration
	now     func() time.Time
}

// taking is a link that was attached.
type taking struct {
	index int
	when  time.Time
}

func newKeeper() *keeper { return &keeper{seen: map[int]time.Time{}, now: time.Now} }

// reconcile looks at the host and brings it to what is wanted. It returns when to look again without an event, 0 for never.
func (h *Host) reconcile(ctx context.Context, k *keeper) time.Duration {
	if err := h.enter(ctx); err != nil {
		return 0
	}
	defer h.leave()
	if h.applied == nil || h.rests.Load() {
		return 0
	}
	wait, err := h.keep(ctx, k)
	switch {
	case err == nil:
		k.retry = 0
	case ctx.Err() != nil:
		return 0
	default:
		h.stats.failures.Add(1)
		k.retry = min(max(2*k.retry, retryFirst), retryMost)
		wait = k.retry
		h.log.Error("can't keep the host's network in order", "err", err, "retry", wait)
	}
	return wait
}

func (h *Host) keep(ctx context.Context, k *keeper) (time.Duration, error) {
	cfg := *h.applied
	f, have, want, err := h.survey(cfg)
	if err != nil {
		return 0, err
	}
	wait := k.ripen(f, have, want)
	if plan(have, want).Empty() && !h.strayed(have) {
		h.kept = want
		h.followAgain(cfg, f)
		return wait, nil
	}
	unlock, err := h.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	// Another process may have been at work, and be done now.
	if f, have, want, err = h.survey(cfg); err != nil {
		return 0, err
	}
	wait = k.ripen(f, have, want)
	p := plan(have, want)
	strayed := h.strayed(have)
	drifted := h.kept != nil && (strayed || !plan(have, h.kept.among(f, have)).Empty())
	resting := drifted && !k.mayRepair()
	if resting {
		// Guests must come up, and guarded, whoever fights whom.
		p = p.newPorts()
		if k.now().After(k.resting) {
			k.resting = k.now().Add(standBack)
			h.alarm.Store(&alarm{until: k.resting, by: h.editor.Load().String()})
			h.log.Error("someone keeps changing what labnet set up: repairs rest", "rest", standBack, "by", h.editor.Load().String())
		}
		wait = time.Until(k.resting)
		drifted = false
	}
	if err := fatal(bridgeProblems(cfg, f)); err != nil {
		return 0, err
	}
	r := f.record.remember(p, f)
	if err := h.record.save(r); err != nil {
		return 0, err
	}
	if err := h.do(ctx, p, f); err != nil {
		return 0, err
	}
	h.endStale(p, cfg, f)
	h.tell(p, drifted)
	if strayed && !resting {
		h.stats.repaired.Add(1)
		h.log.Warn("repaired", "change", "~ the sets of guests' addresses", "by", h.editor.Load().String())
	}
	for _, index := range k.take(p, f) {
		h.log.Error("someone keeps taking a link off its bridge: it is left alone", "link", f.linkName(index), "rest", standBack)
	}
	if resting {
		// What was left undone still needs what is recorded of it.
		return wait, nil
	}
	h.kept = want
	h.settle(cfg, f, want)
	return wait, h.record.save(r.forget(f, want))
}

// tell logs what was done: a repair is a warning, following the host is not.
func (h *Host) tell(p Plan, drifted bool) {
	for _, c := range slices.Concat(p.Grow, p.Shrink) {
		switch {
		case c.Group() == groupPorts:
			h.log.Info("port", "change", c.String())
		case !drifted:
			h.log.Info("followed the host", "change", c.String())
			continue
		case c.Group() == groupFirewall:
			h.log.Warn("repaired", "change", c.String(), "by", h.editor.Load().String())
		default:
			h.log.Warn("repaired", "change", c.String())
		}
		if c.Group() != groupPorts {
			h.stats.repaired.Add(1)
		}
	}
}

// newPorts is the part of a plan that attaches links.
func (p Plan) newPorts() Plan {
	var part Plan
	for _, c := range p.Grow {
		switch c := c.(type) {
		case attachPort:
			part.Grow = append(part.Grow, c)
		case setElements:
			if c.table == bridgeTable && c.name == guestPorts {
				part.Grow = append(part.Grow, c)
			}
		}
	}
	return part
}

// among is the part of a state that can still be there: links come and go by themselves, and that is no drift.
func (s *state) among(f *facts, have *state) *state {
	part := *s
	part.ports = maps.Clone(s.ports)
	maps.DeleteFunc(part.ports, func(name string, p port) bool {
		_, there := f.link(name)
		// So do bridges that others make.
		_, bridge := f.link(p.bridge)
		_, ours := s.bridges[p.bridge]
		return !there || !bridge && !ours
	})
	// A guest's link that came since then isn't one to take away.
	for name, p := range have.ports {
		if _, known := part.ports[name]; !known {
			part.ports[name] = p
		}
	}
	part.sysctls = maps.Clone(s.sysctls)
	maps.DeleteFunc(part.sysctls, func(k sysctlKey, _ sysctlValue) bool {
		if _, ours := s.bridges[k.link()]; ours {
			return false
		}
		// An interface that came back is another one, with settings of its own.
		l, ok := f.link(k.link())
		_, recorded := f.record.sysctl(k, l.index)
		return !ok || !recorded
	})
	return &part
}

// mayRepair counts a repair, unless there were too many in the last minute.
func (k *keeper) mayRepair() bool {
	now := k.now()
	if now.Before(k.resting) {
		return false
	}
	k.repairs = slices.DeleteFunc(k.repairs, func(t time.Time) bool { return now.Sub(t) > time.Minute })
	if len(k.repairs) >= repairsAMinute {
		return false
	}
	k.repairs = append(k.repairs, now)
	return true
}

// take counts the links that a plan attached, and returns those whose measure for a minute is full with it.
func (k *keeper) take(p Plan, f *facts) (full []int) {
	now := k.now()
	k.taken = slices.DeleteFunc(k.taken, func(t taking) bool { return now.Sub(t.when) > standBack })
	for _, c := range p.Grow {
		if c, ok := c.(attachPort); ok {
			l, _ := f.link(c.name)
			k.taken = append(k.taken, taking{l.index, now})
			if _, rests := k.rests(l.index); rests {
				full = append(full, l.index)
			}
		}
	}
	return full
}

// rests reports whether a link was attached too often of late, and for how long it is to be left alone.
func (k *keeper) rests(index int) (time.Duration, bool) {
	var last time.Time
	n := 0
	for _, t := range k.taken {
		if t.index == index {
			n, last = n+1, t.when
		}
	}
	left := standBack - k.now().Sub(last)
	return left, n >= repairsAMinute && left > 0
}

// ripen leaves links out of want that have only just appeared, or that are taken off again and again, and returns when the
// first of them is due.
func (k *keeper) ripen(f *facts, have, want *state) time.Duration {
	now := k.now()
	young := map[int]time.Time{}
	var wait time.Duration
	for name, p := range want.ports {
		if _, ours := want.taps[name]; ours || have.ports[name].bridge == p.bridge {
			continue
		}
		l, _ := f.link(name)
		since, ok := k.seen[l.index]
		if !ok {
			since = now
		}
		young[l.index] = since
		left := attachAfter - now.Sub(since)
		if rest, ok := k.rests(l.index); ok {
			left = rest
		}
		if left > 0 {
			delete(want.ports, name)
			if wait == 0 || left < wait {
				wait = left
			}
		}
	}
	k.seen = young
	return wait
}
