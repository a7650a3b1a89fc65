package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// NewLogger returns a logger that writes to w. level is debug, info, warn or error; format is text, json, journal (text
// with priorities that journald understands, and without the time, which it adds), or auto, which chooses by where w leads.
func NewLogger(w *os.File, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "auto" {
		format = chooseFormat(w)
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "journal":
		return slog.New(newJournalHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("log format %q: want auto, text, json or journal", format)
	}
}

func chooseFormat(w *os.File) string {
	if os.Getenv("JOURNAL_STREAM") != "" {
		return "journal"
	}
	if _, err := unix.IoctlGetTermios(int(w.Fd()), unix.TCGETS); err == nil {
		return "text"
	}
	return "json"
}

// newJournalHandler prefixes each line with its priority (sd-daemon(3)).
func newJournalHandler(w io.Writer, options *slog.HandlerOptions) slog.Handler {
	options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	return &journalHandler{w: w, options: options}
}
