package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// install puts a program where the lab's labnet is, as package managers do.
func (l *lab) install(t *testing.T, text []byte, mode os.FileMode) {
	t.Helper()
	draft := l.program + ".new"
	if err := os.WriteFile(draft, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(draft, l.program); err != nil {
		t.Fatal(err)
	}
}

// TestAProgramThatIsntFitDoesntTakeOver installs programs of which each fails in its way, and then a good one.
func TestAProgramThatIsntFitDoesntTakeOver(t *testing.T) {
	nettest.NeedRoot(t)
	good, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t)
	l.configure(t, labConfig)
	l.program = filepath.Join(l.dir, "labnet")
	l.install(t, good, 0o755)
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	g.leased(t)
	installed := l.program
	l.program = "" // the verbs are those of the built one
	pid := l.pid(t)
	failing := "#!/bin/sh\ncase \"$*\" in *--self-test*) echo v9.9.9; exit;; esac\nexec " + binary(t) + " \"$@\" --state-dir /proc/nowhere\n"
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"no program", "garbage", 0o755, "isn't fit to take over"},
		{"may not be run", string(good), 0o644, "permission denied"},
		{"an older one, without the test", "#!/bin/sh\necho 'labnet: unknown flag: --self-test' >&2\nexit 64\n", 0o755, "unknown flag"},
		{"says no version", "#!/bin/sh\nexit 0\n", 0o755, "doesn't tell its version"},
		{"doesn't come to serve", failing, 0o755, "v9.9.9 couldn't take over"},
		{"and a second time", failing, 0o755, "v9.9.9 couldn't take over"},
	} {
		l.program = installed
		l.install(t, []byte(tc.text), tc.mode)
		l.program = ""
		out, err := l.tryLabnet(t, "upgrade")
		if err == nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: %q (%v)", tc.name, out, err)
		}
		if now := l.pid(t); now != pid {
			t.Errorf("%s: process %d serves, not %d", tc.name, now, pid)
		}
		if got := g.resolve(t, "@10.0.0.1", "guest.lab.internal"); len(got) != 1 {
			t.Errorf("%s: the guest's name has %q", tc.name, got)
		}
	}
	if failed := l.takeover(t).Failed; !strings.Contains(failed, "/proc/nowhere") {
		t.Errorf("why the last one failed is said to be %q", failed)
	}

	// What is broken in the configuration shows before anything ends.
	l.program = installed
	l.install(t, good, 0o755)
	l.program = ""
	l.configure(t, strings.Replace(labConfig, "address", "adress", 1))
	if out, err := l.tryLabnet(t, "upgrade"); err == nil || !strings.Contains(out, "adress") {
		t.Errorf("with a broken configuration: %q (%v)", out, err)
	}
	l.configure(t, labConfig)
	if out := l.labnet(t, "upgrade"); !strings.Contains(out, "took over from") {
		t.Errorf("a good program: %q", out)
	}
	if now := l.pid(t); now != pid {
		t.Errorf("process %d serves, not %d", now, pid)
	}
	if failed := l.takeover(t).Failed; failed != "" {
		t.Errorf("after a good one: %q", failed)
	}
}
