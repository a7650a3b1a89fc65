package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// TestBridgedKilledAtAnyMoment kills the daemon, or `labnet apply`, or both, at random moments of a move. By the process that stands by,
// or by `labnet rollback`, the host becomes what it was, and a session of before lives.
func TestBridgedKilledAtAnyMoment(t *testing.T) { bridgedKilled(t, 4) }

func bridgedKilled(t *testing.T, rounds int) {
	nettest.NeedRoot(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	l, s := newBridgedLab(t, bridgedConfig)
	before := sortedRoutes(settled(t, l.router))
	var d *daemon
	killedIn := map[string]int{}
	for round := range rounds {
		if d == nil {
			d, _ = l.start(t)
		}
		pid := l.pid(t)
		byTime := round%5 == 4
		window := map[bool]string{true: "10s", false: "10m"}[byTime]
		cmd, output := l.router.Start(t, l.args(t, "apply", "--confirm-within", window)...)
		if round%4 != 3 {
			nettest.Eventually(t, limit, func() error {
				for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
					if l.handover(t) == "moving" || l.handover(t) == "moved" {
						return nil
					}
				}
				return fmt.Errorf("nothing moves: %s", output())
			})
		}
		pause := time.Duration(random.IntN(30_000)) * time.Microsecond
		time.Sleep(pause)
		victims := 1 + random.IntN(3)
		if byTime {
			victims = 3
		}
		if victims&2 != 0 {
			_ = cmd.Process.Kill()
		}
		if victims&1 != 0 {
			kill(t, pid)
			d = nil
		}
		phase := l.handover(t)
		killedIn[phase]++
		what := fmt.Sprintf("round %d, victims %d, %v later, phase %q", round, victims, pause, phase)
		nettest.Eventually(t, time.Minute, func() error { return stillThere(cmd.Process.Pid) })
		if !byTime {
			// There is nothing to take back where nothing had begun.
			if out, err := l.tryLabnet(t, "rollback"); err != nil && !strings.Contains(out, "nothing waits to be confirmed") {
				t.Errorf("%s: rollback: %v\n%s", what, err, out)
			}
		}
		nettest.Eventually(t, time.Minute, func() error {
			if left := l.handover(t); left != "" {
				return fmt.Errorf("%s: the handover is %s", what, left)
			}
			return nil
		})
		s.lives(t, what)
		if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
			t.Fatalf("%s: the host isn't what it was:\n%s\napply says:\n%s", what, diff, output())
		}
	}
	t.Logf("%d times killed, by the handover's phase: %v", rounds, killedIn)
	// And after all that it can be made, and lasts: the next daemon finds nothing to do.
	if d == nil {
		d, _ = l.start(t)
	}
	l.confirmBridge(t)
	s.lives(t, "on the bridge that is kept")
	l.stop(t, d, syscall.SIGKILL)
	l.start(t)
	if err := l.onBridge(t); err != nil {
		t.Error(err)
	}
	if out := l.labnet(t, "plan"); out != "" {
		t.Errorf("the plan isn't empty:\n%s", out)
	}
	l.labnet(t, "down")
	if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
}

// handover is the phase that is on disk, "" for none.
func (l *lab) handover(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "state", "handover", "handover.json"))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), `"phase": "`)
	phase, _, _ := strings.Cut(rest, `"`)
	return phase
}
