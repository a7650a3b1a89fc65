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
	"slices"
	"strings"
	"sync"
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
	if !strings.HasPrefix(text, "#!") {
		text = "#!/bin/sh\n" + text
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
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

// TestTheGuidesHookRuns runs the program of the guide.
func TestTheGuidesHookRuns(t *testing.T) {
	nettest.NeedRoot(t)
	text := ""
	for _, s := range snippets(t) {
		if strings.HasPrefix(s.place, "guide.md") && strings.HasPrefix(s.text, "#!/bin/sh") {
			text = s.text
		}
	}
	const inventory = "/var/lib/inventory" // where nothing that a test writes stays
	if err := os.MkdirAll(inventory, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(inventory) })
	if !strings.Contains(text, inventory) {
		t.Fatalf("the guide's program is %q", text)
	}
	l := newLab(t)
	l.configure(t, wideConfig+fmt.Sprintf("hook \"inventory\" {\n  command = %q\n}\n", program(t, l.dir, "on-lease", text)))
	l.start(t)
	reply, err := newSwarm(t, l.newGuest(t, "swarm", "vm1").Host).lease(swarmMAC(1), 10)
	if err != nil {
		t.Fatal(err)
	}
	addr := reply.YourIPAddr.String()
	file := filepath.Join(inventory, addr+".json")
	var e told
	nettest.Eventually(t, limit, func() error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &e)
	})
	if e.Event != "lease.bound" || e.Lease.Address != addr || e.Lease.MAC != swarmMAC(1).String() {
		t.Errorf("the inventory has %+v", e)
	}
	l.labnet(t, "leases", "release", "--force", addr)
	nettest.Eventually(t, limit, func() error {
		if _, err := os.Stat(file); err == nil {
			return errorOf("the file is still there")
		}
		return nil
	})
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
