package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

// TestAHookThatHangsDelaysNoLease: whoever waits is the hook's own queue, and its end is the daemon's.
func TestAHookThatHangsDelaysNoLease(t *testing.T) {
	nettest.NeedRoot(t)
	const guests = 100
	l := newLab(t)
	s := l.listen(t, "")
	pids := filepath.Join(l.dir, "pids")
	hangs := program(t, l.dir, "hangs", "sleep 1000 &\necho $$ $! >>"+pids+"\nwait\n")
	l.configure(t, strings.Replace(wideConfig, "/22", "/16", 1)+fmt.Sprintf("hook \"hangs\" {\n  command = %q\n  timeout = \"5m\"\n}\nhook \"quick\" {\n  url = \"http://%s/\"\n}\n", hangs, s.addr))
	d, _ := l.start(t)
	swarm := newSwarm(t, l.newGuest(t, "swarm", "vm1").Host)
	for i := range guests {
		if _, err := swarm.lease(swarmMAC(i), 10); err != nil {
			t.Fatal(err)
		}
	}
	nettest.Eventually(t, limit, func() error {
		if n := len(s.of("lease.bound")); n != guests {
			return fmt.Errorf("the other hook was told of %d", n)
		}
		return nil
	})
	for _, h := range l.hooks(t) {
		want := hookStatus{Name: h.Name, Target: h.Target, Delivered: guests}
		if h.Name == "hangs" {
			want.Delivered, want.Waiting = 0, guests
		}
		if h != want {
			t.Errorf("%+v, want %+v", h, want)
		}
	}
	nettest.Eventually(t, limit, func() error {
		if n := len(strings.Fields(read(t, pids))); n != 8 {
			return fmt.Errorf("%d processes", n)
		}
		return nil
	})
	l.stop(t, d, syscall.SIGTERM)
	if out := d.output(); !strings.Contains(out, "hook=hangs events=100") {
		t.Errorf("the end doesn't say what is left:\n%s", tail(out, 20))
	}
	ended(t, strings.Fields(read(t, pids))...)
}

// ended waits until processes are gone.
func ended(t *testing.T, pids ...string) {
	t.Helper()
	for _, pid := range pids {
		nettest.Eventually(t, limit, func() error {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err == nil && !strings.Contains(string(stat), ") Z ") {
				return fmt.Errorf("%s is alive: %s", pid, stat)
			}
			return nil
		})
	}
}

// TestAHookDoesNotOutliveTheDaemon ends the daemon by kill -9 while a program runs.
func TestAHookDoesNotOutliveTheDaemon(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	pids := filepath.Join(l.dir, "pids")
	l.configure(t, labConfig+fmt.Sprintf("hook \"hangs\" {\n  command = %q\n}\n", program(t, l.dir, "hangs", "echo $$ >>"+pids+"\nexec sleep 1000\n")))
	d, _ := l.start(t)
	if _, err := newSwarm(t, l.newGuest(t, "swarm", "vm1").Host).lease(swarmMAC(1), 10); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error { _, err := os.Stat(pids); return err })
	l.stop(t, d, syscall.SIGKILL)
	ended(t, strings.Fields(read(t, pids))...)
}

// TestHooksHearWhatTheEndDoes ends the daemon while clients lease: each lease that is stored was told, or the log says how many weren't.
func TestHooksHearWhatTheEndDoes(t *testing.T) {
	nettest.NeedRoot(t)
	const workers = 20
	l := newLab(t)
	s := l.listen(t, "")
	l.configure(t, strings.Replace(wideConfig, "/22", "/16", 1)+fmt.Sprintf("hook \"url\" {\n  on  = \"lease.bound\"\n  url = \"http://%s/\"\n}\n", s.addr))
	d, _ := l.start(t)
	swarm := newSwarm(t, l.newGuest(t, "swarm", "vm1").Host)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					_, _ = swarm.lease(swarmMAC(w*1000+i), 1)
				}
			}
		})
	}
	nettest.Eventually(t, limit, func() error {
		if n := len(swarm.record()); n < 200 {
			return fmt.Errorf("%d leases", n)
		}
		return nil
	})
	l.stop(t, d, syscall.SIGTERM)
	close(stop)
	running.Wait()
	left := 0
	if found := regexp.MustCompile(`told everything".* events=(\d+)`).FindStringSubmatch(d.output()); found != nil {
		left, _ = strconv.Atoi(found[1])
	}
	events := len(s.of("lease.bound"))
	l.start(t)
	stored := 0
	for _, one := range l.leases(t) {
		if one.State == "bound" {
			stored++
		}
	}
	t.Logf("%d leases are stored, %d were told, %d were left", stored, events, left)
	if events+left != stored || events == 0 {
		t.Error("some are missing")
	}
}
