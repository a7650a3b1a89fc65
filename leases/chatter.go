package leases

import (
	"log/slog"
	"sync"
)

// Of what guests can cause as often as they like so many lines are written at once, and then one a second.
const logBurst = 100

// chatter bounds the lines of one kind, so that no guest fills the disk with them.
type chatter struct {
	mu         sync.Mutex // guards what follows
	used       int64      // lines of the burst that are used up
	last       int64      // Unix seconds
	suppressed int
}

// limit returns log for a line at now, with how many were left out before it, or a logger that discards the line.
func (c *chatter) limit(log *slog.Logger, now int64) *slog.Logger {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = max(0, c.used-max(0, now-c.last))
	c.last = now
	if c.used >= logBurst {
		c.suppressed++
		return slog.New(slog.DiscardHandler)
	}
	c.used++
	if c.suppressed > 0 {
		log = log.With("suppressed", c.suppressed)
		c.suppressed = 0
	}
	return log
}
