package daemon

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

func TestWhatRootMakesBelongsToTheService(t *testing.T) {
	nettest.NeedRoot(t)
	const service = 64999
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "root's")
	owner := func(name string) int {
		t.Helper()
		info, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	for _, name := range []string{outside, filepath.Join(dir, "leases.db"), filepath.Join(dir, "other's")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "handover"), 0o700),
		os.WriteFile(filepath.Join(dir, "handover", "lock"), nil, 0o600),
		os.Symlink(outside, filepath.Join(dir, "symlink")),
		os.Link(outside, filepath.Join(dir, "link")),
		os.Chown(filepath.Join(dir, "other's"), service+1, service+1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	paths := Paths{StateDir: dir}
	if err := paths.entrust(); err != nil || owner(filepath.Join(dir, "leases.db")) != 0 {
		t.Errorf("in root's own directory: %v, and leases.db belongs to %d", err, owner(filepath.Join(dir, "leases.db")))
	}
	if err := os.Chown(dir, service, service); err != nil {
		t.Fatal(err)
	}
	if err := paths.entrust(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"leases.db": service, "handover": service, "handover/lock": service, "other's": service + 1, "symlink": 0, "link": 0,
	} {
		if got := owner(filepath.Join(dir, name)); got != want {
			t.Errorf("%s belongs to %d, not to %d", name, got, want)
		}
	}
	if got := owner(outside); got != 0 {
		t.Errorf("a file elsewhere belongs to %d", got)
	}
	if err := (Paths{StateDir: filepath.Join(dir, "none")}).entrust(); err != nil {
		t.Errorf("without a state directory: %v", err)
	}
}
