//go:build long

package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestAMillionBlockedNames tells how long a daemon takes for a list of a million names, at its start and when the list changes, and holds how much more
// memory it has than one without.
func TestAMillionBlockedNames(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	text := func(change int) string {
		var b strings.Builder
		for i := range 1_000_000 {
			fmt.Fprintf(&b, "0.0.0.0 ads%06d.track%02d.example\n", i, (i+change)%100)
		}
		return b.String()
	}
	memory := func(what string) int {
		t.Helper()
		status := l.router.Run(t, "cat", fmt.Sprintf("/proc/%d/status", l.pid(t)))
		found := regexp.MustCompile(what + `:\s+(\d+) kB`).FindStringSubmatch(status)
		if found == nil {
			t.Fatal(status)
		}
		kib, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return kib
	}
	l.configure(t, labConfig)
	d, plain := l.start(t, "--log-level", "info")
	g := l.newAsker(t)
	use := func() {
		t.Helper()
		for range 20 {
			g.dig(t, "www.example.org")
		}
	}
	use()
	without := memory("VmRSS")
	l.stop(t, d, syscall.SIGTERM)

	list := filepath.Join(l.dir, "ads.hosts")
	write(t, list, text(0))
	l.configure(t, labConfig+fmt.Sprintf("resolver {\n  block {\n    files = [%q]\n  }\n}\n", list))
	d, full := l.start(t, "--log-level", "info")
	use()
	if said := g.dig(t, "ads123456.track56.example"); !strings.Contains(said, "NXDOMAIN") {
		t.Errorf("not blocked:\n%s", said)
	}
	loaded, peak := memory("VmRSS"), memory("VmHWM")
	for change := range 5 {
		replace(t, list, text(1+change))
		nettest.Eventually(t, limit, func() error {
			return contains(g.dig(t, fmt.Sprintf("ads000000.track%02d.example", 1+change)), "EDE: 15")
		})
	}
	use()
	changed, changedPeak := memory("VmRSS"), memory("VmHWM")
	t.Logf("ready after %v, without a list after %v", full, plain)
	for line := range strings.Lines(d.output()) {
		if strings.Contains(line, "block list read") {
			t.Log(strings.TrimSpace(line))
		}
	}
	t.Logf("resident: %d KiB without a list, %d with it (at most %d), %d when it has changed five times (at most %d)", without, loaded, peak, changed, changedPeak)
	time.Sleep(2*time.Minute + 10*time.Second) // the collector looks that often at least
	rested := memory("VmRSS")
	t.Logf("%d after two minutes of rest", rested)
	if rested-without > 64<<10 {
		t.Errorf("a million names cost %d KiB", rested-without)
	}
}
