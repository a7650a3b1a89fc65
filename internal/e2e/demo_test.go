package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestDemo runs the demo on a machine with nothing configured, whole and interrupted at several moments, and looks for what it
// leaves behind.
func TestDemo(t *testing.T) {
	nettest.NeedRoot(t)
	tmp := t.TempDir()
	h := nettest.NewHost(t, "bare")
	before := traces(t, h, tmp)
	command := []string{"env", "TMPDIR=" + tmp, binary(t), "demo"}

	out := h.Run(t, command...)
	for _, want := range []string{"10.0.0.", "vm2.lab.internal.", "refused", uplinkAddr, "10. "} {
		if !strings.Contains(out, want) {
			t.Errorf("the story has no %q:\n%s", want, out)
		}
	}
	if after := traces(t, h, tmp); after != before {
		t.Errorf("the demo leaves something behind:\n%s\nbefore:\n%s", after, before)
	}
	for _, wait := range []time.Duration{50, 200, 400, 700} {
		cmd, output := h.Start(t, command...)
		time.Sleep(wait * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGINT)
		nettest.Eventually(t, limit, func() error { return same(traces(t, h, tmp), before, output) })
	}
	// Left up, looked at, interrupted.
	cmd, output := h.Start(t, append(command, "--keep")...)
	nettest.Eventually(t, limit, func() error { return contains(output(), "Ctrl-C") })
	_ = cmd.Process.Signal(syscall.SIGINT)
	nettest.Eventually(t, limit, func() error { return same(traces(t, h, tmp), before, output) })
	if strings.Contains(output(), "interrupted") {
		t.Errorf("ending the kept demo is taken for an error:\n%s", output())
	}
}

// traces is all that a demo could leave: links and rules of its host, files, processes, named namespaces.
func traces(t *testing.T, h *nettest.Host, tmp string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	processes, _ := exec.Command("pgrep", "-a", "-f", filepath.Base(binary(t))+" (run|demo)").Output()
	return strings.Join([]string{
		h.Run(t, "ip", "address"), h.Run(t, "ip", "route"), h.Run(t, "nft", "list", "ruleset"), h.Run(t, "ip", "netns"),
		strings.Join(files, "\n"), string(processes),
	}, "\n--\n")
}

func same(got, want string, output func() string) error {
	if got != want {
		return errorOf("left behind:\n" + got + "\nbefore:\n" + want + "\noutput:\n" + output())
	}
	return nil
}

type errorOf string

func (e errorOf) Error() string { return string(e) }
