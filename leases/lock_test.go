package leases

import (
	"os"
	"path/filepath"
	"testing"
)

// The directory may be another user's than who works in it: a link there must not lead him to write into a file of his own.
func TestTheLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	target, lock := filepath.Join(dir, "other"), filepath.Join(dir, "lock")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, lock); err != nil {
		t.Fatal(err)
	}
	if f, err := lockFile(lock); err == nil {
		_ = f.Close()
		t.Error("a link is taken for the lock")
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "precious" {
		t.Errorf("the file that it leads to has %q, %v", text, err)
	}
}
