package netcfg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
)

// Host is the network of one network namespace, and the only one who changes it. Apply, Down and Run may be called
// from different goroutines; a lock of the namespace also keeps other processes out meanwhile.
type Host struct {
	log    *slog.Logger
	ns     *namespace
	kernel kernel
	lock   func(context.Context) (unlock func(), err error)
	self   string                  // this process's name, as the kernel knows it
	wake   chan struct{}           // Run has something to look at
	editor atomic.Pointer[process] // who else changed nftables last
	alarm  atomic.Pointer[alarm]   // the last fight
	edits  atomic.Int64            // changes of the follower whose events haven't come yet

	stats    stats
	follower follower
	rests    atomic.Bool // Run looks on, see Rest

	// busy is held by whoever plans or changes; it guards what follows.
	busy    chan struct{}
	record  *recordFile
	applied *Config // what Run keeps: the last that was applied by this process, nil after Down
	kept    *state  // as it was wanted when it was last in order
}

// Open binds to the network namespace of the calling thread. recordPath is the file in which old sysctl values and what was
// made are remembered for Down, also by a later process. It changes nothing, and needs no privilege.
func Open(recordPath string, log *slog.Logger) (*Host, error) {
	ns, err := openNamespace()
	if err != nil {
		return nil, err
	}
	record, err := openRecord(recordPath, ns.cookie)
	if err != nil {
		return nil, errors.Join(err, ns.close())
	}
	self, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the process's name: %w", err), ns.close())
	}
	return &Host{
		self: strings.TrimSpace(string(self)),
		log:  log, ns: ns, kernel: ns, lock: ns.lock,
		wake: make(chan struct{}, 1), busy: make(chan struct{}, 1),
		record: record,
	}, nil
}

// Close releases the sockets; the kernel's network stays as it is. Run must have returned.
func (h *Host) Close() error { return h.ns.close() }

// enter waits for its turn.
func (h *Host) enter(ctx context.Context) error {
	select {
	case h.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *Host) leave() { <-h.busy }

// survey observes the host and says what a configuration asks of it.
func (h *Host) survey(cfg Config) (*facts, *state, *state, error) {
	rec, err := h.record.load()
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := h.kernel.observe(cfg, rec)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("observing the host's network: %w", err)
	}
	f.followed = h.wouldFollow(cfg)
	return f, f.have(cfg), desired(cfg, f), nil
}

// Plan tells what Apply would change, in order; it changes nothing. Reading nftables takes CAP_NET_ADMIN.
func (h *Host) Plan(cfg Config) (Plan, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return Plan{}, err
	}
	if err := h.enter(context.Background()); err != nil {
		return Plan{}, err
	}
	defer h.leave()
	_, have, want, err := h.survey(cfg)
	if err != nil {
		return Plan{}, err
	}
	return plan(have, want), nil
}

// PlanDown tells what Down would change.
func (h *Host) PlanDown() (Plan, error) { return h.Plan(Config{}) }

// Apply brings the kernel to cfg and returns what it changed. If it fails half way, it goes back to what was before. It
// refuses, with all reasons, what Check calls fatal.
func (h *Host) Apply(ctx context.Context, cfg Config) (Plan, error) {
	p, err := h.apply(ctx, cfg)
	h.stats.noteApply(err)
	return p, err
}

func (h *Host) apply(ctx context.Context, cfg Config) (Plan, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return Plan{}, err
	}
	if err := h.enter(ctx); err != nil {
		return Plan{}, err
	}
	defer h.leave()
	unlock, err := h.lock(ctx)
	if err != nil {
		return Plan{}, err
	}
	defer unlock()

	f, have, want, err := h.survey(cfg)
	if err != nil {
		return Plan{}, err
	}
	if err := fatal(hostProblems(cfg, f)); err != nil {
		return Plan{}, err
	}
	p := plan(have, want)
	if err := h.change(ctx, p, cfg, f, want); err != nil {
		return Plan{}, err
	}
	h.applied, h.kept = &cfg, want
	h.settle(cfg, f, want)
	h.nudge()
	return p, nil
}

