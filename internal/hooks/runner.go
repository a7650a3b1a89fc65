package hooks

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// grace is how long deliveries may go on when Run is to end.
const grace = 3 * time.Second

// retries are the pauses between attempts to reach a URL.
var retries = [...]time.Duration{time.Second, 4 * time.Second, 15 * time.Second}

// Runner tells hooks what it is told by Deliver. Its methods may be called by any goroutine.
type Runner struct {
	log     *slog.Logger
	client  *http.Client
	deliver func(ctx context.Context, h *hook, cfg *Config, e *Event) (output string, err error)
	wake    chan struct{} // has a value when there may be something for more workers

	mu    sync.Mutex // guards hooks
	hooks []*hook    // in the order of the configuration
}

// New makes a Runner of hooks that are told nothing yet.
func New(cfgs []Config, log *slog.Logger) *Runner {
	r := &Runner{log: log, client: newClient(), wake: make(chan struct{}, 1)}
	r.deliver = r.tell
	r.Reconfigure(cfgs)
	return r
}

// Reconfigure brings the hooks to cfgs. One that stays, by its name, keeps its queue and its counters; one that goes leaves what it wasn't told
// yet.
func (r *Runner) Reconfigure(cfgs []Config) {
	for _, h := range r.configure(cfgs) {
		h.retire()
	}
}

// configure is Reconfigure, and returns the hooks that are no more.
func (r *Runner) configure(cfgs []Config) (gone []*hook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.hooks
	r.hooks = nil
	for _, cfg := range cfgs {
		i := slices.IndexFunc(old, func(h *hook) bool { return h.snapshot().Name == cfg.Name })
		if i < 0 {
			r.hooks = append(r.hooks, &hook{log: r.log.With("hook", cfg.Name), retired: make(chan struct{}), cfg: &cfg})
			continue
		}
		old[i].configure(&cfg)
		r.hooks = append(r.hooks, old[i])
	}
	return slices.DeleteFunc(slices.Clone(old), func(h *hook) bool { return slices.Contains(r.hooks, h) })
}

// Empty reports whether there are no hooks.
func (r *Runner) Empty() bool { return len(r.all()) == 0 }

func (r *Runner) all() []*hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hooks
}

// Wants reports whether any hook is told of such an event.
func (r *Runner) Wants(event, network string) bool {
	return slices.ContainsFunc(r.all(), func(h *hook) bool { return h.wants(event, network) })
}

// Deliver has the hooks told that want it. It never waits for one: what a hook has no room for is dropped and counted.
func (r *Runner) Deliver(e Event) {
	behind := r.put(&e)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	for _, h := range behind {
		h.log.Warn("the hook falls behind: events are dropped until it has caught up", "waiting", queueLength)
	}
}

// put gives e to every hook, under the lock, so that none has been retired. It returns those that fall behind.
func (r *Runner) put(e *Event) (behind []*hook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hooks {
		if h.put(e) {
			behind = append(behind, h)
		}
	}
	return behind
}

// Lost counts n events that can't be delivered any more, nor told which hooks they were for.
func (r *Runner) Lost(n uint64) {
	for _, h := range r.all() {
		h.lose(n)
	}
}

// Stats returns how the hooks do, in the order of the configuration.
func (r *Runner) Stats() []Stats {
	var out []Stats
	for _, h := range r.all() {
		out = append(out, h.snapshot())
	}
	return out
}

// Run tells the hooks what is delivered until ctx ends. Then what waits and what is under way has three seconds, and what remains is said in the
// log. It returns nil.
func (r *Runner) Run(ctx context.Context) error {
	defer r.client.CloseIdleConnections()
	if err := closeOnExec(); err != nil {
		r.log.Warn("programs of hooks may inherit open files", "err", err)
	}
	workCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var workers sync.WaitGroup
	for ctx.Err() == nil {
		select {
		case <-r.wake:
			r.hire(workCtx, &workers)
		case <-ctx.Done():
		}
	}
	r.hire(workCtx, &workers)
	defer time.AfterFunc(grace, cancel).Stop()
	workers.Wait()
	for _, h := range r.all() {
		h.leave()
	}
	return nil
}

// hire starts workers for what waits.
func (r *Runner) hire(ctx context.Context, workers *sync.WaitGroup) {
	for _, h := range r.all() {
		for j, ok := h.hire(); ok; j, ok = h.hire() {
			workers.Go(func() { r.work(ctx, h, j) })
		}
	}
}

// work does a job, and others until there are none.
func (r *Runner) work(ctx context.Context, h *hook, j job) {
	for ok := true; ok; j, ok = h.next(ctx) {
		output, err := r.deliver(ctx, h, j.cfg, j.event)
		h.done(ctx, j, output, err)
	}
}

// tell is what deliver is but in tests.
func (r *Runner) tell(ctx context.Context, h *hook, cfg *Config, e *Event) (output string, err error) {
	if len(cfg.Command) > 0 {
		return run(ctx, cfg, e)
	}
	for attempt := 0; ; attempt++ {
		err := post(ctx, r.client, cfg, e)
		later, ok := errors.AsType[temporary](err)
		if !ok || attempt == len(retries) || !h.pause(ctx, max(later.after, jitter(retries[attempt]))) {
			return "", err
		}
	}
}

// jitter spreads the attempts, so that a server which comes back isn't met by all of them at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// pause waits, unless there is no point in it any more.
func (h *hook) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-h.retired:
	}
	return false
}
