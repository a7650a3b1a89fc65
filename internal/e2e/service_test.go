package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

const serviceUnit = "../../packaging/systemd/labnet.service"

// unitValues are all values of a key of a unit file.
func unitValues(t *testing.T, path, key string) (values []string) {
	t.Helper()
	for line := range strings.Lines(read(t, path)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			values = append(values, strings.TrimSpace(value))
		}
	}
	if len(values) == 0 {
		t.Fatalf("%s has no %s=", path, key)
	}
	return values
}

// unprivileged is how to start a program as systemd would by the unit: by its user, with its capabilities and no other.
func unprivileged(t *testing.T, unit string) []string {
	t.Helper()
	caps := func(key string) string {
		list := "-all"
		for _, name := range strings.Fields(unitValues(t, unit, key)[0]) {
			list += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
		}
		return list
	}
	// setpriv raises ambient capabilities last, and needs them inherited.
	return []string{
		"setpriv", "--reuid", unitValues(t, unit, "User")[0], "--regid", unitValues(t, unit, "Group")[0], "--init-groups",
		"--inh-caps", caps("AmbientCapabilities"), "--ambient-caps", caps("AmbientCapabilities"), "--bounding-set", caps("CapabilityBoundingSet"),
		"--no-new-privs", "--",
	}
}

