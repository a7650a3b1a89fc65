package netcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

func TestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "netcfg.json")
	f := &recordFile{path: path, boot: "this boot", netns: 5}
	r, err := f.load()
	if err != nil || len(r.Sysctls) != 0 {
		t.Fatalf("no record: %+v %v", r, err)
	}
	r.Sysctls = []recordedSysctl{{Key: forwardingOf("eth0"), Index: 2, Was: "0", Set: "1", IPForward: "0"}}
	r.Ports = []recordedPort{{Name: "tap0", Index: 3, WasDown: true}}
	r.Config = networks(lab(), dmz())
	if err := f.save(r); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		f    recordFile
		want record
	}{
		{"the same", recordFile{boot: "this boot", netns: 5}, r},
		{"another boot", recordFile{boot: "the next", netns: 5}, record{Version: 1, Boot: "the next", Netns: 5}},
		{"another namespace", recordFile{boot: "this boot", netns: 6}, record{Version: 1, Boot: "this boot", Netns: 6}},
	} {
		c.f.path = path
		got, err := c.f.load()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b Config) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left over: %v %v", files, err)
	}
}

func TestUnreadableRecord(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"version": 1, "boot": "th`, "no record": `[]`, "incomplete": `{}`,
		"of the future": `{"version": 2, "boot": "this boot", "more": true}`, "unknown": `{"version": 1, "boot": "x", "surprise": 1}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "netcfg.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			m := newMemory()
			h := m.host(t, filepath.Dir(path))
			before := m.String()
			for name, call := range map[string]func() error{
				"plan":  func() error { _, err := h.Plan(networks(lab())); return err },
				"apply": func() error { _, err := h.Apply(t.Context(), networks(lab())); return err },
				"down":  func() error { _, err := h.Down(t.Context()); return err },
			} {
				if err := call(); err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if diff := cmp.Diff(before, m.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A record that can't be written stops Apply before it changes anything.
func TestUnwritableRecord(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	m.routes = []route{defaultRoute(2)}
	h := m.host(t, t.TempDir())
	h.record.path = filepath.Join(dir, "file", "netcfg.json")
	before := m.String()
	if _, err := h.Apply(t.Context(), networks(lab())); err == nil {
		t.Error("applied without a record")
	}
	if diff := cmp.Diff(before, m.String()); diff != "" {
		t.Error(diff)
	}
}

// TestLock starts a process that holds the lock: it is named, and waited for.
func TestLock(t *testing.T) {
	if os.Getenv(again) != "" {
		ns, err := openNamespace()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ns.lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Println("holding")
		select {}
	}
	r := newRouter(t)
	h := r.open(t)
	cmd, output := r.Start(t, "env", again+"=1", os.Args[0], "-test.run=^TestLock$")
	nettest.Eventually(t, patience, func() error {
		if !strings.Contains(output(), "holding") {
			return errors.New(output())
		}
		return nil
	})
	_, err := h.Apply(t.Context(), networks(lab()))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", cmd.Process.Pid)) {
		t.Errorf("pid %d isn't named: %v", cmd.Process.Pid, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.Down(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("down: %v", err)
	}
	// The other namespace is free.
	apply(t, newRouter(t).open(t), networks(lab()))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	apply(t, h, networks(lab()))
}

// Many at once: one after the other, and the last one's is there.
func TestConcurrentApplies(t *testing.T) {
	r := newRouter(t)
	hosts := []*Host{r.open(t), r.open(t)}
	keep(t, hosts[0])
	done := make(chan error)
	for i := range 6 {
		go func() {
			_, err := hosts[i%2].Apply(t.Context(), []Config{networks(lab()), networks(lab(), dmz())}[i%2])
			done <- err
		}()
	}
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// failing is a kernel that fails at a step.
type failing struct {
	kernel
	after int
}

func (f *failing) do(step []Change) error {
	f.after--
	if f.after == 0 {
		return errInjected
	}
	return f.kernel.do(step)
}

func TestFailedApplyGoesBackOnTheKernel(t *testing.T) {
	for _, from := range []string{"nothing", "one"} {
		r := newRouter(t)
		r.Run(t, "sh", "-c", "ip link set eth0 addrgenmode none; ip -6 address flush dev eth0; sysctl -q -w net.ipv6.conf.default.disable_ipv6=1")
		h := r.open(t)
		apply(t, h, configs()[from])
		// Until the kernel has seen that no port is there, the bridge's state changes by itself.
		nettest.Eventually(t, patience, func() error {
			if out := r.Run(t, "ip", "-o", "link", "show", "type", "bridge"); from == "one" && !strings.Contains(out, "NO-CARRIER") {
				return errors.New(out)
			}
			return nil
		})
		before := hostdump.Take(t, r.Host)
		for after := 1; ; after++ {
			h.kernel = &failing{h.ns, after}
			_, err := h.Apply(t.Context(), configs()["two"])
			h.kernel = h.ns
			if err == nil {
				break
			}
			if !errors.Is(err, errInjected) {
				t.Fatal(err)
			}
			if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
				t.Fatalf("from %s, failed at step %d: %s", from, after, diff)
			}
		}
	}
}

// An Apply whose time is over goes back too.
func TestCancelledApply(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	h.kernel = &cancelling{h.ns, cancel}
	if _, err := h.Apply(ctx, networks(lab())); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %v", err)
	}
	if out := r.Run(t, "sh", "-c", "ip -o link; nft list ruleset"); strings.Contains(out, "labnet") || strings.Contains(out, "br0") {
		t.Errorf("left behind:\n%s", out)
	}
}

// cancelling ends the caller's context with the first step.
type cancelling struct {
	kernel
	cancel func()
}

func (c *cancelling) do(step []Change) error {
	c.cancel()
	return c.kernel.do(step)
}

// Without the record the kernel's own rules tell which uplink was closed before labnet: it stays so, and is put back.
func TestLostRecordOpensNothing(t *testing.T) {
	for name, cfg := range map[string]Config{"auto": networks(lab()), "named": configs()["named_uplink"]} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t)
			apply(t, r.open(t), cfg)
			if name == "named" {
				r.Run(t, "ip", "route", "del", "default")
			}
			lose := func() {
				if err := os.Remove(r.record); err != nil {
					t.Fatal(err)
				}
			}
			lose()
			h := r.open(t)
			inOrder(t, h, cfg)
			apply(t, h, cfg)
			if out := r.Run(t, "nft", "list", "set", "inet", "labnet", closedUplinks); !strings.Contains(out, `"eth0"`) {
				t.Errorf("eth0 is open to the host's other networks: %s", out)
			}
			lose()
			down(t, r.open(t))
			if got := strings.TrimSpace(r.Run(t, "cat", "/proc/sys/net/ipv4/conf/eth0/forwarding")); got != "0" {
				t.Errorf("eth0 forwards after down: %s", got)
			}
		})
	}
}

// Down in one namespace leaves the record of another one alone, which may be in use.
func TestRecordOfAnotherNamespace(t *testing.T) {
	r, other := newRouter(t), newRouter(t)
	apply(t, r.open(t), networks(lab()))
	other.record = r.record
	if p := down(t, other.open(t)); !p.Empty() {
		t.Errorf("changed:\n%s", lines(p))
	}
	if _, err := os.Stat(r.record); err != nil {
		t.Error(err)
	}
	down(t, r.open(t))
	if got := strings.TrimSpace(r.Run(t, "cat", "/proc/sys/net/ipv4/conf/eth0/forwarding")); got != "0" {
		t.Errorf("eth0 forwards after down: %s", got)
	}
}