// Down removes everything of ours and puts back what was recorded. It needs no configuration.
func (h *Host) Down(ctx context.Context) (Plan, error) {
	if err := h.enter(ctx); err != nil {
		return Plan{}, err
	}
	defer h.leave()
	unlock, err := h.lock(ctx)
	if err != nil {
		return Plan{}, err
	}
	defer unlock()
	// Run must not repair what goes now, nor what is left if it fails half way: Down is then called again.
	h.applied, h.kept = nil, nil
	h.unfollow()
	f, have, want, err := h.survey(Config{})
	if err != nil {
		return Plan{}, err
	}
	p := plan(have, want)
	for _, step := range p.steps() {
		if err := ctx.Err(); err != nil {
			return Plan{}, fmt.Errorf("removing labnet's network: %w", context.Cause(ctx))
		}
		if err := h.kernel.do(step); err != nil && !f.vanished(step, err) {
			return Plan{}, fmt.Errorf("removing labnet's network: %w", err)
		}
	}
	return p, h.record.remove()
}

// change makes a plan, with the old values on disk before the first of them is overwritten, and goes back if it can't.
func (h *Host) change(ctx context.Context, p Plan, cfg Config, f *facts, want *state) error {
	before := f.record
	r := before.remember(p, f)
	if err := h.record.save(r); err != nil {
		return err
	}
	if err := h.do(ctx, p, f); err != nil {
		if !f.known() {
			return fmt.Errorf("%w (labnet was here before, but the record of what it set up is gone: there is no way back, apply again or take it down)", err)
		}
		return errors.Join(err, h.goBack(before.Config))
	}
	h.endStale(p, cfg, f)
	r = r.forget(f, want)
	r.Config = cfg
	return h.record.save(r)
}

// endStale follows a change of the rules. Failing, it leaves connections as they were decided, which is no reason to go back.
func (h *Host) endStale(p Plan, cfg Config, f *facts) {
	if !p.decidesConnections() {
		return
	}
	n, err := h.kernel.endStale(cfg, f)
	if err != nil {
		h.log.Warn("connections that began before a change of the rules go on by the old ones", "err", err)
	}
	if n > 0 {
		h.log.Info("connections are decided anew after a change of the rules", "connections", n)
	}
}

func (h *Host) do(ctx context.Context, p Plan, f *facts) error {
	for _, step := range p.steps() {
		if ctx.Err() != nil {
			return fmt.Errorf("changing the host's network: %w", context.Cause(ctx))
		}
		if err := h.kernel.do(step); err != nil && !f.vanished(step, err) {
			return fmt.Errorf("changing the host's network: %w", err)
		}
	}
	return nil
}

// known reports whether it is known what there was before: going back to nothing would cut off the guests of a network whose
// record is lost.
func (f *facts) known() bool {
	return len(f.record.Config.Networks) > 0 || len(f.tables) == 0
}

// vanished reports whether a step failed only because an interface that isn't ours went away meanwhile, as uplinks and guests'
// links do: there is nothing left to change then.
func (f *facts) vanished(step []Change, err error) bool {
	if !errors.Is(err, errNoLink) {
		return false
	}
	c, ok := step[0].(setSysctl)
	if !ok {
		return false
	}
	l, ok := f.link(c.key.link())
	return ok && !f.ours(l)
}

// goBack returns to the configuration that was applied before, from wherever a failed change got to. It isn't bound to the
// context that may have ended the change.
func (h *Host) goBack(cfg Config) error {
	f, have, want, err := h.survey(cfg)
	if err == nil {
		err = h.do(context.Background(), plan(have, want), f)
	}
	if err != nil {
		return fmt.Errorf("going back to what was before: %w", err)
	}
	if len(cfg.tapHomes()) == 0 {
		return h.record.remove()
	}
	h.settle(cfg, f, want)
	r := f.record.forget(f, want)
	return h.record.save(r)
}

// Rest makes Run look on, or go on: while a way back is open, nothing is to be changed in its way.
func (h *Host) Rest(rest bool) {
	if h.rests.Swap(rest) && !rest {
		h.nudge()
	}
}

// nudge wakes Run.
func (h *Host) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Problem is something about the host that stands against a configuration.
type Problem struct {
	Network string // the network of the configuration that it concerns, "" for all
	Fatal   bool   // Apply would refuse
	Summary string // what is wrong, one line
	Remedy  string // what to do about it
}

// Plan is the changes from one state to another: first what grows, then what shrinks.
type Plan struct {
	Grow, Shrink []Change
}

// Empty reports whether there is nothing to change.
func (p Plan) Empty() bool { return len(p.Grow) == 0 && len(p.Shrink) == 0 }

// Change is one step; a closed set of types.
type Change interface {
	// String is one line for people: "+ link br0 (bridge, mtu 1500)".
	String() string
	// Group is the heading under which it is printed: links, addresses, routes, firewall, sysctls, ports.
	Group() string
}
