package querylog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// written is a log that everything was written to, and what it says of itself.
func written(t *testing.T, f *File) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.Run(ctx)
}

func newFile(t *testing.T, bounds Bounds) (f *File, path string, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	path = filepath.Join(t.TempDir(), "queries.log")
	return New(path, bounds, slog.New(slog.NewTextHandler(log, nil))), path, log
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRotation(t *testing.T) {
	f, path, log := newFile(t, Bounds{Size: 20, Keep: 2})
	for i := range 9 {
		fmt.Fprintf(f, "line %d\n", i) // two of seven bytes fit
		written(t, f)
	}
	for name, want := range map[string]string{"": "line 8\n", ".1": "line 6\nline 7\n", ".2": "line 4\nline 5\n"} {
		if got := read(t, path+name); got != want {
			t.Errorf("%s%s has %q, want %q", path, name, got, want)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 3 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	f.Bound(Bounds{Size: 10, Keep: 0})
	fmt.Fprint(f, "the last\n")
	written(t, f)
	if got := read(t, path); got != "the last\n" {
		t.Errorf("%q", got)
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

// logrotate renames the file; what comes then is in a new one.
func TestRenamedByOthers(t *testing.T) {
	f, path, _ := newFile(t, Bounds{Size: 1 << 20, Keep: 1})
	clock := time.Now()
	f.now = func() time.Time { return clock }
	f.flush([]byte("before\n"), 1)
	if err := os.Rename(path, path+"-20260101"); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(lookEvery)
	f.flush([]byte("after\n"), 1)
	f.close()
	if a, b := read(t, path+"-20260101"), read(t, path); a != "before\n" || b != "after\n" {
		t.Errorf("%q, %q", a, b)
	}
}

// What can't be written is lost, is said once, and doesn't end the log.
func TestTroubles(t *testing.T) {
	f, path, log := newFile(t, Bounds{Size: 1 << 20, Keep: 1})
	clock := time.Now()
	f.now = func() time.Time { return clock }
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		clock = clock.Add(lookEvery)
		f.flush([]byte("a\nb\n"), 2)
	}
	if n := strings.Count(log.String(), "can't be written"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.flush([]byte("too soon\n"), 1)
	clock = clock.Add(lookEvery)
	f.flush([]byte("c\n"), 1)
	f.close()
	if got := read(t, path); got != "c\n" || !strings.Contains(log.String(), "is written again") || !strings.Contains(log.String(), "lost=7") {
		t.Errorf("%q\n%s", got, log)
	}
	// A pipe that nobody reads is no file.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "d\n")
	written(t, f)
	if n := strings.Count(log.String(), "can't be written"); n != 2 {
		t.Errorf("a pipe is written to:\n%s", log)
	}
}

// Nobody waits for a log that isn't written.
func TestNobodyWaits(t *testing.T) {
	f, path, log := newFile(t, Bounds{Size: 1 << 30, Keep: 1})
	for i := range queued + 100 {
		fmt.Fprintf(f, "%d\n", i)
	}
	written(t, f)
	if got := strings.Count(read(t, path), "\n"); got != queued {
		t.Errorf("%d lines, want %d", got, queued)
	}
	if !strings.Contains(log.String(), "lost=100") {
		t.Error(log.String())
	}
}
