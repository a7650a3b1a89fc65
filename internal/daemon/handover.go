package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/handover"
	"labnet/netcfg"
)

// handover is where the state of the bridged network's handover is.
func (p Paths) handover() string { return filepath.Join(p.StateDir, "handover") }

func openHandover(paths Paths, log *slog.Logger) (*handover.Host, error) {
	return handover.Open(paths.handover(), netcfg.Lock, log)
}

// handoverOf is what the bridged network of a configuration asks for; ok is false if there is none.
func handoverOf(cfg *config.Config) (want handover.Config, within time.Duration, ok bool) {
	for _, n := range cfg.Networks {
		if n.Mode == bridged {
			return handover.Config{
				Network: n.Name, Uplink: n.Uplink.Interface, Bridge: n.Bridge.Name, Address: n.Address, Gateway: n.Bridged.Gateway, DHCP: n.Bridged.DHCP,
			}, n.Bridged.ConfirmWithin, true
		}
	}
	return handover.Config{}, 0, false
}

const bridged = "bridged"

// segment is the part of a bridged network that is the host's: its guests' ports.
func segment(n config.Network) netcfg.Segment {
	return netcfg.Segment{Name: n.Name, Bridge: n.Bridge.Name, Uplink: n.Uplink.Interface, Attach: n.Bridge.Attach, TAPs: hostTAPs(n.TAPs)}
}

// handoverLoop is what following the handover remembers from one look to the next.
type handoverLoop struct {
	waiting bool // for a confirmation, at the last look
	overdue int  // looks since it should have gone back
	retry   time.Time
	delay   time.Duration
	mending mending
}

const (
	// handoverEvery is how often the daemon looks how the handover is: commands and the way back are other processes.
	handoverEvery = 500 * time.Millisecond
	// overdueLooks are waited for the process that stands by; if it was killed, the daemon goes back itself.
	overdueLooks = 10
	// A confirmed handover that can't be made yet is tried again after retryHandover, doubled up to retryMost.
	retryHandover = 2 * time.Second
	retryMost     = time.Minute
)

