package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestManyNetworksAndPorts brings up 50 networks with 500 TAP devices, looks again, and takes them down. The times are for people who
// read the log: on a machine that does nothing else each is below three seconds.
func TestManyNetworksAndPorts(t *testing.T) {
	nettest.NeedRoot(t)
	const networks, ports = 50, 10
	l := newLabWithoutDNS(t)
	var config, links strings.Builder
	for i := range networks {
		fmt.Fprintf(&config, "network \"n%d\" {\n  address = \"10.0.%d.1/24\"\n  bridge {\n    name   = \"br%d\"\n    attach = [\"vm%d-*\"]\n  }\n}\n", i, i, i, i)
		for j := range ports {
			fmt.Fprintf(&links, "tuntap add vm%d-%d mode tap\n", i, j)
		}
	}
	l.configure(t, config.String())
	batch := filepath.Join(l.dir, "links")
	write(t, batch, links.String())
	l.router.Run(t, "ip", "-batch", batch)

	timed := func(what string, f func()) {
		t.Helper()
		start := time.Now()
		f()
		t.Logf("%-42s %v", what, time.Since(start).Round(time.Millisecond))
	}
	var d *daemon
	timed("plan, of an empty host", func() {
		if out := l.labnet(t, "plan"); strings.Count(out, "\n") < networks*ports {
			t.Errorf("the plan is short:\n%s", out)
		}
	})
	timed("apply: run until it is ready", func() { d, _ = l.start(t) })
	if out := l.router.Run(t, "ip", "-o", "link", "show", "type", "tun"); strings.Count(out, " master br") != networks*ports {
		t.Errorf("%d ports are attached", strings.Count(out, " master br"))
	}
	timed("re-apply: a plan that is empty", func() {
		if out := l.labnet(t, "plan"); out != "" {
			t.Errorf("left to do:\n%s", out)
		}
	})
	timed("ten more ports", func() {
		var more strings.Builder
		for i := range 10 {
			fmt.Fprintf(&more, "tuntap add vm%d-more mode tap\n", i)
		}
		write(t, batch, more.String())
		l.router.Run(t, "ip", "-batch", batch)
		nettest.Eventually(t, 4*limit, func() error {
			if n := strings.Count(l.router.Run(t, "ip", "-o", "link", "show", "type", "tun"), " master br"); n != networks*ports+10 {
				return fmt.Errorf("%d ports are attached", n)
			}
			return nil
		})
	})
	timed("down", func() { l.labnet(t, "down") })
	if out := l.router.Run(t, "sh", "-c", "ip -o link; nft list ruleset"); strings.Contains(out, " master br") || strings.Contains(out, "labnet") {
		t.Errorf("left behind:\n%s", tail(out, 20))
	}
	for _, line := range []string{"changed the host", "ready"} {
		t.Log(lineWith(d.output(), line))
	}
}
