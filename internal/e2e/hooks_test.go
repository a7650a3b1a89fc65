package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// told is an event as hooks are sent it.
type told struct {
	ID, Event, Network string
	Lease              lease
	Before             *lease
	Missed             int
}

// listener is an HTTP server on the router that writes down what it is sent.
type listener struct {
	t      *testing.T
	addr   string
	secret string // checks the signature, unless ""

	mu     sync.Mutex // guards events
	events []told
}

func (l *lab) listen(t *testing.T, secret string) *listener {
	t.Helper()
	s := &listener{t: t, secret: secret}
	var socket net.Listener
	l.router.Do(t, func() {
		var err error
		if socket, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			t.Error(err)
		}
	})
	if socket == nil {
		t.FailNow()
	}
	s.addr = socket.Addr().String()
	server := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(socket) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

func (s *listener) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var e told
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write(body)
	if got := request.Header.Get("X-Labnet-Signature"); s.secret != "" && got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		s.t.Errorf("the signature of %s is %q", body, got)
	}
	if got := request.Header.Get("X-Labnet-Delivery"); err != nil || got != e.ID || got == "" {
		s.t.Errorf("%q: %s, %v", got, body, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	w.WriteHeader(http.StatusNoContent)
}

// of returns the events of a name, "" for all.
func (s *listener) of(event string) []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.events), func(e told) bool { return event != "" && e.Event != event })
}

// wait waits for the first event of a name and returns it.
func (s *listener) wait(t *testing.T, event string) told {
	t.Helper()
	nettest.Eventually(t, limit, func() error {
		if len(s.of(event)) == 0 {
			return fmt.Errorf("no %s among %+v", event, s.of(""))
		}
		return nil
	})
	return s.of(event)[0]
}

// program writes a shell script and returns its path.
func program(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHooksAreTold runs a program and calls a URL for what real clients do.
func TestHooksAreTold(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	s := l.listen(t, "s3cret")
	// t.TempDir is for root alone.
	dir, err := os.MkdirTemp("", "labnet-hook")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	secret, log := filepath.Join(dir, "secret"), filepath.Join(dir, "events")
	write(t, secret, "s3cret\n")
	write(t, log, "")
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(log, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	// As nobody, who can write to that file alone.
	onLease := program(t, dir, "on-lease", `echo "$(id -un) $1 $LABNET_EVENT $LABNET_NETWORK $LABNET_ADDRESS $LABNET_MAC $LABNET_NAME $(cat)" >>`+log+"\n")
	l.configure(t, labConfig+fmt.Sprintf(`
hook "program" {
  command = [%q, "--add"]
  user    = "nobody"
}
hook "url" {
  url         = "http://%s/hook"
  secret_file = %q
}
hook "elsewhere" {
  on       = "lease.changed"
  command  = "/bin/false"
}
`, onLease, s.addr, secret))
	d, _ := l.start(t)

	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	bound := s.wait(t, "lease.bound")
	want := l.leases(t)[0]
	if bound.Network != "lab" || bound.Lease.Address != addr || bound.Lease.Name != "guest" || bound.Lease != want || bound.Before != nil {
		t.Errorf("told of %+v, and leased is %+v", bound, want)
	}
	g.Run(t, "sh", "-c", "kill -USR2 $(cat "+g.dir+"/pid)")
	released := s.wait(t, "lease.released")
	if released.Lease.Address != addr || released.Lease.State != "released" || released.Before == nil || *released.Before != bound.Lease {
		t.Errorf("told of %+v", released)
	}
	// A machine that has set the address by itself, which the guest then asks for.
	_, mac := l.staticGuest(t, "static", "vm2", "10.0.0.120")
	newSwarm(t, l.newGuest(t, "other", "vm3").Host).askFor(t, "10.0.0.120")
	conflict := s.wait(t, "lease.conflict")
	if conflict.Lease.Address != "10.0.0.120" || conflict.Lease.MAC != mac || conflict.Lease.State != "declined" {
		t.Errorf("told of %+v", conflict)
	}
	// The program has heard of the same.
	var lines []string
	nettest.Eventually(t, limit, func() error {
		lines = strings.Split(strings.TrimSpace(read(t, log)), "\n")
		if len(lines) < len(s.of("")) {
			return fmt.Errorf("%d events, the program has %d", len(s.of("")), len(lines))
		}
		return nil
	})
	prefix := fmt.Sprintf("nobody --add lease.bound lab %s %s guest ", addr, bound.Lease.MAC)
	text, ok := strings.CutPrefix(lines[0], prefix)
	var e told
	if err := json.Unmarshal([]byte(text), &e); !ok || err != nil || e.ID != bound.ID || e.Lease != bound.Lease {
		t.Errorf("the program was told %q, want %q and %+v: %v", lines[0], prefix, bound, err)
	}
	if out := l.labnet(t, "status"); !strings.Contains(out, "  url       http://"+s.addr+", ") || strings.Contains(out, "s3cret") || strings.Contains(d.output(), "s3cret") {
		t.Errorf("status says\n%s", out)
	}
	if status := l.status(t); status.State != "ready" {
		t.Errorf("%+v", status)
	}
}

// askFor asks for an address as a client that had it once.
func (s *swarm) askFor(t *testing.T, addr string) {
	t.Helper()
	m, err := dhcpv4.NewDiscovery(swarmMAC(77), dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(addr))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ask(m, 20); err != nil {
		t.Fatal(err)
	}
}

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
	if status := l.status(t); status.State != "degraded" || len(status.Problems) != 1 || !strings.Contains(status.Problems[0].Summary, "/nonexistent/on-lease") {
		t.Errorf("%+v", status)
	}
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

type hookStatus struct {
	Name, Target                        string
	Delivered, Failed, Dropped, Waiting int
}

func (l *lab) hooks(t *testing.T) []hookStatus {
	t.Helper()
	var s struct{ Hooks []hookStatus }
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s.Hooks
}