// followHandover keeps the daemon in step with the handover until ctx ends.
func (d *daemon) followHandover(ctx context.Context) error {
	ticker := time.NewTicker(handoverEvery)
	defer ticker.Stop()
	defer d.hostLease.Wait()
	var l handoverLoop
	for {
		d.lookAtHandover(ctx, &l)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (d *daemon) lookAtHandover(ctx context.Context, l *handoverLoop) {
	state, err := d.hand.State()
	if err != nil {
		d.setObstacle(err)
		return
	}
	d.followTenant(ctx, state.Leases())
	switch armed := state.Phase.Armed(); {
	case armed:
		d.host.Rest(true)
		l.waiting = true
		if state.Left() > 0 {
			l.overdue = 0
		} else if l.overdue++; l.overdue > overdueLooks && state.Phase != handover.Prepared {
			_, _, err := d.hand.Back(ctx, "it was not confirmed in time")
			d.log.Warn("went back in place of the process that should have", "err", err)
		}
		return
	case l.waiting || d.before.Load() != nil:
		l.waiting, l.overdue = false, 0
		d.settled(ctx, state)
	}
	d.host.Rest(false)
	if state.Phase == handover.Kept {
		d.mend(ctx, &l.mending)
	}
	if state.Phase == handover.None && !time.Now().Before(l.retry) {
		d.keepConfirmed(ctx, l)
	}
}

// settled follows a change that waits no more: it is confirmed, or what ran before it runs again.
func (d *daemon) settled(ctx context.Context, state handover.State) {
	before := d.before.Swap(nil)
	if state.Phase == handover.Kept {
		d.log.Info("the change of the uplink is confirmed", "uplink", state.Config.Uplink, "bridge", state.Config.Bridge)
		return
	}
	if out, ok, err := d.hand.Outcome(); err == nil && ok {
		d.log.Warn("the change of the uplink went back", "uplink", out.Config.Uplink, "reason", out.Reason, "err", out.Failure, "differences", out.Differences)
	}
	if before == nil {
		return
	}
	if err := d.inTurn(ctx, func(t turn) error { return d.reconfigure(t.ctx, t.front, before) }); err != nil {
		d.log.Error("what ran before the change doesn't run again", "err", err)
	}
}

// keepConfirmed hands over what was confirmed before, as at a start of the machine: the uplink may come late.
func (d *daemon) keepConfirmed(ctx context.Context, l *handoverLoop) {
	want, _, ok := handoverOf(d.config())
	if !ok {
		return
	}
	confirmed, forced, err := d.hand.Confirmed(want)
	if err == nil && !confirmed && !d.opts.Confirmed {
		return
	}
	if err == nil {
		err = d.hand.Keep(ctx, want, forced)
	}
	d.setObstacle(err)
	if err != nil {
		l.delay = min(max(2*l.delay, retryHandover), retryMost)
		l.retry = time.Now().Add(l.delay)
		d.log.Warn("the confirmed bridge can't take over now", "bridge", want.Bridge, "uplink", want.Uplink, "err", err, "retry", l.delay)
		return
	}
	l.delay = 0
	d.log.Info("the bridge has taken over, as confirmed before", "bridge", want.Bridge, "uplink", want.Uplink)
}

func (d *daemon) setObstacle(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.obstacle = err
}

// Apply implements control.Backend.
func (d *daemon) Apply(ctx context.Context, r control.ApplyRequest) (answer control.Applied, err error) {
	err = d.inTurn(ctx, func(t turn) error {
		answer, err = d.apply(t, r)
		return err
	})
	return answer, err
}

func (d *daemon) apply(t turn, r control.ApplyRequest) (control.Applied, error) {
	file, err := d.opts.Load()
	if err != nil {
		return control.Applied{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	state, err := d.hand.State()
	if err != nil {
		return control.Applied{}, err
	}
	want, within, ok := handoverOf(file)
	if state.Phase == handover.Kept && !ok {
		return control.Applied{}, fmt.Errorf("%w: %s has what %s had, and the configuration has no bridged network any more: `labnet down` gives it back, then run labnet again",
			control.ErrConflict, state.Config.Bridge, state.Config.Uplink)
	}
	if same := state.Config; state.Phase == handover.Kept && sameHandover(same, want) || !ok && !state.Phase.Armed() {
		return d.applyNow(t, file)
	}
	cfg, _ := withKept(file, d.kept)
	if err := d.check(compile(cfg, hostName())); err != nil {
		return control.Applied{}, fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	if r.ConfirmWithin > 0 {
		within = time.Duration(r.ConfirmWithin) * time.Second
	}
	found, err := d.hand.Prepare(want, within, r.Force)
	if err != nil {
		return control.Applied{}, fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	steps, err := d.hand.Plan(want)
	if err != nil {
		return control.Applied{}, err
	}
	d.prepared = file
	pending := pendingOf(found)
	pending.Steps = steps
	return control.Applied{Pending: pending}, nil
}

// sameHandover reports whether two ask for the same; a network's name is no matter of the host's.
func sameHandover(a, b handover.Config) bool {
	a.Network, b.Network = "", ""
	return a == b
}

func pendingOf(s handover.State) *control.Pending {
	return &control.Pending{
		Network: s.Config.Network, Uplink: s.Config.Uplink, Bridge: s.Config.Bridge, Token: s.Token, Within: int(s.Within / time.Second), Notes: s.Notes,
	}
}

// applyNow applies a configuration that changes no uplink.
func (d *daemon) applyNow(t turn, file *config.Config) (control.Applied, error) {
	cfg, _ := withKept(file, d.kept)
	plan, err := d.host.Plan(compile(cfg, hostName()).host)
	if err == nil {
		err = d.reconfigure(t.ctx, t.front, file)
	}
	if err != nil {
		return control.Applied{}, fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	return control.Applied{Changes: changes(plan)}, nil
}

// Commit implements control.Backend.
func (d *daemon) Commit(ctx context.Context, token string) (answer control.Applied, err error) {
	err = d.inTurn(ctx, func(t turn) error {
		answer, err = d.commit(t, token)
		return err
	})
	return answer, err
}

func (d *daemon) commit(t turn, token string) (control.Applied, error) {
	if d.prepared == nil {
		return control.Applied{}, fmt.Errorf("%w: nothing is prepared; run `labnet apply`", control.ErrConflict)
	}
	file := d.prepared
	d.prepared = nil
	d.host.Rest(true)
	state, err := d.hand.Move(t.ctx, token, true)
	if err != nil {
		d.host.Rest(false)
		return control.Applied{}, fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	before := d.file
	if err := d.reconfigure(t.ctx, t.front, file); err != nil {
		_, _, back := d.hand.Back(t.ctx, "the rest of the configuration can't be applied")
		d.host.Rest(false)
		return control.Applied{}, fmt.Errorf("%w: %w", control.ErrConflict, errors.Join(err, back))
	}
	d.before.Store(before)
	d.log.Info("the bridge has taken over, and waits to be confirmed", "bridge", state.Config.Bridge, "uplink", state.Config.Uplink, "within", state.Within.String())
	return control.Applied{Pending: pendingOf(state)}, nil
}

// bridgedNetwork is a bridged network as the API shows it.
func (d *daemon) bridgedNetwork(n config.Network) control.Network {
	out := control.Network{Name: n.Name, Mode: n.Mode, Bridge: n.Bridge.Name, Address: n.Address, Uplink: n.Uplink.Interface}
	out.Handover = &control.Handover{State: control.HandoverPending}
	state, err := d.hand.State()
	switch {
	case err != nil || state.Phase == handover.None || state.Phase == handover.Prepared:
	case state.Phase == handover.Kept:
		out.Handover.State = control.HandoverKept
	default:
		out.Handover.State, out.Handover.Left = control.HandoverWaiting, int(state.Left()/time.Second)
	}
	if !out.Address.IsValid() {
		out.Address = d.hand.Address(state)
	}
	return out
}

// handoverProblems is what a person should know of the handover of a configuration.
func handoverProblems(host *handover.Host, cfg *config.Config, obstacle error) []netcfg.Problem {
	state, err := host.State()
	if err != nil {
		return []netcfg.Problem{{Summary: err.Error()}}
	}
	want, _, ok := handoverOf(cfg)
	problem := func(summary, remedy string) []netcfg.Problem {
		return []netcfg.Problem{{Network: want.Network, Summary: summary, Remedy: remedy}}
	}
	switch {
	case state.Phase == handover.Moved || state.Phase == handover.Moving:
		return problem(fmt.Sprintf("%s has taken over from %s, and gives it back in %v unless that is confirmed", state.Config.Bridge, state.Config.Uplink, state.Left()),
			"over a new connection: labnet confirm "+state.Token+"; or at once: labnet rollback")
	case state.Phase == handover.Kept && !ok:
		return problem(fmt.Sprintf("%s has what %s had, but the configuration has no bridged network any more", state.Config.Bridge, state.Config.Uplink), "labnet down gives it back")
	case state.Phase == handover.Kept && !sameHandover(state.Config, want):
		return problem(fmt.Sprintf("%s has taken over from %s by a configuration that was another", state.Config.Bridge, state.Config.Uplink), "labnet down gives it back; then labnet run and labnet apply")
	case state.Phase == handover.Kept && obstacle != nil:
		return problem(obstacle.Error(), "labnet goes on looking; `labnet down` gives back what there is")
	case state.Phase == handover.Kept || !ok:
		return nil
	case obstacle != nil:
		return problem(fmt.Sprintf("%s can't take over from %s: %v", want.Bridge, want.Uplink, obstacle), "it is tried again")
	}
	summary := fmt.Sprintf("pending: labnet apply. %s leaves %s alone until then", want.Bridge, want.Uplink)
	if out, went, err := host.Outcome(); err == nil && went && out.Reason != downReason && sameHandover(out.Config, want) {
		summary = fmt.Sprintf("pending: labnet apply. The last change of %s went back at %s: %s", want.Uplink, out.At.Format(time.RFC3339), out.Reason)
		for _, difference := range out.Differences {
			summary += "; " + difference
		}
	}
	return problem(summary, "labnet apply moves the addresses, and asks for confirmation over a new connection")
}

// downReason is why a handover went back that nobody disliked.
const downReason = "labnet down"

// giveBack lets the uplink have what it had, after everything else was taken down.
func giveBack(ctx context.Context, host *handover.Host) ([]control.Change, error) {
	out, ok, err := host.Back(ctx, downReason)
	if !ok {
		return nil, err
	}
	text := fmt.Sprintf("- link %s (what it had is on %s again)", out.Config.Bridge, out.Config.Uplink)
	for _, difference := range out.Differences {
		err = errors.Join(err, fmt.Errorf("%s isn't what it was: %s", out.Config.Uplink, difference))
	}
	return []control.Change{{Group: "links", Text: text}}, err
}
