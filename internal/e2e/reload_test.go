package e2e

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

// reload sends SIGHUP and returns what the daemon logs until, and with, a line that says want.
func (l *lab) reload(t *testing.T, d *daemon, want string) string {
	t.Helper()
	before := len(d.output())
	process, err := os.FindProcess(l.pid(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error { return contains(d.output()[before:], want) })
	return d.output()[before:]
}

// A reload that can't be served mustn't be tried on the host: with another bridge's name, going back would cost every guest its
// port.
func TestAReloadThatATakenPortForbidsChangesNothing(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	g.leased(t)
	l.router.Run(t, "ip", "address", "add", "10.0.9.1/32", "dev", "lo")
	var taken net.PacketConn
	l.router.Do(t, func() {
		var err error
		if taken, err = net.ListenPacket("udp4", "10.0.9.1:53"); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	defer taken.Close()
	l.router.Run(t, "ip", "address", "del", "10.0.9.1/32", "dev", "lo")

	links := l.router.Run(t, "ip", "-o", "link")
	l.configure(t, strings.Replace(strings.Replace(labConfig, "10.0.0.1", "10.0.9.1", 1), "bridge {", "bridge {\n    name = \"br-new\"", 1))
	said := l.reload(t, d, "not reloaded")
	if !strings.Contains(said, "port 53") || strings.Contains(said, "changed the host") {
		t.Errorf("the reload should be refused for the port, with the host unchanged:\n%s", said)
	}
	if now := l.router.Run(t, "ip", "-o", "link"); now != links {
		t.Errorf("the links are other ones:\n%s\nbefore:\n%s", now, links)
	}
	if got := g.resolve(t, "guest"); len(got) != 1 {
		t.Errorf("after the refused reload the guest's name resolves to %v", got)
	}
}

func TestAReloadTakesTheLogLevelAndNotTheFormat(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig+"\ndaemon {\n  log_level = \"warn\"\n}\n")
	d := &daemon{}
	d.cmd, d.output = l.router.Start(t, l.args(t, "run")...)
	l.labnet(t, "status", "--wait", "20s")
	l.configure(t, labConfig+"\ndaemon {\n  log_level = \"debug\"\n}\n")
	l.reload(t, d, "is reloaded")
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	g.leased(t)
	g.resolve(t, "guest")
	nettest.Eventually(t, limit, func() error { return contains(d.output(), `"level":"DEBUG"`) })
	l.configure(t, labConfig+"\ndaemon {\n  log_level  = \"debug\"\n  log_format = \"text\"\n}\n")
	l.reload(t, d, "log_format are changed by a restart only")
}

// Who types `labnet down` while the daemon ends anyway, or starts another one right after, isn't left with half of it.
func TestDownWhateverTheDaemonIsAt(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	for round := range 4 {
		l.start(t)
		if round%2 == 1 {
			process, err := os.FindProcess(l.pid(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := l.tryLabnet(t, "down"); err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, out)
		}
		if links := l.router.Run(t, "ip", "-o", "link"); strings.Contains(links, "br0") {
			t.Fatalf("round %d: the bridge is still there:\n%s", round, links)
		}
		if out, err := l.tryLabnet(t, "down"); err != nil || !strings.Contains(out, "nothing of labnet's") {
			t.Fatalf("round %d: down again: %v\n%s", round, err, out)
		}
	}
}
