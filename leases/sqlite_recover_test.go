package leases

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestALogThatDoesNotContinueTheDatabase: a backup was put in the place of the database, and the newer log left beside it.
func TestALogThatDoesNotContinueTheDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	commit := func(host int) {
		t.Helper()
		if err := s.Commit(context.Background(), []Lease{stored(host)}); err != nil {
			t.Fatal(err)
		}
	}
	commit(10)
	flush(t, s)
	backup := filepath.Join(t.TempDir(), "backup")
	shell(t, path, ".backup "+backup)
	for host := 11; host < 14; host++ { // two files hold the last two
		commit(host)
		flush(t, s)
	}
	s.dbMu.Lock() // what comes now stays in the log
	commit(14)
	s.stop()
	s.dbMu.Unlock()
	kill(t, s)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	again, err := OpenSQLite(SQLiteConfig{Path: path})
	if err == nil {
		leases := load(t, again)
		_ = again.Close()
		t.Fatalf("it opens, with a hole: %d leases", len(leases))
	}
	for _, want := range []string{"older than the redo log beside it", path + "-redo1", "move"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q isn't in: %v", want, err)
		}
	}
	// Nothing was changed: without the log it opens.
	for _, name := range []string{"-redo1", "-redo2"} {
		if err := os.Remove(path + name); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(load(t, openStore(t, path))); got != 1 {
		t.Errorf("%d leases of the backup", got)
	}
}

// TestALogThatCantBeUnderstood: the message says what to do.
func TestALogThatCantBeUnderstood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	s.mu.Lock()
	err := s.redo.Append([]byte{redoVersion + 1, 0, 0, 0, 0})
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	kill(t, s)
	if _, err := OpenSQLite(SQLiteConfig{Path: path}); err == nil || !strings.Contains(err.Error(), path+"-redo1") || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("opening it: %v", err)
	}
}
