package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// tracing is a started `labnet trace dhcp`.
type tracing struct {
	t   *testing.T
	cmd *exec.Cmd

	mu  sync.Mutex // guards out
	out bytes.Buffer
}

func (tr *tracing) Write(b []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.out.Write(b)
}

func (tr *tracing) output() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.out.String()
}

// trace starts a trace of DHCP and waits until it sees.
func (l *lab) trace(t *testing.T, flags ...string) *tracing {
	t.Helper()
	return l.traceOf(t, "dhcp", flags...)
}

func (l *lab) traceOf(t *testing.T, what string, flags ...string) *tracing {
	t.Helper()
	tr := &tracing{t: t, cmd: l.router.Command(context.Background(), l.args(t, append([]string{"trace", what}, flags...)...)...)}
	tr.cmd.Stdout, tr.cmd.Stderr = tr, tr
	if err := tr.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if tr.cmd.ProcessState == nil {
			_ = tr.cmd.Process.Kill()
			_ = tr.cmd.Wait()
		}
	})
	tr.until("tracing " + strings.ToUpper(what))
	return tr
}

// until waits for a text in the output.
func (tr *tracing) until(text string) {
	tr.t.Helper()
	nettest.Eventually(tr.t, 20*time.Second, func() error {
		if out := tr.output(); !strings.Contains(out, text) {
			return fmt.Errorf("no %q in:\n%s", text, tail(out, 40))
		}
		return nil
	})
}

// end signals the trace and returns its exit code.
func (tr *tracing) end(signal os.Signal) int {
	tr.t.Helper()
	if err := tr.cmd.Process.Signal(signal); err != nil {
		tr.t.Fatal(err)
	}
	return tr.wait()
}

func (tr *tracing) wait() int {
	tr.t.Helper()
	done := make(chan struct{})
	go func() { _ = tr.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = tr.cmd.Process.Kill()
		<-done
		tr.t.Errorf("the trace doesn't end: %s", tail(tr.output(), 20))
	}
	return tr.cmd.ProcessState.ExitCode()
}

// events is the lines, without when they happened.
func (tr *tracing) events() []string {
	var found []string
	for line := range strings.Lines(tr.output()) {
		if len(line) > 13 && strings.Contains(line, "→") {
			found = append(found, strings.TrimSpace(line[13:]))
		}
	}
	return found
}

func TestTraceAndExplainARealClient(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, smallConfig)
	l.start(t)
	before := l.labnet(t, "explain", "dhcp", "52:54:00:aa:00:09")
	for _, want := range []string{
		"reservation  host builder, by its MAC: 10.0.0.10", "would get    OFFER of 10.0.0.10 (builder): the address reserved for it (offer_reservation)",
		"lease        none", "routers                10.0.0.1", "domain_name            lab.internal",
	} {
		if !strings.Contains(before, want) {
			t.Errorf("explained before without %q:\n%s", want, before)
		}
	}
	text, asJSON, other := l.trace(t, "--mac", "52-54-00-AA"), l.trace(t, "-o", "json", "--network", "lab", "--reason", "ack_selecting", "--count", "1"), l.trace(t, "--addr", "10.0.0.99")
	g := l.newGuest(t, "guest", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:aa:00:09")
	g.udhcpc(t)
	if got := g.leased(t); got["address"] != "10.0.0.10" {
		t.Errorf("leased %s, explained 10.0.0.10", got["address"])
	}
	text.until("ACK")
	if code := text.end(os.Interrupt); code != 0 || strings.Contains(text.output(), "labnet:") {
		t.Errorf("Ctrl-C: exit code %d:\n%s", code, text.output())
	}
	// The client may have said it twice.
	events := text.events()
	for _, want := range []string{
		"52:54:00:aa:00:09 DISCOVER → OFFER 10.0.0.10       the address reserved for it (builder)",
		"52:54:00:aa:00:09 REQUEST  → ACK   10.0.0.10       it took our offer (builder)",
	} {
		if !strings.Contains(strings.Join(events, "\n"), want) {
			t.Errorf("no line %q in:\n%s", want, text.output())
		}
	}
	if code := asJSON.wait(); code != 0 {
		t.Errorf("after --count messages: exit code %d", code)
	}
	for in := json.NewDecoder(strings.NewReader(asJSON.output()[strings.Index(asJSON.output(), "{"):])); in.More(); {
		var event struct {
			MAC, Message, Reply, Reason string
			Took                        int `json:"took_us"`
		}
		if err := in.Decode(&event); err != nil || event.MAC != "52:54:00:aa:00:09" || event.Reply == "" || event.Took <= 0 {
			t.Errorf("%v: %+v", err, event)
		}
	}
	if events := other.events(); len(events) > 0 {
		t.Errorf("of another address: %q", events)
	}
	after := l.labnet(t, "explain", "dhcp", "builder")
	for _, want := range []string{
		"asks as      client id 01:52:54:00:aa:00:09, name guest, vendor class udhcp", "lease        10.0.0.10 (builder), expires in ",
		"restarting   with 10.0.0.10: ACK: restarted with the address it holds (ack_init_reboot)",
	} {
		if !strings.Contains(after, want) {
			t.Errorf("explained after without %q:\n%s", want, after)
		}
	}
	// A stop tells who watches, and the exit code says that it wasn't Ctrl-C.
	l.labnet(t, "down")
	if code := other.wait(); code != 1 || !strings.Contains(other.output(), "labnet: the trace ended: the daemon is stopping\n") {
		t.Errorf("exit code %d:\n%s", code, other.output())
	}
}

