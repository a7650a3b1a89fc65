package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// crowdedConfig has room for 65,000 guests and more.
const crowdedConfig = `network "lab" {
  address = "10.0.0.1/15"
  bridge {
    attach = ["vm*"]
  }
}
`

// listMemory bounds what a list of 65,000 leases may cost, in bytes, in the daemon and in the program that prints it: their JSON is some 25 MB.
const listMemory = 16 << 20

// TestAListOf65000LeasesIsAStream leases 65,000 addresses, restarts the daemon on them, and lists them, also to a reader that stops in the middle.
func TestAListOf65000LeasesIsAStream(t *testing.T) {
	nettest.NeedRoot(t)
	const guests = 65_000
	l := newLab(t)
	l.configure(t, crowdedConfig)
	d, _ := l.start(t, "--log-level", "warn")
	g := l.newGuest(t, "crowd", "vm1")
	l.attached(t, "vm1")
	crowd := newCrowd(t, g.Host)
	for crowd.Bound() < guests {
		if r := leaseAll(t, crowd, guests-crowd.Bound()); r.Exchanges == 0 {
			t.Fatalf("only %d of %d guests have a lease", crowd.Bound(), guests)
		}
	}
	l.stop(t, d, syscall.SIGTERM)
	_, took := l.start(t, "--log-level", "warn")
	before := l.memory(t)

	// A reader that stops in the middle costs the daemon no more than one that doesn't.
	slow := l.list(t, "-o", "ndjson")
	if _, err := slow.lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	fast := l.list(t, "-o", "json")
	all, peak := fast.leases(t, guests)
	listed := time.Since(begin)
	fast.end(t)
	if len(all) != guests {
		t.Errorf("%d leases are listed", len(all))
	}
	if last := all[len(all)-1]; last.State != "bound" || last.MAC == "" {
		t.Errorf("the last one is %+v", last)
	}
	rest, err := io.ReadAll(slow.lines)
	if err != nil || bytes.Count(rest, []byte("\n")) != guests-1 {
		t.Errorf("the slow reader has %d more lines: %v", bytes.Count(rest, []byte("\n")), err)
	}
	slow.end(t)
	after := l.memory(t)
	t.Logf("65,000 leases: ready %v after the start; listed as JSON in %v; the daemon had %d MiB before and %d MiB at its most, the program %d MiB",
		took.Round(time.Millisecond), listed.Round(time.Millisecond), before>>20, after>>20, peak>>20)
	if after > before+listMemory {
		t.Errorf("the lists cost the daemon %d MiB", (after-before)>>20)
	}
	// The program's own size, the runtime and the library's tables, is about as much.
	if peak > 3*listMemory {
		t.Errorf("the list costs the program %d MiB", peak>>20)
	}
	if out := l.labnet(t, "leases", "--filter", "address="+all[40_000].Address, "-o", "csv"); strings.Count(out, "\n") != 2 {
		t.Errorf("one of them:\n%s", out)
	}
}

// listing is a running `labnet leases`.
type listing struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
}

func (l *lab) list(t *testing.T, args ...string) listing {
	t.Helper()
	cmd := l.router.Command(t.Context(), l.args(t, append([]string{"leases"}, args...)...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return listing{cmd, bufio.NewReader(out)}
}

// leases reads the JSON of a list; peak is what the program had in RAM at its most before it wrote the last of count leases, in bytes. (Of one that has
// ended, the kernel tells that of the process which started it, too.)
func (l listing) leases(t *testing.T, count int) (all []lease, peak int64) {
	t.Helper()
	in := json.NewDecoder(l.lines)
	if _, err := in.Token(); err != nil {
		t.Fatal(err)
	}
	for in.More() {
		var one lease
		if err := in.Decode(&one); err != nil {
			t.Fatal(err)
		}
		if all = append(all, one); len(all) == count-1000 {
			peak = peakMemory(t, l.cmd.Process.Pid)
		}
	}
	if _, err := in.Token(); err != nil {
		t.Error(err)
	}
	return all, peak
}

// end waits for the program.
func (l listing) end(t *testing.T) {
	t.Helper()
	_, _ = io.Copy(io.Discard, l.lines)
	if err := l.cmd.Wait(); err != nil {
		t.Error(fmt.Errorf("the list: %w", err))
	}
}
