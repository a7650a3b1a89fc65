package leases

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"

	"golang.org/x/sys/unix"
)

// TestStartOnAFullDisk: who has a lease is served although what the last run has left in the log has no room in the database.
func TestStartOnAFullDisk(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "leases.db")
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := s.Commit(context.Background(), []Lease{stored(i)}); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, s)
	again := openStore(t, path)
	if got := len(load(t, again)); got != 200 {
		t.Errorf("%d leases on a full disk", got)
	}
	if err := again.Err(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Err says %v", err)
	}
	if err := again.Commit(context.Background(), []Lease{stored(200)}); err == nil {
		t.Error("a commit succeeds")
	}
	// Ending it and being killed cost nothing.
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	again = openStore(t, path)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := again.Commit(context.Background(), []Lease{stored(200)}); err != nil || again.Err() != nil {
		t.Errorf("after space was made: %v, %v", err, again.Err())
	}
	if again.redo == nil {
		t.Error("the log wasn't made anew")
	}
	kill(t, again)
	if got := len(load(t, openStore(t, path))); got != 201 {
		t.Errorf("%d leases in the end", got)
	}
}
