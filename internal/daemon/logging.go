package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// ParseLevel understands debug, info, warn and error.
func ParseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	default:
		return 0, fmt.Errorf("log level %q: want debug, info, warn or error", text)
	}
}

// NewLogger returns a logger that writes to w what is at least as severe as level, which may change. format is text, json,
// journal (text with priorities that journald understands, and without the time, which it adds), or auto, which chooses by
// where w leads.
func NewLogger(w *os.File, level slog.Leveler, format string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: level}
	if format == "auto" {
		format = chooseFormat(w)
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		options.ReplaceAttr = durationsAsText
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "journal":
		return slog.New(newJournalHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("log format %q: want auto, text, json or journal", format)
	}
}

// durationsAsText writes 7ms where JSON would have 7000000.
func durationsAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func chooseFormat(w *os.File) string {
	if isJournal(w, os.Getenv("JOURNAL_STREAM")) {
		return "journal"
	}
	if _, err := unix.IoctlGetTermios(int(w.Fd()), unix.TCGETS); err == nil {
		return "text"
	}
	return "json"
}

// isJournal reports whether w is the stream to the journal that systemd names by device and inode (systemd.exec(5)). The variable
// alone means nothing: whatever a service starts inherits it, a terminal's shell too.
func isJournal(w *os.File, stream string) bool {
	var stat unix.Stat_t
	if stream == "" || unix.Fstat(int(w.Fd()), &stat) != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
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
