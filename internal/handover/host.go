package handover

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Host hands over on the host of the calling thread's network namespace. Several processes may have one for the same directory.
type Host struct {
	dir   string
	boot  string
	netns uint64
	conn  conn
	// namespace is the lock that keeps others from changing the kernel's network.
	namespace func(context.Context) (unlock func(), err error)
	log       *slog.Logger
	root      string // of the files by which the managers of interfaces are found: "", or a test's
	inForce   inForce
	stopAfter int // a test's: the move ends after so many steps, as a crash would end it; 0: it doesn't
}

// Open binds to the network namespace of the calling thread; dir has the state. lock keeps others from changing the kernel's network
// until unlock is called. It changes nothing.
func Open(dir string, lock func(context.Context) (unlock func(), err error), log *slog.Logger) (*Host, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	c, err := dial()
	if err != nil {
		return nil, err
	}
	return &Host{dir: dir, boot: boot, netns: c.cookie(), conn: c, namespace: lock, log: log}, nil
}

// Close releases the sockets; what is handed over stays.
func (h *Host) Close() error { return h.conn.Close() }

// Plan is the steps that a move would make now, for people.
func (h *Host) Plan(cfg Config) ([]string, error) {
	l, err := h.conn.current(cfg.Uplink)
	if err != nil {
		return nil, err
	}
	s, err := h.conn.take(l)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, one := range h.conn.steps(cfg, s) {
		out = append(out, one.what)
	}
	return out, nil
}

// Prepare looks whether cfg can be, and puts a snapshot of the host on disk. It changes nothing of the network. What stands against it
// is the error, unless it can be forced and force is set. One handover is under way at a time.
func (h *Host) Prepare(cfg Config, within time.Duration, force bool) (State, error) {
	unlock, err := h.lock(lockFile, lockPatience)
	if err != nil {
		return State{}, err
	}
	defer unlock()
	return h.prepare(cfg, within, force)
}

func (h *Host) prepare(cfg Config, within time.Duration, force bool) (State, error) {
	last, err := h.State()
	if err != nil {
		return State{}, err
	}
	armed, err := h.armed()
	if err != nil {
		return State{}, err
	}
	switch {
	case last.Phase == Moving && !armed, last.Phase == Moved && !armed:
		return State{}, fmt.Errorf("a handover of %s was broken off, and nobody takes it back: `labnet rollback` does", last.Config.Uplink)
	case last.Phase.Armed() && armed:
		return State{}, fmt.Errorf("a change of %s waits to be confirmed already: `labnet confirm TOKEN`, or `labnet rollback`", last.Config.Uplink)
	case last.Phase == Kept:
		return State{}, fmt.Errorf("%s has taken over from %s already: `labnet down` gives back what it has, then apply again", last.Config.Bridge, last.Config.Uplink)
	}
	found, err := h.Preflight(cfg)
	if err != nil {
		return State{}, err
	}
	var against []error
	for _, p := range found.Problems {
		if !p.Force || !force {
			against = append(against, p)
		}
	}
	if len(against) > 0 {
		return State{}, errors.Join(against...)
	}
	l, err := h.conn.current(cfg.Uplink)
	if err != nil {
		return State{}, err
	}
	s := State{
		Version: stateVersion, Boot: h.boot, Netns: h.netns, Phase: Prepared, Config: cfg, Forced: force,
		Notes: found.Notes, Token: newToken(), Within: within, Deadline: sinceBoot() + int64((within+grace)/time.Second),
	}
	for _, gw := range found.Gateways {
		s.Gateways = append(s.Gateways, gw.String())
	}
	if s.Before, err = connections(); err != nil {
		return State{}, err
	}
	if s.Snapshot, err = h.conn.take(l); err != nil {
		return State{}, err
	}
	if cfg.DHCP {
		s.ClientID = h.clientID(l)
	}
	return s, h.save(stateFile, s)
}

// grace is how long after its preparation a move may begin.
const grace = 30 * time.Second

// newToken is what confirms one change and no other.
func newToken() string { return rand.Text()[:8] }

// Move makes what was prepared under token, verifies it for up to ten seconds, and goes back at once if it doesn't work. Without
// watched it is kept right away: for what was confirmed before; else a Watch must run, which goes back in time.
func (h *Host) Move(ctx context.Context, token string, watched bool) (State, error) {
	unlock, err := h.lock(lockFile, lockPatience)
	if err != nil {
		return State{}, err
	}
	defer unlock()
	return h.move(ctx, token, watched)
}

