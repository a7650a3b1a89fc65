package e2e

import (
	"fmt"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// TestAReloadAddsAndRemovesHooks, and the one that stays keeps its counters.
func TestAReloadAddsAndRemovesHooks(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	first, second := l.listen(t, ""), l.listen(t, "")
	hook := func(name string, s *listener) string {
		return fmt.Sprintf("hook %q {\n  url = \"http://%s/\"\n}\n", name, s.addr)
	}
	l.configure(t, wideConfig)
	d, _ := l.start(t)
	swarm := newSwarm(t, l.newGuest(t, "swarm", "vm1").Host)
	lease := func(i int) {
		t.Helper()
		if _, err := swarm.lease(swarmMAC(i), 10); err != nil {
			t.Fatal(err)
		}
	}
	lease(1)
	l.configure(t, wideConfig+hook("first", first))
	l.reload(t, d, "is reloaded")
	lease(2)
	first.wait(t, "lease.bound")
	l.configure(t, wideConfig+hook("second", second)+hook("first", first))
	l.reload(t, d, "is reloaded")
	lease(3)
	second.wait(t, "lease.bound")
	nettest.Eventually(t, limit, func() error {
		if n := len(first.of("")); n != 2 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
	nettest.Eventually(t, limit, func() error {
		if h := l.hooks(t); len(h) != 2 || h[0].Name != "second" || h[0].Delivered != 1 || h[1].Delivered != 2 {
			return fmt.Errorf("%+v", h)
		}
		return nil
	})
	// A file that isn't taken changes nothing.
	l.configure(t, wideConfig+"hook \"first\" {\n}\n")
	l.reload(t, d, "not reloaded")
	l.configure(t, wideConfig+hook("second", second))
	l.reload(t, d, "is reloaded")
	lease(4)
	nettest.Eventually(t, limit, func() error {
		if n := len(second.of("")); n != 2 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
	if n := len(first.of("")); n != 2 {
		t.Errorf("the hook that was removed is told of %d", n)
	}
	// What is missing on the host is a warning at once.
	l.configure(t, wideConfig+"hook \"missing\" {\n  command = \"/nonexistent/on-lease\"\n}\n")
	if said := l.reload(t, d, "is reloaded"); !strings.Contains(said, "there is no program /nonexistent/on-lease") {
		t.Errorf("the log says\n%s", said)
	}
	if out, err := l.tryLabnet(t, "plan"); err != nil || !strings.Contains(out, "there is no program /nonexistent/on-lease") {
		t.Errorf("plan: %v\n%s", err, out)
	}
	if status := l.status(t); status.State != "degraded" || len(status.Problems) != 1 || !strings.Contains(status.Problems[0].Summary, "/nonexistent/on-lease") {
		t.Errorf("%+v", status)
	}
}
