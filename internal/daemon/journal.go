package daemon

import (
	"context"
	"io"
	"log/slog"
)

// journalHandler is a text handler for each priority: the prefix must stand before the line.
type journalHandler struct {
	w       io.Writer
	options *slog.HandlerOptions
	steps   []func(slog.Handler) slog.Handler // With… calls, replayed on each record's handler
}

func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.options.Level.Level()
}

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	var inner slog.Handler = slog.NewTextHandler(prefixed{h.w, priority(r.Level)}, h.options)
	for _, step := range h.steps {
		inner = step(inner)
	}
	return inner.Handle(ctx, r)
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func (h *journalHandler) with(step func(slog.Handler) slog.Handler) slog.Handler {
	next := *h
	next.steps = append(h.steps[:len(h.steps):len(h.steps)], step)
	return &next
}

// priority is the syslog priority of a level as journald reads it.
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	default:
		return "<7>"
	}
}

// prefixed writes prefix and line in one write: slog writes a record by one call.
type prefixed struct {
	w      io.Writer
	prefix string
}

func (p prefixed) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}
