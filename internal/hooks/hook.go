package hooks

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// workersPerHook is how many events a hook is told at a time.
	workersPerHook = 4
	// queueLength is how many events wait for a hook, each with half a kilobyte or a whole one.
	queueLength = 8192
)

// hook is one hook with what waits for it.
type hook struct {
	log     *slog.Logger  // says which hook it is
	retired chan struct{} // closed when the configuration has it no more
	chatter chatter

	mu      sync.Mutex // guards what follows
	cfg     *Config    // never changes once it is here
	queue   queue
	working int    // workers, each with an event
	missed  uint64 // events since the last one that reached it
	behind  uint64 // events that were dropped since it fell behind; 0: it hasn't
	cut     int    // events whose delivery was broken off at the end
	stats   Stats
}

// job is an event that the hook is being told.
type job struct {
	lane  *lane
	event *Event
	cfg   *Config
}

// Stats is how a hook does.
type Stats struct {
	Name        string
	Target      string // its program, or its URL's server
	Delivered   uint64
	Failed      uint64    // events that it was told in vain, and is told no more
	Dropped     uint64    // events that it was never told, since it fell behind
	Waiting     int       // events that it is still to be told, or is being told
	Behind      bool      // it has dropped events, and earlier ones still wait
	Failures    int       // in a row until now
	LastError   string    // of the last failure
	LastErrorAt time.Time // zero: there was none
}

// put gives e to the hook if it is one that it wants, or drops it where too much waits. Nothing that a hook does holds it up. It reports whether e is
// the first that is dropped.
func (h *hook) put(e *Event) (fallsBehind bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.cfg.wants(e.Event, e.Network):
	case h.queue.waiting < queueLength:
		own := *e
		h.queue.put(&own)
	default:
		h.behind++
		h.stats.Dropped++
		h.missed++
		return h.behind == 1
	}
	return false
}

// lose counts events that nobody knows any more. Some may have been none of the hook's.
func (h *hook) lose(n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Dropped += n
	h.missed += n
}

// hire returns the job of one more worker, if there is one.
func (h *hook) hire() (job, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.working >= workersPerHook {
		return job{}, false
	}
	j, ok := h.take()
	if ok {
		h.working++
	}
	return j, ok
}

// next returns a worker's next job. If there is none, the worker ends.
func (h *hook) next(ctx context.Context) (job, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil {
		if j, ok := h.take(); ok {
			return j, true
		}
	}
	h.working--
	return job{}, false
}

// take returns what waits first; h.mu is held.
func (h *hook) take() (job, bool) {
	l, e := h.queue.take()
	if l == nil {
		return job{}, false
	}
	e.Missed, h.missed = h.missed, 0
	return job{l, e, h.cfg}, true
}

// done counts how it went, and says so. output is what a program printed.
func (h *hook) done(ctx context.Context, j job, output string, err error) {
	broken := err != nil && ctx.Err() != nil
	caughtUp := h.count(j, output, err, broken)
	log := h.log.With("event", j.event.Event, "network", j.event.Network, "addr", j.event.Lease.Address, "id", j.event.ID)
	if output != "" {
		log = log.With("output", output)
	}
	switch {
	case err == nil:
		log.Debug("the hook was told")
	case !broken:
		h.chatter.limit(log, time.Now()).Warn("the hook fails", "err", err)
	}
	if caughtUp > 0 {
		h.log.Warn("the hook has caught up", "dropped", caughtUp)
	}
}

// count counts how it went; broken says that the delivery was broken off at the end. It returns how many events were dropped until the hook has
// caught up with this one, or 0.
func (h *hook) count(j job, output string, err error, broken bool) (caughtUp uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queue.free(j.lane)
	switch {
	case err == nil:
		h.stats.Delivered++
		h.stats.Failures = 0
	case broken:
		h.cut++
	default:
		h.stats.Failed++
		h.stats.Failures++
		h.missed += j.event.Missed + 1
		h.stats.LastError, h.stats.LastErrorAt = err.Error(), time.Now()
		if output != "" {
			h.stats.LastError += ": " + lastLine(output)
		}
	}
	if h.queue.waiting == 0 {
		caughtUp, h.behind = h.behind, 0
	}
	return caughtUp
}

// snapshot is the hook's Stats.
func (h *hook) snapshot() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.stats
	out.Name, out.Target = h.cfg.Name, h.cfg.target()
	out.Behind = h.behind > 0
	out.Waiting = h.queue.waiting + h.working
	return out
}

// wants reports whether the hook is told of such an event.
func (h *hook) wants(event, network string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cfg.wants(event, network)
}

func (h *hook) configure(cfg *Config) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cfg = cfg
}

// retire throws away what waits; what is under way is not tried again. Nothing may be put any more.
func (h *hook) retire() {
	close(h.retired)
	if n := h.clear(); n > 0 {
		h.log.Warn("the hook is removed before it was told everything", "events", n)
	}
}

// leave says at the end how many events the hook was not told.
func (h *hook) leave() {
	if n := h.clear(); n > 0 {
		h.log.Warn("the end comes before the hook was told everything", "events", n)
	}
}

// clear returns how many events waited, or were broken off.
func (h *hook) clear() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.queue.clear() + h.cut
}
