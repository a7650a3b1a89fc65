package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// TestQueryLogFile has the log in a file system that is full at first, then put away as logrotate does.
func TestQueryLogFile(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	dir := filepath.Join(l.dir, "full")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 64<<10), 0o600) // as far as it goes
	path := filepath.Join(dir, "queries.log")
	l.configure(t, strings.Replace(labConfig, "  dhcp {", fmt.Sprintf("  dns {\n    query_log_file = %q\n  }\n  dhcp {", path), 1))
	d, _ := l.start(t)
	g := l.newAsker(t)
	g.dig(t, "gateway.lab.internal")
	nettest.Eventually(t, limit, func() error {
		g.dig(t, "gateway.lab.internal")
		return contains(d.output(), "the query log can't be written")
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	has := func(path, question string) {
		t.Helper()
		nettest.Eventually(t, limit, func() error {
			g.dig(t, question)
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return contains(string(text), "client=10.0.0.50 name="+question+" type=A")
		})
	}
	has(path, "gateway.lab.internal.")
	if n := strings.Count(d.output(), "the query log can't be written"); n != 1 {
		t.Errorf("said %d times", n)
	}
	if err := contains(d.output(), "the query log is written again"); err != nil {
		t.Error(err)
	}
	if err := os.Rename(path, path+"-20260101"); err != nil {
		t.Fatal(err)
	}
	has(path, "www.example.org.")
}
