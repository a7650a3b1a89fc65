package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

// terminal is a program in a tmux of its own.
type terminal struct{ socket string }

// newTerminal runs a command line on a terminal of some size.
func newTerminal(t *testing.T, width, height int, env []string, args ...string) *terminal {
	t.Helper()
	term := &terminal{filepath.Join(t.TempDir(), "tmux")}
	var words []string
	for _, a := range append(append([]string{"env"}, env...), args...) {
		words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	line := strings.Join(words, " ") + "; echo \"ended with $?\"; exec cat"
	term.run(t, "-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), line)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the terminal:\n%s", term.screen(t))
		}
		_ = exec.Command("tmux", "-S", term.socket, "kill-server").Run()
	})
	return term
}

func (term *terminal) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", term.socket}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %v: %v %s", args, err, out)
	}
	return string(out)
}

func (term *terminal) screen(t *testing.T) string {
	t.Helper()
	return term.run(t, "capture-pane", "-p")
}

func (term *terminal) press(t *testing.T, keys ...string) {
	t.Helper()
	term.run(t, append([]string{"send-keys"}, keys...)...)
}

// shows waits until all of it is on the screen.
func (term *terminal) shows(t *testing.T, wanted ...string) string {
	t.Helper()
	var screen string
	nettest.Eventually(t, limit, func() error {
		screen = term.screen(t)
		for _, want := range wanted {
			if !strings.Contains(screen, want) {
				return fmt.Errorf("the screen has no %q:\n%s", want, screen)
			}
		}
		return nil
	})
	return screen
}

// TestTop: on a real terminal, with traffic; keys, sizes, the end of the daemon and its return.
func TestTop(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	vm1, vm2 := l.newGuest(t, "vm1", "vm1"), l.newGuest(t, "vm2", "vm2")
	vm1.udhcpc(t)
	vm2.udhcpc(t)
	addr, other := vm1.leased(t)["address"], vm2.leased(t)["address"]
	// Something to see: a guest that sends, and one that asks.
	vm1.Start(t, "ping", "-q", "-i", "0.01", "-s", "1000", "10.0.0.1")
	vm2.Start(t, "sh", "-c", "while :; do dig +time=1 +tries=1 @10.0.0.1 vm1.lab.internal; sleep 0.05; done")

	run := append([]string{"ip", "netns", "exec", l.router.Name}, l.args(t, "top", "--interval", "300ms")...)
	term := newTerminal(t, 80, 24, nil, run...)
	screen := term.shows(t, "ready, up", "lab    routed 10.0.0.1/24, 2 of 253 addresses leased", addr, other, "vm1", "vm2", "asks   192.0.2.1:53", "KiB")
	if n := strings.Count(screen, "\n"); n > 24 {
		t.Errorf("%d lines", n)
	}
	nettest.Eventually(t, limit, func() error {
		screen := term.screen(t)
		if strings.Contains(screen, "DNS    0/s") || strings.Contains(screen, "local 0,") || !strings.Contains(screen, "DNS    ") {
			return fmt.Errorf("no questions are shown:\n%s", screen)
		}
		// Who receives most comes first.
		if strings.Index(screen, addr) > strings.Index(screen, other) {
			return fmt.Errorf("vm1 isn't the first:\n%s", screen)
		}
		return nil
	})
	term.press(t, "n", "r")
	term.shows(t, "name^")
	term.press(t, "/")
	term.press(t, "-l", "vm2")
	nettest.Eventually(t, limit, func() error {
		if screen := term.screen(t); strings.Contains(screen, addr) || !strings.Contains(screen, other) {
			return fmt.Errorf("the filter isn't one:\n%s", screen)
		}
		return nil
	})
	term.press(t, "Enter")
	term.shows(t, "only vm2 (esc: all)")
	term.press(t, "Escape")
	term.shows(t, addr, other)
	term.press(t, "?")
	term.shows(t, "labnet top, every 300ms", "any key goes back")
	term.press(t, "x")
	for _, size := range [][2]string{{"40", "10"}, {"20", "5"}, {"200", "50"}} {
		term.run(t, "resize-window", "-x", size[0], "-y", size[1])
		nettest.Eventually(t, limit, func() error {
			if screen := term.screen(t); !strings.Contains(screen, "labnet") {
				return fmt.Errorf("%v: %s", size, screen)
			}
			return nil
		})
	}
	term.shows(t, "mac", "network")

	l.stop(t, d, syscall.SIGTERM)
	term.shows(t, "no labnet daemon answers", "vm1")
	l.start(t)
	term.shows(t, "ready, up", addr)
	nettest.Eventually(t, limit, func() error {
		if screen := term.screen(t); strings.Contains(screen, "no labnet daemon") {
			return fmt.Errorf("the daemon is back:\n%s", screen)
		}
		return nil
	})
	term.press(t, "q")
	term.shows(t, "ended with 0")

	// Where there is no terminal to draw on.
	out, err := l.tryLabnet(t, "top")
	if err == nil || !strings.Contains(out, "this is no terminal; use `labnet top --once`, or `labnet status`") {
		t.Errorf("without a terminal: %v %s", err, out)
	}
	dumb := newTerminal(t, 100, 24, []string{"TERM=dumb"}, run...)
	dumb.shows(t, "TERM=dumb", "labnet top --once", "ended with 64")

	var moment struct {
		Seconds float64
		DNS     map[string]float64 `json:"dns_per_second"`
		Guests  []struct {
			Name, Port string
			Received   float64 `json:"received_bytes_per_second"`
		}
	}
	if err := json.Unmarshal([]byte(l.labnet(t, "top", "--once", "-o", "json")), &moment); err != nil {
		t.Fatal(err)
	}
	if len(moment.Guests) != 2 || moment.Guests[0].Name != "vm1" || moment.Guests[0].Received < 10_000 || moment.DNS["local"] == 0 || moment.Seconds < 0.9 {
		t.Errorf("--once says %+v", moment)
	}
	if out := l.labnet(t, "top", "--once", "--filter", "vm2"); !strings.Contains(out, other) || strings.Contains(out, addr) || strings.Contains(out, "\x1b") {
		t.Errorf("--once prints %q", out)
	}
}

// TestColoursOnATerminal: lists and the status have colours there, unless somebody doesn't want them.
func TestColoursOnATerminal(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "vm1", "vm1")
	g.udhcpc(t)
	g.leased(t)
	for _, test := range []struct {
		verb, env, want string
		colours         bool
	}{
		{"leases", "TERM=xterm", "bound", true},
		{"status", "TERM=xterm", "ready", true},
		{"doctor", "TERM=xterm", "ok", true},
		{"leases", "NO_COLOR=1", "bound", false},
		{"leases", "TERM=dumb", "bound", false},
	} {
		run := append([]string{"ip", "netns", "exec", l.router.Name}, l.args(t, test.verb)...)
		term := newTerminal(t, 160, 40, []string{test.env}, run...)
		term.shows(t, test.want, "ended with")
		if screen := term.run(t, "capture-pane", "-e", "-p"); strings.Contains(screen, "\x1b[32m") != test.colours {
			t.Errorf("%s with %s: colours: %t, want %t\n%q", test.verb, test.env, !test.colours, test.colours, screen)
		}
	}
	if out := l.labnet(t, "leases"); strings.Contains(out, "\x1b") {
		t.Errorf("colours in a pipe: %q", out)
	}
}