// asService prepares what systemd would: the user, and the directories that are his. The lab's daemon then runs by the unit's privileges.
func (l *lab) asService(t *testing.T) {
	t.Helper()
	sysusers, err := filepath.Abs("../../packaging/systemd/labnet.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	makeLabnetGroup(t)
	l.router.Run(t, "systemd-sysusers", sysusers)
	// What a test makes is for root alone.
	l.dir = filepath.Join("/run", l.router.Name)
	for _, dir := range []string{l.dir, filepath.Join(l.dir, "state"), filepath.Join(l.dir, "run")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	letAllOpenTAPs(t, l.dir)
	l.router.Run(t, "cp", binary(t), filepath.Join(l.dir, "labnet"))
	l.router.Run(t, "chown", "labnet:labnet", filepath.Join(l.dir, "state"), filepath.Join(l.dir, "run"))
	l.runAs = unprivileged(t, serviceUnit)
}

// serviceConfig has something of everything that a daemon changes.
const serviceConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach         = ["vm*"]
    isolate_guests = true
  }
  tap "tap-web" {
    owner = "nobody"
  }
  host "web" {
    mac     = "52:54:00:00:00:10"
    address = "10.0.0.10"
  }
  publish "web" {
    protocol = "both"
    listen   = 8080
    host     = "web"
    port     = 80
  }
}
`

// TestServiceUserServesALab runs the daemon as the package does, without root: by the unit's user, capabilities and directories.
func TestServiceUserServesALab(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	busyRouter(t, l)
	g := l.newGuest(t, "guest", "vm1")
	g.Run(t, "sh", "-ec", "ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:10; ip link set eth0 up")
	before := settled(t, l.router)
	l.asService(t)
	l.configure(t, serviceConfig)
	notices := l.listenAsSystemd(t)
	d, _ := l.start(t)
	nettest.Eventually(t, limit, func() error { return contains(notices(), "READY=1") })
	pid := l.pid(t)
	status := read(t, fmt.Sprintf("/proc/%d/status", pid))
	for _, want := range []string{"CapEff:\t0000000000003400", "CapBnd:\t0000000000003400", "CapAmb:\t0000000000003400", "NoNewPrivs:\t1"} {
		if !strings.Contains(status, want+"\n") {
			t.Fatalf("the daemon has other privileges than the unit's, which are %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		t.Fatal("the daemon is root's")
	}
	if info, err := os.Stat(filepath.Join(l.dir, "run", "labnet.sock")); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the control socket: %v, %v", info, err)
	}
	if out := l.router.Run(t, "stat", "-c", "%U:%G", filepath.Join(l.dir, "run", "labnet.sock")); out != "labnet:labnet\n" {
		t.Errorf("the control socket is %s", out)
	}
	// Root's commands believe this daemon.
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("the plan isn't empty after run:\n%s", plan)
	}
	if out, err := l.tryLabnet(t, "run"); err == nil || !strings.Contains(out, fmt.Sprintf("another labnet (pid %d) runs", pid)) {
		t.Errorf("a second daemon: %v\n%s", err, out)
	}

	g.udhcpc(t)
	if got := g.leased(t)["address"]; got != "10.0.0.10" {
		t.Fatalf("the guest has %s", got)
	}
	if got := g.resolve(t, "web"); !slices.Equal(got, []string{"10.0.0.10"}) {
		t.Errorf("the guest resolves web to %v", got)
	}
	if got := g.resolve(t, "www.example.org"); !slices.Equal(got, []string{"192.0.2.80"}) {
		t.Errorf("the guest resolves www.example.org to %v", got)
	}
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
	answers(t, g.Host, 80, "web")
	leadsTo(t, l.lan, uplinkAddr+":8080", "web")

	l.labnet(t, "taps", "add", "tap7", "--owner", "nobody")
	if links := l.router.Run(t, "ip", "-o", "link", "show", "master", "br0"); !strings.Contains(links, " tap7:") || !strings.Contains(links, " tap-web:") {
		t.Errorf("the TAPs aren't on the bridge:\n%s", links)
	}
	l.labnet(t, "taps", "del", "tap7")

	told := len(d.output())
	l.router.Run(t, "nft", "delete", "table", "inet", "labnet")
	nettest.Eventually(t, limit, func() error { return contains(d.output()[told:], "+ table inet labnet") })
	l.router.Run(t, "ip", "link", "del", "br0")
	nettest.Eventually(t, limit, func() error { return contains(d.output()[told:], "+ link br0") })

	l.configure(t, strings.Replace(serviceConfig, "isolate_guests = true", "isolate_guests = false", 1))
	l.reload(t, d, "is reloaded")
	// systemd is told as long as the loops turn, three times within its limit.
	beats := strings.Count(notices(), "WATCHDOG=1")
	nettest.Eventually(t, limit, func() error {
		if now := strings.Count(notices(), "WATCHDOG=1"); now < beats+2 {
			return fmt.Errorf("the watchdog was told %d times, and then %d times", beats, now)
		}
		return nil
	})

	l.stop(t, d, syscall.SIGTERM)
	if err := contains(notices(), "STOPPING=1"); err != nil {
		t.Error(err)
	}
	// What root does meanwhile is no obstacle.
	l.labnet(t, "leases", "export")
	l.labnet(t, "down")
	if diff := hostdump.Diff(before, settled(t, l.router)); diff != "" {
		t.Errorf("the host isn't what it was before:\n%s", diff)
	}
	l.belongsToService(t)
	l.start(t)
	if got := l.leases(t); len(got) != 1 || got[0].Address != "10.0.0.10" {
		t.Errorf("after down and run the leases are %+v", got)
	}
	l.labnet(t, "down")
	if diff := hostdump.Diff(before, settled(t, l.router)); diff != "" {
		t.Errorf("with the daemon, the host isn't what it was before:\n%s", diff)
	}
}

// belongsToService looks for files of the state that the service couldn't use.
func (l *lab) belongsToService(t *testing.T) {
	t.Helper()
	if out := l.router.Run(t, "find", filepath.Join(l.dir, "state"), "!", "-user", "labnet"); out != "" {
		t.Errorf("not the service's:\n%s", out)
	}
}

// listenAsSystemd takes what the daemon tells systemd, by whose protocol it is then started: sd_notify(3), sd_watchdog_enabled(3).
func (l *lab) listenAsSystemd(t *testing.T) (notices func() string) {
	t.Helper()
	path := filepath.Join(l.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	var heard strings.Builder
	var mu sync.Mutex
	go func() {
		buffer := make([]byte, 1<<10)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			heard.Write(append(buffer[:n:n], '\n'))
			mu.Unlock()
		}
	}()
	l.runAs = append(slices.Clone(l.runAs), "env", "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=1000000")
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return heard.String()
	}
}

// TestServiceUserTakesOverAnUplink moves an uplink to and fro, where the daemon is the service's and the commands are root's.
func TestServiceUserTakesOverAnUplink(t *testing.T) {
	nettest.NeedRoot(t)
	l, s := newBridgedLab(t, bridgedConfig)
	l.asService(t)
	l.configure(t, bridgedConfig)
	before := sortedRoutes(settled(t, l.router))
	d, _ := l.start(t)

	// The way back by the process that stands by, which is root's.
	l.labnet(t, "apply", "--confirm-within", "10m")
	l.belongsToService(t)
	s.lives(t, "on the bridge")
	l.labnet(t, "rollback")
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "the change of the uplink went back") })
	l.belongsToService(t)
	if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after the rollback the host isn't what it was:\n%s", diff)
	}

	l.confirmBridge(t)
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "the change of the uplink is confirmed") })
	l.belongsToService(t)
	l.stop(t, d, syscall.SIGKILL)
	d, _ = l.start(t)
	told := len(d.output())
	l.router.Run(t, "ip", "address", "del", uplinkAddr+"/24", "dev", "br0")
	nettest.Eventually(t, limit, func() error { return contains(d.output()[told:], "repaired") })
	s.lives(t, "after a repair")
	l.labnet(t, "down")
	s.lives(t, "after down")
	if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
}

// TestServiceUnits holds the units to what they promise.
func TestServiceUnits(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	for _, name := range []string{"labnet.service", "labnet-rollback@.service"} {
		text := read(t, filepath.Join(filepath.Dir(serviceUnit), name))
		// Neither the binary nor its manual is installed here.
		text = strings.ReplaceAll(text, "/usr/bin/labnet", "/bin/true")
		text = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(text, "")
		write(t, filepath.Join(dir, strings.Replace(name, "@", "@x", 1)), text)
	}
	router := nettest.NewHost(t, "router")
	units := []string{filepath.Join(dir, "labnet.service"), filepath.Join(dir, "labnet-rollback@x.service")}
	if out, err := router.Try(append([]string{"systemd-analyze", "verify", "--man=no"}, units...)...); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// In tenths: systemd 252 gives 2.1 for the service, of which 1.1 are network, packets and netlink, which it is there for.
	if out, err := router.Try("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=25", units[0]); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
