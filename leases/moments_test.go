package leases

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/leases/redolog"

	"golang.org/x/sys/unix"
)

// TestEveryMomentIsRecoverable stops a process that commits at random moments, copies its files, and opens the copy: all that
// had returned is there. Shared memory is lost, as by a power cut, and so is a random part of a frame whose commit hasn't returned.
func TestEveryMomentIsRecoverable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "leases.db")
	child := exec.Command("/proc/self/exe", path)
	child.Env = append(os.Environ(), role+"=commit")
	out := must[*os.File](t)(os.Create(filepath.Join(t.TempDir(), "out"))) // a pipe would hold back what it has said
	defer out.Close()
	child.Stdout = out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	last, torn, segments := -1, 0, make(map[uint64]bool)
	for round := 0; round < 25 || len(segments) < 3; round++ {
		for before := last; last < before+3; {
			time.Sleep(time.Duration(random.IntN(200_000)) * time.Microsecond)
			last = lastCommitted(t, out.Name())
		}
		stop(t, child.Process.Pid)
		last = lastCommitted(t, out.Name())
		copied := filepath.Join(t.TempDir(), "leases.db")
		for _, suffix := range []string{"", "-wal", "-redo1", "-redo2"} {
			content, err := os.ReadFile(path + suffix)
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied+suffix, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := child.Process.Signal(unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if tear(t, copied, last, random) {
			torn++
		}
		s := openStore(t, copied)
		segments[s.nextSeq] = true
		newest := make(map[int]int)
		for _, l := range load(t, s) {
			var batch int
			if _, err := fmt.Sscanf(l.RequestedName, "batch%d", &batch); err != nil {
				t.Fatal(err)
			}
			newest[batch]++
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		// The batch after the last one that was told may be there, or not, but never a part of it.
		for i := last - 1; i <= last+2; i++ {
			got := newest[i]
			if got != 0 && got != 5 || i <= last && got != 5 {
				t.Fatalf("round %d: after commit %d, %d of 5 leases of batch %d are there: %v", round, last, got, i, newest)
			}
		}
	}
	t.Logf("%d commits, %d torn frames, segments %v", last, torn, segments)
}

// tear takes away the end of the newest frame if its commit is one after last.
func tear(t *testing.T, path string, last int, random *rand.Rand) bool {
	t.Helper()
	segments := must[[]redolog.Segment](t)(redolog.Read(path))
	if len(segments) == 0 {
		return false
	}
	newest := segments[len(segments)-1]
	frame := newest.Payloads[len(newest.Payloads)-1]
	leases := must[[]Lease](t)(parseRedo(nil, frame))
	if leases[0].RequestedName != fmt.Sprint("batch", last+1) {
		return false
	}
	name := path + []string{"-redo1", "-redo2"}[newest.Seq%2]
	file := must[[]byte](t)(os.ReadFile(name))
	at := bytes.LastIndex(file, frame)
	clear(file[at+random.IntN(len(frame)) : at+len(frame)])
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return true
}

// stop returns when every thread of a child has stopped.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("stopping it: %v %v", status, err)
	}
}

// lastCommitted is the last number that a child has told.
func lastCommitted(t *testing.T, path string) int {
	t.Helper()
	text := string(must[[]byte](t)(os.ReadFile(path)))
	text = text[:strings.LastIndexByte(text, '\n')+1]
	last := -1
	if text != "" {
		line := text[strings.LastIndexByte(text[:len(text)-1], '\n')+1:]
		if _, err := fmt.Sscanf(line, "committed %d", &last); err != nil {
			t.Fatalf("the child says %q", line)
		}
	}
	return last
}
