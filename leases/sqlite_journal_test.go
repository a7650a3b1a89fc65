package leases

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestANewDatabaseNeedsNoChange: it appears with the WAL that it will have. Where it were to change into that under its name, a power
// cut could leave a rollback journal beside it.
func TestANewDatabaseNeedsNoChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	// https://www.sqlite.org/fileformat2.html#file_format_version_numbers: 2 is WAL.
	if head := must[[]byte](t)(os.ReadFile(path)); head[18] != 2 || head[19] != 2 {
		t.Errorf("its format version numbers are %d and %d", head[18], head[19])
	}
	entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path)))
	if len(entries) != 1 {
		t.Errorf("there is more than the database: %v", entries)
	}
}

// TestARollbackJournalIsRolledBack: whoever changes the database by hand, and out of its WAL, may leave one by a power cut.
func TestARollbackJournalIsRolledBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	var want []Lease
	for i := range 150 { // in the order of their text
		want = append(want, stored(100+i))
	}
	if err := s.Commit(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := openDB(path, "rw", "journal_mode(DELETE)", "cache_size(5)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	// More than the cache holds: pages go to the file before the end.
	for i := range want {
		if _, err := tx.Exec("UPDATE leases SET state = 'released', vendor = ? WHERE addr = ?", fmt.Sprintf("%01000d", i), want[i].Addr.String()); err != nil {
			t.Fatal(err)
		}
	}
	copied := filepath.Join(t.TempDir(), "leases.db")
	for _, suffix := range []string{"", "-journal"} {
		if err := os.WriteFile(copied+suffix, must[[]byte](t)(os.ReadFile(path+suffix)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := OpenSQLite(SQLiteConfig{Path: copied})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if diff := cmp.Diff(want, load(t, again), sameAddr); diff != "" {
		t.Errorf("after opening it (-want +got):\n%s", diff)
	}
}
