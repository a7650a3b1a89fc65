package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "of")
	path := filepath.Join(dir, "file.json")
	for _, text := range []string{"first, which is longer", "second"} {
		if err := Replace(path, []byte(text), 0o750); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	for name, want := range map[string]os.FileMode{path: 0o600, dir: 0o750 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s has the permissions %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	// What fails leaves nothing behind: a directory is in the way.
	if err := Replace(dir, []byte("x"), 0o750); err == nil {
		t.Error("a directory is replaced")
	}
	for _, in := range []string{dir, filepath.Dir(dir)} {
		if entries, err := os.ReadDir(in); err != nil || len(entries) != 1 {
			t.Errorf("%s has %v, %v", in, entries, err)
		}
	}
}
