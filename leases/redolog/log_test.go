package redolog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var id = ID{1, 2, 3}

func create(t *testing.T) (*Log, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	l, err := Create(path, id, 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, path
}

// appendAll appends until the segment has count payloads or is full, and returns them.
func appendAll(t *testing.T, l *Log, text string, count int) (payloads [][]byte) {
	t.Helper()
	for i := range count {
		p := []byte(fmt.Sprintf("%s %d", text, i))
		err := l.Append(p)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, p)
	}
	return payloads
}

func read(t *testing.T, path string) []Segment {
	t.Helper()
	segments, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return segments
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	l, path := create(t)
	if got := read(t, path); len(got) != 0 {
		t.Errorf("an empty log holds %v", got)
	}
	first := appendAll(t, l, "first", 3)
	ended := l.Turn()
	if got := read(t, path); len(got) != 1 || got[0].Seq != 7 {
		t.Errorf("after a turn: %v", got)
	}
	second := appendAll(t, l, "second, longer", 5)
	want := []Segment{{id, 7, first}, {id, 8, second}}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("two segments (-want +got):\n%s", diff)
	}
	got, err := l.Payloads(ended)
	if diff := cmp.Diff(first, got); diff != "" || err != nil {
		t.Errorf("read back (-want +got): %v\n%s", err, diff)
	}
	// The third overwrites the first, and is shorter: nothing of the first comes up behind it.
	l.Recycle(ended, false)
	l.Turn()
	third := appendAll(t, l, "3", 1)
	want = []Segment{{id, 8, second}, {id, 9, third}}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("the third segment (-want +got):\n%s", diff)
	}
	if _, err := l.Payloads(ended); err == nil {
		t.Error("a segment that was overwritten is read back")
	}
}

// TestTornFrames cuts and changes the files at every place: what is read is always the beginning of what was appended.
func TestTornFrames(t *testing.T) {
	l, path := create(t)
	want := appendAll(t, l, "payload", 5)
	name := names(path)[7%2]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	end := l.offset
	for i := range end {
		for what, file := range map[string][]byte{
			"cut":     append(bytes.Clone(whole[:i]), make([]byte, len(whole)-i)...),
			"short":   whole[:i],
			"changed": append(append(bytes.Clone(whole[:i]), whole[i]^0x41), whole[i+1:]...),
		} {
			if err := os.WriteFile(name, file, 0o600); err != nil {
				t.Fatal(err)
			}
			segments := read(t, path)
			if len(segments) == 0 {
				continue
			}
			got := segments[0].Payloads
			if len(got) >= len(want) || segments[0].Seq != 7 || cmp.Diff(want[:len(got)], got) != "" {
				t.Fatalf("%s at %d of %d: %q", what, i, end, got)
			}
		}
	}
}

func TestFullAndLonger(t *testing.T) {
	l, path := create(t)
	if err := l.Append(make([]byte, MaxPayload)); err != nil {
		t.Fatalf("the longest payload: %v", err)
	}
	if err := l.Append([]byte{1}); !errors.Is(err, ErrFull) {
		t.Fatalf("behind it: %v", err)
	}
	for range 20 {
		ended := l.Turn()
		payloads := appendAll(t, l, string(make([]byte, 60000)), 1000)
		if len(payloads) < 4 {
			t.Fatalf("%d payloads fit", len(payloads))
		}
		l.Recycle(ended, true)
		segments := read(t, path)
		if last := segments[len(segments)-1]; !slices.EqualFunc(payloads, last.Payloads, bytes.Equal) {
			t.Fatal("what was appended isn't read")
		}
	}
	for _, name := range names(path) {
		if info, err := os.Stat(name); err != nil || info.Size() != maxLength {
			t.Errorf("%s: %v %v, want a length of %d", name, info.Size(), err, maxLength)
		}
	}
}

// TestNoRoomToGrow: what a file couldn't be made longer by is given back, since the database may need it.
func TestNoRoomToGrow(t *testing.T) {
	l, path := create(t)
	want := appendAll(t, l, "payload", 3)
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: minLength * 3 / 2, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_FSIZE, &before) }()
	ended := l.Turn()
	l.Recycle(ended, true)
	if info, err := os.Stat(names(path)[ended.Seq%2]); err != nil || info.Size() != minLength {
		t.Errorf("the file has a length of %d, want %d: %v", info.Size(), minLength, err)
	}
	if got, err := l.Payloads(ended); cmp.Diff(want, got) != "" || err != nil {
		t.Errorf("read back: %q, %v", got, err)
	}
}

// TestAFrameWhoseSyncFailed: its place is taken by nothing else, and what is read back leaves it out.
func TestAFailedAppend(t *testing.T) {
	l, _ := create(t)
	want := appendAll(t, l, "payload", 2)
	good := l.files[7%2].File
	closed, err := os.Open(good.Name())
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	l.files[7%2].File = closed
	if err := l.Append([]byte("lost")); err == nil || errors.Is(err, ErrFull) {
		t.Fatalf("a closed file takes a payload: %v", err)
	}
	l.files[7%2].File = good
	got, err := l.Payloads(l.Turn())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("read back (-want +got): %v\n%s", err, diff)
	}
}

func TestRemove(t *testing.T) {
	_, path := create(t)
	for range 2 {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != nil {
			t.Errorf("%v", got)
		}
	}
}

func TestAnotherLogsSegmentIsRefused(t *testing.T) {
	l, path := create(t)
	appendAll(t, l, "payload", 2)
	ended := l.Turn()
	other, err := Create(path+"2", ID{9}, 7)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	appendAll(t, other, "payload", 2)
	content, err := os.ReadFile(names(path + "2")[7%2])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names(path)[7%2], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Payloads(ended); err == nil {
		t.Errorf("read back: %q", got)
	}
}

func FuzzFrames(f *testing.F) {
	file := appendHeader(nil, id, 3)
	f.Add(file)
	file = appendFrame(file, 3, len(file), []byte("payload"))
	f.Add(file)
	f.Add(append(file, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, seq, ok := parseHeader(file)
		if !ok {
			return
		}
		again := bytes.Clone(file[:headerLen])
		for _, p := range parseFrames(file, seq) {
			again = appendFrame(again, seq, len(again), p)
		}
		if !bytes.HasPrefix(file, again) {
			t.Errorf("%x reads as %x", file, again)
		}
	})
}
