package leases

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/leases/redolog"

	"github.com/google/go-cmp/cmp"
)

// TestAFailedCommitDoesNotComeBack: the first commit of a segment reaches the disk and its sync fails; the log can't be made
// anew, and its removal is undone by a power cut. What was committed to the database afterwards is newer.
func TestAFailedCommitDoesNotComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	failed := stored(10)
	failed.Name = "failed"
	twin := filepath.Join(t.TempDir(), "twin")
	log := must[*redolog.Log](t)(redolog.Create(twin, s.id, 1))
	defer log.Close()
	if err := log.Append(appendRedo(nil, []Lease{failed})); err != nil {
		t.Fatal(err)
	}
	content := must[[]byte](t)(os.ReadFile(twin + "-redo2"))
	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	for _, name := range []string{"-redo1", "-redo2"} {
		if err := os.Remove(path + name); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("nowhere", path+name); err != nil {
			t.Fatal(err)
		}
	}
	want := stored(10)
	if err := s.Commit(context.Background(), []Lease{want}); err != nil {
		t.Fatal(err)
	}
	kill(t, s)
	if err := os.WriteFile(path+"-redo2", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Lease{want}, load(t, openStore(t, path)), sameAddr); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestAFullLogBeforeALockedDatabase: once it is known that somebody has locked the database, no commit waits for it again.
func TestAFullLogBeforeALockedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	other := must[*sql.DB](t)(openDB(path, "rw"))
	defer other.Close()
	tx := must[*sql.Tx](t)(other.Begin())
	defer func() { _ = tx.Rollback() }()
	s.dbMu.Lock()
	if _, err := s.writer.conn.ExecContext(context.Background(), "PRAGMA busy_timeout(0)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(context.Background(), crowdLeases(3000)); err != nil {
		t.Fatal(err)
	}
	if err := s.moveAll(); err == nil || s.Err() == nil {
		t.Fatal("moved into a locked database")
	}
	ended := make(chan error, 1)
	go func() { // while the mover waits for the lock
		for {
			if err := s.Commit(context.Background(), crowdLeases(3000)); err != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case err := <-ended:
		if !strings.Contains(err.Error(), "locked") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a commit waits for the locked database")
	}
	s.dbMu.Unlock()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if err := s.Commit(context.Background(), crowdLeases(10)); err != nil || s.Err() != nil {
		t.Errorf("after the lock: %v, %v", err, s.Err())
	}
}
