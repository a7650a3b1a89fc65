package leases

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCloseRemovesNothingOfTheNextStore: whoever waits for the lock may make a redo log of its own as soon as it is free.
func TestCloseRemovesNothingOfTheNextStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	for range 8 {
		s := openStore(t, path)
		if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
			t.Fatal(err)
		}
		lock, err := os.Open(path + ".lock")
		if err != nil {
			t.Fatal(err)
		}
		left := make(chan []string, 1)
		go func() {
			_ = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
			files, _ := filepath.Glob(path + "-redo*")
			_ = lock.Close()
			left <- files
		}()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if files := <-left; len(files) > 0 {
			t.Fatalf("when the lock was free, Close had yet to remove %v", files)
		}
	}
}
