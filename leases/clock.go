package leases

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// leap is by how much the time of day must be off before it has been set: less is how clocks are corrected while they run.
const leap = 2 * time.Second

// clock counts seconds on a line that nobody can set: a lease lasts as long as it was promised, whatever becomes of the time of
// day. Both agree at the start; when the time of day is set, ahead takes the difference. What is stored and shown is the time of
// day. The table's lock guards everything but ahead.
type clock struct {
	ahead atomic.Int64 // seconds that the time of day is ahead of the line

	base      time.Time     // a time that was right; zero: none yet
	suspended time.Duration // for how long the machine had been suspended then

	// They are replaced in tests, where no clock can be set.
	between     func(from, to time.Time) time.Duration // by a clock that nobody sets, and that rests while the machine is suspended
	suspensions func() time.Duration
}

func newClock() *clock { return &clock{between: elapsed, suspensions: suspensions} }

// elapsed is the time between two moments by the monotonic clock, where both know it.
func elapsed(from, to time.Time) time.Duration { return to.Sub(from) }

// suspensions is for how long the machine has been suspended since it was started: leases go on then.
func suspensions() time.Duration {
	var boot, running unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &running) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - running.Nano())
}

// seconds returns the present on the line, and by how much the time of day has been set since the last call: 0 if it hasn't.
func (c *clock) seconds(now time.Time) (sec int64, step time.Duration) {
	if c.base.IsZero() {
		c.base, c.suspended = now, c.suspensions()
	}
	steady := c.between(c.base, now)
	off := now.Round(0).Sub(c.base.Round(0)) - steady
	switch {
	case off.Abs() < leap:
	case steady < 0:
		// A moment from before the time of day was set, as somebody took it who comes late.
		return c.base.Add(steady).Unix() - c.ahead.Load(), 0
	default:
		suspended := c.suspensions()
		off -= suspended - c.suspended
		c.base, c.suspended = now, suspended
		if off.Abs() >= leap {
			step = off.Round(time.Second)
			c.ahead.Add(int64(step / time.Second))
		}
	}
	return now.Unix() - c.ahead.Load(), step
}

// wall is the time of day at a second of the line; the zero time for forEver.
func (c *clock) wall(sec int64) time.Time {
	if sec == forEver {
		return time.Time{}
	}
	return fromUnix(sec + c.ahead.Load())
}

// line is the second of the line at Unix seconds, as a lease has them.
func (c *clock) line(sec int64) int64 {
	if sec == forEver {
		return forEver
	}
	return sec - c.ahead.Load()
}

// seconds returns the present as records count it. When the time of day has been set, every lease that is stored by the old one is to be
// stored anew.
func (t *Table) seconds(now time.Time) int64 {
	sec, step := t.clock.seconds(now)
	if step == 0 {
		return sec
	}
	t.steps = append(t.steps, step)
	for _, n := range t.networks {
		for _, s := range n.slots {
			t.restamp(s, sec, step)
		}
	}
	t.poke()
	return sec
}

// restamp brings s to a time of day that was set by step. Changes under way are stored by the time that holds when they are written;
// what they build on is stored anew all the same, for they may be taken back.
func (t *Table) restamp(s *slot, now int64, step time.Duration) {
	r := s.committed
	switch d := int64(step / time.Second); {
	case r == nil:
	case d > 0 && r.seen-now > d/2:
		// Heard of in the future: the time of day was wrong since the start, as in a machine whose clock has no battery, and this lease was
		// stored before by one that was right.
		e := *r
		e.start, e.seen = r.start-d, r.seen-d
		if r.expiry != forEver {
			e.expiry = r.expiry - d
		}
		s.recommit(&e)
		if e.blocks() {
			t.late = append(t.late, lateWrite{s, &e}) // an earlier step may not be stored yet
		}
	case r.blocks():
		t.late = append(t.late, lateWrite{s, r})
	}
}

// recommit makes r what is committed of s, also for the changes under way that go back to it if they fail.
func (s *slot) recommit(r *record) {
	old := s.committed
	s.committed = r
	for p := s.last; p != nil; p = p.before(&s.cell) {
		for i := range p.effects {
			if p.effects[i].prev == old {
				p.effects[i].prev = r
			}
		}
	}
	if s.cur == old {
		s.cur = r
		s.rearm()
	}
}

// restampBatch stores the batch once more if the time of day was set while it was written.
func (c *committer) restampBatch() {
	t := c.table
	if c.ahead == t.clock.ahead.Load() {
		return
	}
	t.late = append(t.late, c.late...)
	for _, p := range c.batch {
		for _, e := range p.effects {
			t.late = append(t.late, lateWrite{e.slot, e.next})
		}
	}
}

// logSteps says that the time of day was set.
func logSteps(log *slog.Logger, steps []time.Duration) {
	for _, step := range steps {
		log.Warn("the time of day was set: leases last as long as they were promised, and are stored by the new time", "by", step.String())
	}
}

// ceilSeconds is d in seconds, rounded up, so that no lease ends before it was promised.
func ceilSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
