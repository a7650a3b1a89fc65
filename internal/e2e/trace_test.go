package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// tracing is a started `labnet trace dhcp`.
type tracing struct {
	t      *testing.T
	output func() string
	signal func(os.Signal)
	ended  func() int // waits, and returns the exit code
}

// trace starts a trace and waits until it sees.
func (l *lab) trace(t *testing.T, flags ...string) *tracing {
	t.Helper()
	cmd, output := l.router.Start(t, l.args(t, append([]string{"trace", "dhcp"}, flags...)...)...)
	tr := &tracing{t: t, output: output, signal: func(s os.Signal) { _ = cmd.Process.Signal(s) }}
	nettest.Eventually(t, 10*time.Second, func() error {
		if !strings.Contains(output(), "tracing DHCP") {
			return fmt.Errorf("not tracing: %s", output())
		}
		return nil
	})
	return tr
}

// lines waits for so many lines of events.
func (tr *tracing) lines(n int) []string {
	tr.t.Helper()
	var found []string
	nettest.Eventually(tr.t, 10*time.Second, func() error {
		found = nil
		for line := range strings.Lines(tr.output()) {
			if strings.Contains(line, "→") || strings.HasPrefix(line, "{") {
				found = append(found, strings.TrimSuffix(line, "\n"))
			}
		}
		if len(found) < n {
			return fmt.Errorf("%d lines:\n%s", len(found), tr.output())
		}
		return nil
	})
	return found
}

func TestTraceShowsARealClient(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, smallConfig)
	l.start(t)
	text, asJSON := l.trace(t, "--mac", "52-54-00-AA"), l.trace(t, "-o", "json", "--network", "lab")
	other := l.trace(t, "--mac", "*:ff")
	g := l.newGuest(t, "guest", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:aa:00:09")
	g.udhcpc(t)
	g.leased(t)
	found := text.lines(2)
	t.Log(strings.Join(found, "\n"))
	t.Log(l.labnet(t, "explain", "dhcp", "builder"))
	_ = netip.Addr{}
	_ = syscall.SIGINT
	_ = json.Valid
	t.Log(asJSON.output(), other.output())
}
