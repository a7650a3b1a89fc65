// Package e2e runs the built binary as a user would: on a router in a network namespace, with a LAN beside it and real DHCP
// clients behind it.
package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) {
	if !asFakeQEMU() {
		nettest.Main(m)
	}
}

// The LAN beside the lab.
const (
	lanAddr    = "192.0.2.1"
	uplinkAddr = "192.0.2.2"
)

// lab is a LAN, a router and what stands behind it.
type lab struct {
	lan, router *nettest.Host
	dir         string   // the router's files
	config      string   // path
	runAs       []string // what the daemon is started by: none, or asService's
	program     string   // in place of the built binary, "" for that
}

// newLab makes a LAN with an authoritative DNS server for example.org, and a router whose default route and resolver lead there.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := newLabWithoutDNS(t)
	startNamed(t, l.lan)
	return l
}

// newLabWithoutDNS is newLab where nobody answers on the LAN.
func newLabWithoutDNS(t *testing.T) *lab {
	t.Helper()
	l := &lab{lan: nettest.NewHost(t, "lan"), router: nettest.NewHost(t, "router"), dir: t.TempDir()}
	nettest.Link(t, l.lan, "eth0", l.router, "eth0")
	l.lan.Run(t, "ip", "address", "add", lanAddr+"/24", "dev", "eth0")
	l.router.Run(t, "ip", "address", "add", uplinkAddr+"/24", "dev", "eth0")
	l.router.Run(t, "ip", "route", "add", "default", "via", lanAddr)
	setResolver(t, l.router, "nameserver "+lanAddr+"\n")
	return l
}

// setResolver writes the resolv.conf that programs run by `ip netns exec` see.
func setResolver(t *testing.T, h *nettest.Host, text string) {
	t.Helper()
	dir := filepath.Join("/etc/netns", h.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const namedConf = `options {
  directory %q;
  pid-file none;
  session-keyfile none;
  listen-on { 192.0.2.1; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  notify no;
};
controls { };
zone "example.org" { type primary; file "example.org.zone"; };
zone "216.184.93.in-addr.arpa" { type primary; file "reverse.zone"; };
`

const exampleZone = `$TTL 300
@    IN SOA ns hostmaster 1 3600 600 86400 60
     IN NS ns
ns   IN A 192.0.2.1
www  IN A 192.0.2.80
     IN AAAA 2001:db8::80
cloaked  IN CNAME x.tracker
*.tracker IN A 192.0.2.66
good.tracker IN A 192.0.2.67
inside   IN A 10.0.0.1
         IN AAAA ::ffff:127.0.0.1
alias    IN CNAME gateway.lab.internal.
lan      IN A 192.168.7.7
both     IN A 10.0.0.1
         IN A 192.0.2.81
$GENERATE 1-40 large IN TXT $-of-the-texts-that-don't-fit-512-bytes
`

// startNamed runs BIND on the LAN, authoritative for example.org.
func startNamed(t *testing.T, lan *nettest.Host) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "named.conf"), fmt.Sprintf(namedConf, dir))
	write(t, filepath.Join(dir, "example.org.zone"), exampleZone+resolverZone)
	write(t, filepath.Join(dir, "reverse.zone"), "$TTL 300\n@ SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60\n@ NS ns.example.org.\n34 PTR www.example.org.\n")
	_, output := lan.Start(t, "named", "-g", "-u", "root", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	nettest.Eventually(t, 20*time.Second, func() error {
		out, err := lan.Try("dig", "+short", "+time=1", "+tries=1", "@"+lanAddr, "www.example.org")
		if err != nil || !strings.Contains(out, "192.0.2.80") {
			return fmt.Errorf("named doesn't answer: %s%s", out, output())
		}
		return nil
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// binary is the built labnet.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("LABNET_BINARY"); path != "" {
		return path
	}
	path, err := filepath.Abs("../../bin/labnet")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("build the binary first (`make build`): %v", err)
	}
	return path
}

// configure writes the configuration that the following commands use.
func (l *lab) configure(t *testing.T, text string) {
	t.Helper()
	l.config = filepath.Join(l.dir, "labnet.hcl")
	write(t, l.config, text)
}

// args is a labnet command line with this lab's files.
func (l *lab) args(t *testing.T, args ...string) []string {
	t.Helper()
	return append([]string{
		cmp.Or(l.program, binary(t)), "-c", l.config, "--state-dir", filepath.Join(l.dir, "state"), "--run-dir", filepath.Join(l.dir, "run"),
	}, args...)
}

// labnet runs a verb on the router and returns its standard output.
func (l *lab) labnet(t *testing.T, args ...string) string {
	t.Helper()
	return l.router.Run(t, l.args(t, args...)...)
}

// tryLabnet is labnet for verbs that may fail; standard output and error come together.
func (l *lab) tryLabnet(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return l.router.Try(l.args(t, args...)...)
}

// daemon is a started `labnet run`.
type daemon struct {
	cmd    *exec.Cmd
	output func() string
}

// start runs the daemon and waits until it serves; it returns how long that took.
func (l *lab) start(t *testing.T, flags ...string) (*daemon, time.Duration) {
	t.Helper()
	d := &daemon{}
	begin := time.Now()
	run := l.args(t, append([]string{"run", "--log-level", "debug", "--log-format", "text"}, flags...)...)
	if l.runAs != nil {
		run[0] = filepath.Join(l.dir, "labnet")
	}
	d.cmd, d.output = l.router.Start(t, append(slices.Clone(l.runAs), run...)...)
	t.Cleanup(func() {
		for _, sign := range []string{"DATA RACE", "panic"} {
			if strings.Contains(d.output(), sign) {
				t.Errorf("the daemon's log has %q", sign)
			}
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", tail(d.output(), 200))
		}
	})
	if out, err := l.tryLabnet(t, "status", "--wait", "20s"); err != nil {
		t.Fatalf("the daemon doesn't serve: %v\n%s%s", err, out, d.output())
	}
	return d, time.Since(begin)
}

// stop ends the daemon by a signal and waits until it is gone.
func (l *lab) stop(t *testing.T, d *daemon, signal os.Signal) {
	t.Helper()
	pid := l.pid(t)
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 15*time.Second, func() error {
		if err := stillThere(pid); err != nil {
			return fmt.Errorf("%w: %s", err, tail(d.output(), 20))
		}
		return nil
	})
}

// stillThere reports a process that isn't gone: a zombie may have threads that still hold its sockets.
func stillThere(pid int) error {
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		return fmt.Errorf("process %d is still there", pid)
	}
	return nil
}

// pid is the daemon's own process id: `ip netns exec` execs it, but not every wrapper does.
func (l *lab) pid(t *testing.T) int {
	t.Helper()
	return l.status(t).PID
}

type status struct {
	State    string
	PID      int
	Problems []struct{ Summary, Remedy string }
}

func (l *lab) status(t *testing.T) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

type lease struct {
	Network, Address, MAC, Name, State string
	Reserved                           bool
	Expires                            time.Time
}

func (l *lab) leases(t *testing.T) []lease {
	t.Helper()
	var found []lease
	if err := json.Unmarshal([]byte(l.labnet(t, "leases", "-o", "json")), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