func (h *Host) move(ctx context.Context, token string, watched bool) (State, error) {
	s, err := h.State()
	if err != nil {
		return State{}, err
	}
	if s.Phase != Prepared || s.Token != token {
		return State{}, errors.New("no change was prepared under this token; run `labnet apply` again")
	}
	if watched {
		if armed, err := h.armed(); err != nil || !armed {
			return State{}, errors.Join(errors.New("nobody stands by to go back: nothing is changed"), err, h.remove(stateFile))
		}
	}
	release, err := h.namespace(ctx)
	if err != nil {
		return State{}, errors.Join(err, h.remove(stateFile))
	}
	defer release()
	l, err := h.conn.current(s.Config.Uplink)
	if err != nil {
		return State{}, errors.Join(err, h.remove(stateFile))
	}
	now, err := h.conn.take(l)
	if err != nil {
		return State{}, errors.Join(err, h.remove(stateFile))
	}
	if !s.Snapshot.same(now) {
		return State{}, errors.Join(errStale, h.remove(stateFile))
	}
	s.Phase, s.Deadline = Moving, sinceBoot()+int64(s.Within/time.Second)
	if err := h.save(stateFile, s); err != nil {
		return State{}, err
	}
	for i, one := range h.conn.steps(s.Config, s.Snapshot) {
		if h.stopAfter > 0 && i == h.stopAfter {
			return s, errStopped
		}
		h.log.Debug("handing over", "step", one.what)
		if err := one.do(); err != nil {
			return State{}, errors.Join(fmt.Errorf("handing %s over to %s: %s: %w", s.Config.Uplink, s.Config.Bridge, one.what, err),
				h.back(s, "a step failed"))
		}
	}
	var gateways []netip.Addr
	for _, gw := range s.Gateways {
		if addr, err := netip.ParseAddr(gw); err == nil {
			gateways = append(gateways, addr)
		}
	}
	if err := h.conn.verify(ctx, s.Config, s.Snapshot, gateways); err != nil {
		return State{}, errors.Join(fmt.Errorf("%s doesn't do what %s did: %w", s.Config.Bridge, s.Config.Uplink, err), h.back(s, "it didn't work"))
	}
	s.Phase = Moved
	if !watched {
		s.Phase, s.Deadline, s.Before = Kept, 0, nil
	}
	if err := h.save(stateFile, s); err != nil {
		return State{}, errors.Join(err, h.back(s, "the state can't be stored"))
	}
	return s, nil
}

var errStopped = errors.New("stopped")

// Keep hands over what was confirmed before, or what needs no confirmation, with nobody to go back.
func (h *Host) Keep(ctx context.Context, cfg Config, force bool) error {
	unlock, err := h.lock(lockFile, lockPatience)
	if err != nil {
		return err
	}
	defer unlock()
	// At the start of a machine nobody else brings it up: whoever configured it was told to leave it alone.
	if l, err := h.conn.current(cfg.Uplink); err == nil && !l.up {
		if err := h.conn.setLink(l.index, unix.IFF_UP, unix.IFF_UP); err != nil {
			return fmt.Errorf("bringing %s up: %w", cfg.Uplink, err)
		}
	}
	s, err := h.prepare(cfg, 0, force)
	if err != nil {
		return err
	}
	_, err = h.move(ctx, s.Token, false)
	return err
}

// Remember keeps what is handed over for the next starts.
func (h *Host) Remember(cfg Config, force bool) error {
	return h.save(confirmFile, confirmation{cfg, force})
}

// Forget takes back what was confirmed, so that the next start doesn't hand over.
func (h *Host) Forget() error { return h.remove(confirmFile) }

// Back gives the uplink back what it had, from wherever a move got to; ok is false if nothing was handed over. The outcome also says
// how the host differs from what was.
func (h *Host) Back(ctx context.Context, reason string) (out Outcome, ok bool, err error) {
	unlock, err := h.lock(lockFile, lockPatience)
	if err != nil && !errors.Is(err, errLocked) {
		return Outcome{}, false, err
	}
	if err == nil {
		defer unlock()
	}
	s, err := h.State()
	if err != nil || s.Phase == None {
		return Outcome{}, false, err
	}
	h.exclusively(ctx, func() { err = h.back(s, reason) })
	if out, _, loadErr := h.Outcome(); loadErr == nil {
		return out, true, err
	}
	return Outcome{Config: s.Config, Reason: reason}, true, err
}

// exclusively holds the namespace's lock meanwhile if it can be had: a way back isn't prevented by whoever holds it.
func (h *Host) exclusively(ctx context.Context, f func()) {
	if unlock, err := h.namespace(ctx); err == nil {
		defer unlock()
	} else {
		h.log.Warn("going back beside another process that changes the network", "err", err)
	}
	f()
}

// back restores the snapshot of s, compares, and says so on disk; the namespace's lock is held.
func (h *Host) back(s State, reason string) error {
	out := Outcome{Config: s.Config, At: time.Now().UTC(), Reason: reason}
	if s.Phase != Prepared {
		l := h.leased()
		want := h.giveUp(s, l)
		if s.Config.DHCP {
			if err := h.unresolve(s.Config.Bridge); err != nil {
				h.log.Warn("the host's DNS servers aren't those from before", "err", err)
			}
		}
		if err := h.conn.restore(s.Config, want, l); err != nil {
			out.Failure = err.Error()
		}
		if l, findErr := h.conn.current(s.Config.Uplink); findErr != nil {
			out.Differences = []string{fmt.Sprintf("%s is gone", s.Config.Uplink)}
		} else if now, takeErr := h.conn.take(l); takeErr != nil {
			out.Differences = []string{takeErr.Error()}
		} else {
			out.Differences = want.lost(now)
		}
	}
	log := h.log.With("uplink", s.Config.Uplink, "bridge", s.Config.Bridge, "reason", reason)
	if out.Failure != "" || len(out.Differences) > 0 {
		log.Error("went back, but the host isn't what it was", "err", out.Failure, "differences", out.Differences)
	} else {
		log.Info("went back: the host is what it was")
	}
	// With the way back made, the record of it is done with, whatever the disk says of the outcome.
	err := errors.Join(h.save(outcomeFile, out), h.remove(stateFile))
	if out.Failure != "" {
		err = errors.Join(errors.New(out.Failure), err)
	}
	return err
}
