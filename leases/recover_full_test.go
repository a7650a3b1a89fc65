package leases

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// TestRecoveryOnAFullDisk: without room for the new database nothing is changed and nothing is left behind; with room it comes to the same.
func TestRecoveryOnAFullDisk(t *testing.T) {
	nettest.NeedRoot(t)
	r := newRuin(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=20m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	r.path = filepath.Join(dir, "leases.db")
	for name, content := range r.files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.write(t, "", (r.root(t, "leases")-1)*4096, garbage)
	before := r.read(t)
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	for _, room := range []int64{0, 40 << 10, 300 << 10} { // none, for an empty database, for a part of it
		if info, err := os.Stat(filler); err != nil || os.Truncate(filler, info.Size()-room) != nil {
			t.Fatal("no room can be made: ", err)
		}
		if got, err := Recover(context.Background(), r.path, true, at(6000)); err == nil || !strings.Contains(err.Error(), "no space left in "+dir) {
			t.Errorf("with room for %d bytes: %+v, %v", room, got, err)
		}
		after := r.read(t)
		delete(after, "filler")
		if !same(before, after) {
			t.Errorf("with room for %d bytes: something has changed", room)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	done, err := Recover(context.Background(), r.path, true, at(6000))
	if err != nil {
		t.Fatal(err)
	}
	r.check(t, done, ruinLeases-60, ruinHistory, 5)
}
