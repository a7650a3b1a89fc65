package hooks

import (
	"log/slog"
	"sync"
	"time"
)

// Of what fails again and again so many lines are written at once, and then one a minute.
const (
	logBurst = 5
	logPace  = time.Minute
)

// chatter bounds the lines of one hook.
type chatter struct {
	mu         sync.Mutex // guards what follows
	used       time.Duration
	last       time.Time
	suppressed int
}

// limit returns log for a line at now, with how many were left out before it, or a logger that discards the line.
func (c *chatter) limit(log *slog.Logger, now time.Time) *slog.Logger {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = max(0, c.used-max(0, now.Sub(c.last)))
	c.last = now
	if c.used > (logBurst-1)*logPace {
		c.suppressed++
		return slog.New(slog.DiscardHandler)
	}
	c.used += logPace
	if c.suppressed > 0 {
		log = log.With("suppressed", c.suppressed)
		c.suppressed = 0
	}
	return log
}
