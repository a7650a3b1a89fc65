package top

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"labnet/internal/control"
)

// Moment is what the screen shows, for programs.
type Moment struct {
	Time    time.Time `json:"time"`
	Seconds float64   `json:"seconds"` // that the rates were measured over
	Rates
	Guests []Row `json:"guests"`
}

// Once is a screen with what happens in one interval. The error is of the daemon, or ctx's.
func Once(ctx context.Context, cfg Config) (*Screen, error) {
	ctx, stop := context.WithCancel(ctx)
	known := &guests{}
	var followed sync.WaitGroup
	defer followed.Wait()
	defer stop()
	before, err := take(ctx, cfg.Daemon, cfg.Network)
	if err != nil {
		return nil, err
	}
	followed.Go(func() { _ = known.follow(ctx, cfg.Watcher, cfg.Network) })
	select {
	case <-time.After(cfg.Interval):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := take(ctx, cfg.Daemon, cfg.Network)
	if err != nil {
		return nil, err
	}
	if after.Leases, err = known.wait(ctx); err != nil {
		return nil, err
	}
	screen := NewScreen(cfg)
	screen.Take(before)
	screen.Take(after)
	return screen, nil
}

// wait is all, once the leases have been listed.
func (g *guests) wait(ctx context.Context) ([]control.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if leases, known := g.all(); known {
			return leases, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("listing the leases: %w", ctx.Err())
		}
	}
}

// Moment is what the screen shows.
func (s *Screen) Moment() Moment {
	m := Moment{Rates: s.rates, Guests: append([]Row{}, s.rows...)}
	if s.last != nil && s.before != nil {
		m.Time, m.Seconds = s.last.At.UTC(), s.last.At.Sub(s.before.At).Seconds()
	}
	return m
}

// Text is the screen as plain text, with all rows.
func (s *Screen) Text(width int) string {
	s.Resize(width, 0)
	var text strings.Builder
	s.height = len(s.head()) + len(s.rows) + 2
	for _, line := range append(s.head(), s.table()...) {
		for _, style := range []string{bold, reverse, red, plain} {
			line = strings.ReplaceAll(line, style, "")
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}
