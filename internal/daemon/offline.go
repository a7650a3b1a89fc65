package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/netcfg"
)

// Prospect is what Run would find and do.
type Prospect struct {
	Changes  []control.Change  `json:"changes"`
	Problems []control.Problem `json:"problems"`
	Notes    []control.Note    `json:"notes,omitempty"`

	Routes []control.ReturnRoute `json:"return_routes"`
}

// Refused reports whether Run would refuse.
func (p Prospect) Refused() bool {
	return slices.ContainsFunc(p.Problems, func(p control.Problem) bool { return p.Fatal })
}

// Plan tells what Run would change on the host now, and what stands against it; it changes nothing and needs no daemon.
func Plan(cfg *config.Config, paths Paths, log *slog.Logger) (prospect Prospect, err error) {
	host, err := netcfg.Open(paths.record(), log)
	if err != nil {
		return Prospect{}, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	p := compile(cfg, hostName())
	kept, err := tapFile{paths.taps()}.load()
	if err != nil {
		return Prospect{}, err
	}
	p.host, _ = withTAPs(p.host, cfg, kept)
	problems, notes, err := host.Assess(p.host)
	if err != nil {
		return Prospect{}, err
	}
	for _, n := range notes {
		prospect.Notes = append(prospect.Notes, control.Note(n))
	}
	problems = append(problems, hookProblems(p.hooks)...)
	prospect.Problems = controlProblems(append(problems, publishProblems(p.host)...))
	if prospect.Routes, err = returnRoutes(host, p.host); err != nil {
		return Prospect{}, err
	}
	plan, err := host.Plan(p.host)
	prospect.Changes = changes(plan)
	ahead, found, handErr := planHandover(cfg, paths, log)
	prospect.Changes = append(prospect.Changes, ahead...)
	prospect.Problems = append(prospect.Problems, controlProblems(found)...)
	err = errors.Join(err, handErr)
	if prospect.Refused() {
		// What stands against the plan also explains why it couldn't be made.
		err = nil
	}
	return prospect, err
}

// Down removes everything of ours from the host without a daemon, by what is marked as ours in the kernel and by what was
// recorded. The caller makes sure that no daemon runs.
func Down(ctx context.Context, paths Paths, log *slog.Logger) (removed []control.Change, err error) {
	defer func() { err = errors.Join(err, paths.entrust()) }()
	host, err := netcfg.Open(paths.record(), log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	plan, err := host.Down(ctx)
	hand, openErr := openHandover(paths, log)
	if openErr != nil {
		return changes(plan), errors.Join(err, openErr)
	}
	given, backErr := giveBack(ctx, hand)
	return append(changes(plan), given...), errors.Join(err, backErr, hand.Close())
}

// Counters tells how many packets the rules in the kernel have counted, by the family of the table and the counter's name. It needs no
// daemon, and CAP_NET_ADMIN.
func Counters(paths Paths, log *slog.Logger) (counted map[string]uint64, err error) {
	host, err := netcfg.Open(paths.record(), log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	return host.Counters()
}
