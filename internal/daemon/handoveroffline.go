package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/handover"
	"labnet/netcfg"
)

// Session is where a confirmation comes from.
type Session = handover.Session

// Confirm makes the change of a token last, with or without a daemon. The error says why a session doesn't count.
func Confirm(paths Paths, token string, from Session, force bool, log *slog.Logger) (uplink, bridge string, err error) {
	host, err := openHandover(paths, log)
	if err != nil {
		return "", "", err
	}
	state, err := host.Confirm(token, from, force)
	return state.Config.Uplink, state.Config.Bridge, errors.Join(err, host.Close())
}

// Returned is what a rollback came to.
type Returned struct {
	Uplink      string   `json:"uplink"`
	Bridge      string   `json:"bridge"`
	Differences []string `json:"differences"` // from what was; none: the host is what it was
}

// Rollback takes back the change that waits to be confirmed, at once, with or without a daemon.
func Rollback(ctx context.Context, paths Paths, log *slog.Logger) (r Returned, err error) {
	host, err := openHandover(paths, log)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	state, err := host.State()
	switch {
	case err != nil:
		return r, err
	case state.Phase == handover.Kept:
		return r, fmt.Errorf("nothing waits to be confirmed; what %s has, `labnet down` gives back to %s", state.Config.Bridge, state.Config.Uplink)
	}
	out, ok, err := host.Back(ctx, "labnet rollback")
	if err == nil && !ok {
		err = errors.New("nothing waits to be confirmed")
	}
	return Returned{out.Config.Uplink, out.Config.Bridge, append([]string{}, out.Differences...)}, err
}

// StandBy waits to go back from the change of a token, in a process of its own, and calls ready when it does. It returns when the
// change is confirmed or taken back; the end of ctx takes it back at once.
func StandBy(ctx context.Context, paths Paths, token string, ready func() error, log *slog.Logger) error {
	host, err := openHandover(paths, log)
	if err != nil {
		return err
	}
	return errors.Join(host.Watch(ctx, token, ready), host.Close())
}

// planHandover tells what a run would do by itself about the bridged network, and what a person has to.
func planHandover(cfg *config.Config, paths Paths, log *slog.Logger) (ahead []control.Change, found []netcfg.Problem, err error) {
	want, _, ok := handoverOf(cfg)
	host, err := openHandover(paths, log)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	state, err := host.State()
	if err != nil {
		return nil, nil, err
	}
	if !ok || state.Phase != handover.None {
		return nil, handoverProblems(host, cfg, nil), nil
	}
	look, err := host.Preflight(want)
	if err != nil {
		return nil, nil, err
	}
	confirmed, forced, err := host.Confirmed(want)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range look.Problems {
		if !confirmed || !forced || !p.Force {
			found = append(found, netcfg.Problem{Network: want.Network, Summary: p.Summary, Remedy: p.Remedy})
		}
	}
	for _, note := range look.Notes {
		found = append(found, netcfg.Problem{Network: want.Network, Summary: note})
	}
	if !confirmed {
		return nil, append(found, handoverProblems(host, cfg, nil)...), nil
	}
	if len(found) > 0 {
		return nil, found, nil
	}
	steps, err := host.Plan(want)
	for _, step := range steps {
		ahead = append(ahead, control.Change{Group: "uplink", Text: step})
	}
	return ahead, found, err
}
