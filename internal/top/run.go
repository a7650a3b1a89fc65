package top

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Config is what to show, and where.
type Config struct {
	Daemon   Daemon
	Watcher  Watcher
	Network  string              // "" for all
	Filter   string              // as it would be typed
	Interval time.Duration       // between samples
	Show     func(string) string // makes what guests have named fit for a terminal
	Say      func(string) string // does so with texts that have names of others in them
	In       io.Reader           // the terminal's keys
	Out      io.Writer
}

// patience is how long a daemon may take for a sample.
const patience = 5 * time.Second

// Run shows the screen until a key or ctx ends it. The error is of the daemon, if it can't be asked in the beginning, or of the terminal.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancel(ctx)
	known := &guests{}
	var followed sync.WaitGroup
	defer followed.Wait()
	defer stop()
	first, err := take(ctx, cfg.Daemon, cfg.Network)
	if err != nil {
		return err
	}
	followed.Go(func() { _ = known.follow(ctx, cfg.Watcher, cfg.Network) }) // the samples say what is wrong with the daemon
	screen := NewScreen(cfg)
	screen.Take(first)
	_, err = tea.NewProgram(program{ctx, cfg, screen, known}, tea.WithContext(ctx), tea.WithInput(cfg.In), tea.WithOutput(cfg.Out)).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// program drives a Screen by the terminal and the clock.
type program struct {
	ctx    context.Context
	cfg    Config
	screen *Screen
	known  *guests
}

type (
	sampled struct {
		sample Sample
		err    error
	}
	due struct{}
)

func (p program) Init() tea.Cmd { return p.sample }

// sample asks the daemon, and waits for that in no goroutine of the screen's.
func (p program) sample() tea.Msg {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	s, err := take(ctx, p.cfg.Daemon, p.cfg.Network)
	s.Leases, _ = p.known.all()
	return sampled{s, err}
}

func (p program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case sampled:
		if msg.err != nil {
			p.screen.Fail(msg.err)
		} else {
			p.screen.Take(msg.sample)
		}
		return p, tea.Tick(p.cfg.Interval, func(time.Time) tea.Msg { return due{} })
	case due:
		return p, p.sample
	case tea.WindowSizeMsg:
		p.screen.Resize(msg.Width, msg.Height)
	case tea.KeyPressMsg:
		key := msg.String()
		if msg.Text != "" && msg.Mod&^tea.ModShift == 0 {
			key = msg.Text
		}
		if p.screen.Key(key) {
			return p, tea.Quit
		}
	}
	return p, nil
}

func (p program) View() tea.View {
	v := tea.NewView(strings.Join(p.screen.Lines(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "labnet top"
	return v
}