// fullConfig has one address.
const fullConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.0.100"
      end   = "10.0.0.100"
    }
  }
}
`

// TestWhyDidMyGuestNotGetAnAddress types the commands of that chapter for a guest that gets none; what the chapter shows is what they say.
func TestWhyDidMyGuestNotGetAnAddress(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, fullConfig)
	l.start(t)
	first, second := l.newGuest(t, "first", "vm0"), l.newGuest(t, "vm1", "vm1")
	first.udhcpc(t)
	first.leased(t)
	second.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:12:34:56")
	second.udhcpc(t)
	if ran, shown := l.chapter(t, "Why did my guest not get an address?", func(string) {}); ran < 4 || shown < 7 {
		t.Errorf("only %d commands and %d lines found", ran, shown)
	}
}

// chapter types the commands of a chapter of docs/operations.md, and holds what it shows to what they say; times left out. before is
// told of each.
func (l *lab) chapter(t *testing.T, heading string, before func(command string)) (ran, shown int) {
	t.Helper()
	_, chapter, ok := strings.Cut(read(t, "../../docs/operations.md"), "## "+heading+"\n")
	if !ok {
		t.Fatal("there is no such chapter")
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	said := ""
	blocks := strings.Split(chapter, "```")
	for i := 1; i < len(blocks); i += 2 {
		language, text, _ := strings.Cut(blocks[i], "\n")
		switch language {
		case "sh":
			before(text)
			command := strings.Fields(text)
			if command[0] == "labnet" {
				command = l.args(t, command[1:]...)
			}
			said = l.router.Run(t, command...)
			if said == "" {
				t.Errorf("%q says nothing", text)
			}
			ran++
		case "text":
			for line := range strings.Lines(text) {
				if strings.Contains(line, "→") {
					_, line, _ = strings.Cut(line, " ") // the time
					line, _, _ = strings.Cut(line, ") in ")
				}
				if !strings.Contains(said, line) {
					t.Errorf("the chapter shows %q, the command says\n%s", line, said)
				}
				shown++
			}
		}
	}
	return ran, shown
}

// A trace that was started before a reload sees the networks that the reload has brought; and both are explained.
func TestATraceOutlivesAReload(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	tr := l.trace(t)
	l.configure(t, strings.Replace(labConfig, "bridge {", "bridge {\n    name = \"br0\"", 1)+`
network "dmz" {
  address = "10.1.0.1/24"
  bridge {
    name   = "br1"
    attach = ["dm*"]
  }
}
`)
	l.reload(t, d, "the configuration is reloaded")
	g := l.newGuest(t, "guest", "dm1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	tr.until("ACK   " + addr)
	if code := tr.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	said := l.labnet(t, "explain", "dhcp", "52:54:00:00:00:77")
	for _, want := range []string{"52:54:00:00:00:77 in network dmz\n", "\n\n52:54:00:00:00:77 in network lab\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if said := l.labnet(t, "explain", "dhcp", addr); strings.Contains(said, "network lab") || !strings.Contains(said, "OFFER of "+addr) {
		t.Errorf("a lease of one network:\n%s", said)
	}
	if out, err := l.tryLabnet(t, "trace", "dhcp", "--network", "nowhere"); err == nil || !strings.Contains(out, `DHCP is served in no network "nowhere"; it is in: dmz, lab`) {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := l.tryLabnet(t, "trace", "dhcp", "--reason", "nonsense"); err == nil || !strings.Contains(out, `there is no reason "nonsense"`) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestASlowTraceHoldsNobodyUp stops a trace (as Ctrl-Z does) under more messages than fit into its buffers: every one is answered,
// and what it can't see it is told the number of.
func TestASlowTraceHoldsNobodyUp(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	slow, quick := l.trace(t, "-o", "json"), l.trace(t, "-o", "json")
	if err := slow.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	g := l.newGuest(t, "guest", "vm1")
	s := newSwarm(t, g.Host)
	const messages = 1500
	// Long lines fill the socket's buffer sooner.
	long := dhcpv4.WithOption(dhcpv4.OptClassIdentifier(strings.Repeat("\x01", 250)))
	for i := range messages {
		m, err := dhcpv4.NewDiscovery(net.HardwareAddr(swarmMAC(i%100)), dhcpv4.WithBroadcast(true), long)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ask(m, 5); err != nil {
			t.Fatalf("message %d while a trace is stopped: %v", i, err)
		}
	}
	var decided uint64
	var status struct {
		Networks []struct{ DHCP map[string]uint64 }
	}
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	for reason, n := range status.Networks[0].DHCP {
		if strings.HasPrefix(reason, "offer_") || reason == "probing" { // what waits for ARP is decided twice
			decided += n
		}
	}
	if decided < messages {
		t.Errorf("%d decided of %d", decided, messages)
	}
	if err := slow.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, tr := range []*tracing{slow, quick} {
		nettest.Eventually(t, 20*time.Second, func() error {
			if shown, lost := counts(t, tr.output()); shown+lost != decided {
				return fmt.Errorf("%d shown and %d lost, of %d", shown, lost, decided)
			}
			return nil
		})
		_, lost := counts(t, tr.output())
		if tr == slow && lost == 0 {
			t.Error("the slow one lost nothing: the test is too small")
		}
		if code := tr.end(os.Interrupt); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// counts is the events of a JSON trace, and how many it says are lost.
func counts(t *testing.T, out string) (shown, lost uint64) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		var line struct {
			Lost    uint64
			Message string
		}
		if !strings.HasPrefix(lines.Text(), "{") || json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		lost += line.Lost
		if line.Message == "DISCOVER" {
			shown++
		}
	}
	return shown, lost
}
