package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// refuses runs the daemon, which must end with an error that says all of want, and leaves nothing on the host.
func (l *lab) refuses(t *testing.T, want ...string) {
	t.Helper()
	links, rules := l.router.Run(t, "ip", "-d", "address"), l.router.Run(t, "nft", "list", "ruleset")
	out, err := l.tryLabnet(t, "run", "--log-format", "text")
	if err == nil {
		t.Fatalf("the daemon runs, though it should say %q", want)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("the refusal doesn't say %q:\n%s", w, out)
		}
	}
	if now := l.router.Run(t, "ip", "-d", "address"); now != links {
		t.Errorf("the refused run changed the links:\n%s\nbefore:\n%s", now, links)
	}
	if now := l.router.Run(t, "nft", "list", "ruleset"); now != rules {
		t.Errorf("the refused run changed the rules:\n%s", now)
	}
}

func TestAWrongFileIsRefused(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  brigde {\n  }\n}\n")
	l.refuses(t, "labnet.hcl", "3", "brigde", "bridge")
	l.config = filepath.Join(l.dir, "missing.hcl")
	l.refuses(t, "missing.hcl", "labnet init routed")
}

func TestASecondDaemonIsRefused(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	pid := l.pid(t)
	out, err := l.router.Try(binary(t), "-c", l.config, "--state-dir", t.TempDir(), "--run-dir", t.TempDir(), "run")
	if err == nil || !strings.Contains(out, "pid "+itoa(pid)) {
		t.Errorf("a second daemon: %v\n%s", err, out)
	}
	if l.status(t).PID != pid {
		t.Error("the first daemon doesn't answer any more")
	}
}

func TestATakenPortNamesItsOwner(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	cmd, _ := l.router.Start(t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=53", "--no-resolv", "--no-hosts")
	_ = cmd
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ss", "-lnup"), ":53 ") })
	l.refuses(t, "53", "dnsmasq")
}

func TestATakenDHCPPortNamesItsOwner(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.router.Start(t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--dhcp-range=192.0.2.50,192.0.2.60")
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ss", "-lnup"), ":67 ") })
	l.refuses(t, "67", "dnsmasq")
}

func TestAnOverlappingSubnetIsRefused(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, `network "lab" { address = "192.0.2.129/25" }`+"\n")
	l.refuses(t, "192.0.2.2/24", "eth0", "/25 is free")
	l.configure(t, labConfig)
	l.router.Run(t, "ip", "link", "add", "tun9", "type", "veth", "peer", "name", "tun9-peer")
	l.router.Run(t, "ip", "link", "set", "tun9", "up")
	l.router.Run(t, "ip", "route", "add", "10.0.0.0/16", "dev", "tun9")
	l.refuses(t, "10.0.0.0/16", "tun9")
}

func TestAForeignBridgeIsRefused(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.router.Run(t, "ip", "link", "add", "br0", "type", "bridge")
	l.refuses(t, "br0")
}

func TestAnUnreadableDatabaseIsRefusedAndKept(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	db := filepath.Join(l.dir, "state", "leases.db")
	if err := os.MkdirAll(filepath.Dir(db), 0o755); err != nil {
		t.Fatal(err)
	}
	rubbish := strings.Repeat("this is not a database\n", 1000)
	write(t, db, rubbish)
	l.refuses(t, "leases.db")
	if read(t, db) != rubbish {
		t.Error("the unreadable database was touched")
	}
}

func TestNoPrivilegeNamesTheCapability(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	for _, dir := range []string{l.dir, filepath.Dir(l.dir), filepath.Dir(filepath.Dir(l.dir))} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	out, err := l.router.Try(append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"},
		l.args(t, "run")...)...)
	if err == nil || !strings.Contains(out, "CAP_NET_ADMIN") {
		t.Errorf("without privilege: %v\n%s", err, out)
	}
}

func TestWrongUseExits64(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	for _, args := range [][]string{{"staus"}, {"status", "extra"}, {"leases", "-o", "yml"}, {"--nonsense"}, {"init", "sideways"}} {
		out, err := l.tryLabnet(t, args...)
		if code := exitCode(err); code != 64 {
			t.Errorf("labnet %v exits %d, want 64: %s", args, code, out)
		}
	}
	out, _ := l.tryLabnet(t, "staus")
	if !strings.Contains(out, "status") {
		t.Errorf("no suggestion: %s", out)
	}
	if out, err := l.tryLabnet(t, "status"); exitCode(err) != 1 || !strings.Contains(out, "labnet run") {
		t.Errorf("status without a daemon: %v %s", err, out)
	}
}

func TestWhoSquatsTheInstanceSocketIsNamed(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.router.Start(t, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "nc", "-l", "-k", "-U", "@labnet/daemon")
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ss", "-lx"), "@labnet/daemon") })
	l.refuses(t, "@labnet/daemon", "65534")
	// Nor does it stand in the way of who takes a network down.
	if out, err := l.tryLabnet(t, "down"); err != nil || !strings.Contains(out, "nothing") {
		t.Errorf("down: %v\n%s", err, out)
	}
}
