package leases

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedoKeepsEverything(t *testing.T) {
	other := identified(20, "\xff\x00machine", "")
	want := []Lease{stored(10), {
		Network: "other", Addr: ip("198.51.100.9"), ID: other.ID, HWType: 32, HWAddr: other.HWAddr, State: Declined,
		Start: at(1), Expiry: at(2), LastSeen: at(1), Reserved: true,
	}, {
		Network: strings.Repeat("zoo", 100), Addr: ip("255.255.255.255"), ID: ClientIDFromHardware(32, []byte{1}), State: Bound, Start: at(1), LastSeen: at(1),
	}}
	got, err := parseRedo(nil, appendRedo(nil, want))
	if diff := cmp.Diff(want, got, sameAddr); diff != "" || err != nil {
		t.Errorf("read back (-want +got): %v\n%s", err, diff)
	}
	if _, err := parseRedo(nil, []byte{redoVersion + 1}); !errors.Is(err, errRedo) {
		t.Errorf("a commit of the next version: %v", err)
	}
}

func FuzzRedo(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{redoVersion})
	f.Add(appendRedo(nil, []Lease{stored(10), stored(11)}))
	f.Fuzz(func(t *testing.T, commit []byte) {
		leases, err := parseRedo(nil, commit)
		if err != nil {
			return
		}
		again, err := parseRedo(nil, appendRedo(nil, leases))
		if diff := cmp.Diff(leases, again, sameAddr); diff != "" || err != nil {
			t.Errorf("read back (-want +got): %v\n%s", err, diff)
		}
	})
}

// kill stops a store's goroutine and everything that it holds, as kill -9 does, and leaves its files.
func kill(t *testing.T, s *SQLite) {
	t.Helper()
	s.stop()
	<-s.stopped
	if err := s.release(); err != nil {
		t.Fatal(err)
	}
}

// TestKilledBeforeTheMove: the database knows nothing of it, the next start does.
func TestKilledBeforeTheMove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	s.dbMu.Lock() // nothing is moved
	want := []Lease{stored(10), stored(11)}
	for _, l := range []Lease{stored(12), want[1], want[0]} {
		if err := s.Commit(context.Background(), []Lease{l}); err != nil {
			t.Fatal(err)
		}
	}
	gone := stored(12)
	gone.State, gone.Name = Released, ""
	gone.Expiry = time.Now().UTC().Truncate(time.Second) // not old enough to be pruned
	if err := s.Commit(context.Background(), []Lease{gone}); err != nil {
		t.Fatal(err)
	}
	want = append(want, gone)
	s.stop()
	s.dbMu.Unlock()
	kill(t, s)
	if got := shell(t, path, "SELECT count(*) FROM leases"); got != "0" {
		t.Fatalf("%s leases are in the database: the test shows nothing", got)
	}
	again := openStore(t, path)
	if diff := cmp.Diff(want, load(t, again), sameAddr); diff != "" {
		t.Errorf("after the next start (-want +got):\n%s", diff)
	}
	if got := shell(t, path, "SELECT name, state FROM history"); got != "guest12|released" {
		t.Errorf("history: %q", got)
	}
	// What has been moved isn't moved again.
	kill(t, again)
	if diff := cmp.Diff(want, load(t, openStore(t, path)), sameAddr); diff != "" {
		t.Errorf("after one more start (-want +got):\n%s", diff)
	}
	if got := shell(t, path, "SELECT count(*) FROM history"); got != "1" {
		t.Errorf("%s rows of history", got)
	}
}

// TestABrokenRedoLogIsReplaced breaks the log under a store: one commit fails, and the next ones are as durable as ever.
func TestABrokenRedoLogIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	s.mu.Lock()
	_ = s.redo.Close()
	s.mu.Unlock()
	if err := s.Commit(context.Background(), []Lease{stored(11)}); err == nil {
		t.Fatal("a closed log takes a commit")
	}
	for _, host := range []int{12, 13, 14} {
		if err := s.Commit(context.Background(), []Lease{stored(host)}); err != nil {
			t.Fatal(err)
		}
	}
	if s.redo == nil || s.broken {
		t.Error("the log wasn't made anew")
	}
	kill(t, s)
	if diff := cmp.Diff([]Lease{stored(10), stored(12), stored(13), stored(14)}, load(t, openStore(t, path)), sameAddr); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestALongCommit is longer than the log, and comes after what is in it.
func TestALongCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	first := crowdLeases(1)
	first[0].Name = "before"
	for _, commit := range [][]Lease{first, crowdLeases(10000), crowdLeases(20000)} {
		if err := s.Commit(context.Background(), commit); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, s)
	got := load(t, openStore(t, path))
	slices.SortFunc(got, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
	if !slices.Equal(got, crowdLeases(20000)) {
		t.Errorf("%d leases are stored, and not as they were committed", len(got))
	}
}

// TestALockedDatabaseStallsNobody: somebody has begun to write by hand and gone for a coffee.
func TestALockedDatabaseStallsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	other, err := openDB(path, "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin() // immediate: it has the lock
	if err != nil {
		t.Fatal(err)
	}
	for host := range 100 {
		if err := s.Commit(context.Background(), []Lease{stored(host)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := len(load(t, s)); got != 100 {
		t.Errorf("%d leases", got)
	}
}

// TestAHangingDiskHidesNoStatus: a sync that doesn't return has the log, and who asks what is wrong is answered.
func TestAHangingDiskHidesNoStatus(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "leases.db"))
	s.mu.Lock()
	asked := make(chan error, 1)
	go func() { asked <- s.Err() }()
	select {
	case err := <-asked:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("no answer")
	}
	s.mu.Unlock()
}

func TestACleanEndLeavesNoRedoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(path + "-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if got := shell(t, path, "SELECT count(*) FROM leases"); got != "1" {
		t.Errorf("%s leases in the database", got)
	}
}

func TestARedoLogOfAnotherDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "leases.db"), filepath.Join(dir, "other.db")
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	kill(t, s)
	if err := openStore(t, other).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSQLite(SQLiteConfig{Path: path}); err == nil || !strings.Contains(err.Error(), "belongs to another database") {
		t.Errorf("opening it: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSQLite(SQLiteConfig{Path: path}); err == nil || !strings.Contains(err.Error(), "its redo log") {
		t.Errorf("opening none: %v", err)
	}
}

// TestTheFirstSchemaIsBroughtUpToDate opens what the version before the redo log has left.
func TestTheFirstSchemaIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	if err := openStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	shell(t, path, "DROP TABLE redo_log; DROP TABLE reservations; PRAGMA user_version = 1")
	again := openStore(t, path)
	if diff := cmp.Diff([]Lease{stored(10)}, load(t, again), sameAddr); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	if got := shell(t, path, "PRAGMA user_version; SELECT length(id), moved FROM redo_log; SELECT count(*) FROM reservations"); got != "3\n32|0\n0" {
		t.Errorf("schema: %q", got)
	}
}

// TestNoRedoLog: where the log can't be made the leases go straight into the database, and the log comes when it can.
func TestNoRedoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	var said bytes.Buffer
	s, err := OpenSQLite(SQLiteConfig{Path: path, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	if err := os.Remove(path + "-redo2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", path+"-redo2"); err != nil { // nothing is made behind a symbolic link
		t.Fatal(err)
	}
	for _, host := range []int{10, 11} {
		if err := s.Commit(context.Background(), []Lease{stored(host)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(said.String(), "straight into the database"); got != 1 {
		t.Errorf("said %d times:\n%s", got, said.String())
	}
	if got := shell(t, path, "SELECT count(*) FROM leases"); got != "2" {
		t.Errorf("%s leases in the database", got)
	}
	s.mu.Lock()
	s.retry = time.Time{}
	s.mu.Unlock()
	for _, host := range []int{12, 13} {
		if err := s.Commit(context.Background(), []Lease{stored(host)}); err != nil {
			t.Fatal(err)
		}
	}
	if s.redo == nil || s.redo.Count() == 0 && s.ended == nil {
		t.Error("the log isn't used again")
	}
	kill(t, s)
	if got := len(load(t, openStore(t, path))); got != 4 {
		t.Errorf("%d leases", got)
	}
}
