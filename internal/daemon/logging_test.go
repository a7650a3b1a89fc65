package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// logged is what a logger of a format writes when use uses it.
func logged(t *testing.T, level slog.Leveler, format string, use func(*slog.Logger)) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log, err := NewLogger(file, level, format)
	if err != nil {
		t.Fatal(err)
	}
	use(log)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestJournalLines(t *testing.T) {
	got := logged(t, slog.LevelDebug, "journal", func(log *slog.Logger) {
		log.Debug("d")
		log.Info("i", "after", 7*time.Millisecond)
		part := log.With("part", "dhcp")
		part.Warn("w", "name", "a\n<0>\x1b[31mb")
		part.WithGroup("g").With("a", 1).Error("e", "time", "mine")
	})
	want := "<7>msg=d\n" +
		"<6>msg=i after=7ms\n" +
		`<4>msg=w part=dhcp name="a\n<0>\x1b[31mb"` + "\n" +
		"<3>msg=e part=dhcp g.a=1 g.time=mine\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// What guests send gets into the log: it stays one line, of characters that a terminal doesn't obey.
func TestGuestsCantForgeLines(t *testing.T) {
	for _, format := range []string{"text", "json", "journal"} {
		got := logged(t, slog.LevelInfo, format, func(log *slog.Logger) { log.Info("m", "name", "x\r\nlevel=ERROR\x1b]0;\a\u202e") })
		if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\r\x1b\a") {
			t.Errorf("%s: %q", format, got)
		}
	}
}

func TestDurationsAreReadableInJSON(t *testing.T) {
	got := logged(t, slog.LevelInfo, "auto", func(log *slog.Logger) { log.Info("ready", "after", 7*time.Millisecond, "networks", 1) })
	if !strings.Contains(got, `"after":"7ms","networks":1}`) {
		t.Errorf("got %s", got)
	}
}

func TestTheLevelMayChange(t *testing.T) {
	for _, format := range []string{"text", "json", "journal"} {
		var level slog.LevelVar
		got := logged(t, &level, format, func(log *slog.Logger) {
			part := log.With("part", "dns")
			part.Debug("unseen")
			level.Set(slog.LevelDebug)
			part.Debug("seen")
			level.Set(slog.LevelError)
			part.Warn("unseen")
		})
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, "seen") || strings.Contains(got, "unseen") {
			t.Errorf("%s: %s", format, got)
		}
	}
}

func TestParseLevel(t *testing.T) {
	for text, want := range map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		if got, err := ParseLevel(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "INFO+1", "trace"} {
		if _, err := ParseLevel(text); err == nil {
			t.Errorf("%q was understood", text)
		}
	}
	if _, err := NewLogger(os.Stderr, slog.LevelInfo, "xml"); err == nil {
		t.Error("the format xml was understood")
	}
}

func TestOnlyTheJournalsOwnStreamIsTheJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))
	if got := chooseFormat(file); got != "journal" {
		t.Errorf("on the journal's stream: %s", got)
	}
	// As in a terminal whose shell was started by a service.
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1))
	if got := chooseFormat(file); got != "json" {
		t.Errorf("on another stream: %s", got)
	}
}
