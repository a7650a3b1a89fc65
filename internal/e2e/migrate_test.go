package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

// movedConfig is what the servers of these tests have, too: the bridge's address, the range, the time.
const movedConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    lease_time = "1h"
    range {
      start = "10.0.0.50"
      end   = "10.0.0.199"
    }
  }
}
`

// TestMovingFromDnsmasq, …Kea and …ISC let another server give out leases, import its file, and let its clients renew and restart: each
// keeps its address. Then they go back to that server, with what labnet exports.
func TestMovingFromDnsmasq(t *testing.T) { moveThereAndBack(t, dnsmasqServer, true) }
func TestMovingFromKea(t *testing.T)     { moveThereAndBack(t, keaServer, false) }
func TestMovingFromISC(t *testing.T)     { moveThereAndBack(t, iscServer, false) }

func moveThereAndBack(t *testing.T, kind rivalKind, running bool) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, movedConfig)
	c := newClients(t, l)

	leases := filepath.Join(l.dir, "leases.of."+kind.format)
	server := l.startRival(t, kind, leases, "10.0.0.189")
	c.lease(t)
	server.stop(t)

	var d *daemon
	if running {
		d, _ = l.start(t)
	}
	want := fmt.Sprintf("%d imported, 0 unchanged, 0 refused, 0 bad\n", len(c.addrs))
	if dry := l.labnet(t, "leases", "import", "--dry-run", leases); !strings.HasPrefix(dry, strings.TrimSpace(want)) {
		t.Errorf("a dry run says %q, want %q", dry, want)
	}
	if out := l.labnet(t, "leases", "import", leases); out != want {
		text, _ := os.ReadFile(leases)
		t.Errorf("import says %q, want %q, of\n%s", out, want, text)
	}
	if out := l.labnet(t, "leases", "import", leases); !strings.HasPrefix(out, fmt.Sprintf("0 imported, %d unchanged, 0 refused", len(c.addrs))) {
		t.Errorf("the second import says %q", out)
	}
	if !running {
		d, _ = l.start(t)
	}
	c.keepOut(t, "labnet after "+kind.format)
	c.stay(t, "labnet after "+kind.format)
	c.named(t)
	if counters := l.counters(t); counters.sum("nak_") != 0 || counters["ack_adopted"] != 0 || counters.sum("clone_") != 0 {
		t.Errorf("some clients weren't known: %v", counters)
	}

	l.stop(t, d, syscall.SIGTERM)
	// Some more of the kinds that there are; and without a daemon it all comes from the store.
	write(t, filepath.Join(l.dir, "more.json"), moreLeases)
	if out := l.labnet(t, "leases", "import", filepath.Join(l.dir, "more.json")); out != "2 imported, 0 unchanged, 2 ended and kept in mind, 0 refused, 0 bad\n" {
		t.Errorf("import says %q", out)
	}
	c.addrs["forever"] = "10.0.0.190"
	write(t, leases, l.labnet(t, "leases", "export", "--format", kind.format))
	l.labnet(t, "down")
	l.startRival(t, kind, leases, "10.0.0.199")
	c.keepOut(t, kind.format+" after labnet")
	c.stay(t, kind.format+" after labnet")
}

// moreLeases is one that never ends, an address that rests, and leases that have ended.
const moreLeases = `[
  {"address": "10.0.0.190", "mac": "52:54:00:bb:00:00", "client_id": "mac:52:54:00:bb:00:00", "state": "bound", "hostname": "forever"},
  {"address": "10.0.0.191", "mac": "52:54:00:bb:00:01", "client_id": "arp:52:54:00:bb:00:01", "state": "declined", "expires": "2099-01-01T00:00:00Z"},
  {"address": "10.0.0.192", "mac": "52:54:00:bb:00:02", "client_id": "ff:22:5c:0a:3b", "state": "expired", "expires": "2020-01-01T00:00:00Z"},
  {"address": "10.0.0.193", "mac": "52:54:00:bb:00:03", "client_id": "mac:52:54:00:bb:00:03", "state": "released", "expires": "2020-01-01T00:00:00Z"}
]
`

// rivalKind is another DHCP server.
type rivalKind struct {
	format string // of its lease file
	// command writes what it needs to dir, and returns its command line: in the foreground, on br0, with the lease file leases, and
	// addresses from 10.0.0.50 to last.
	command func(t *testing.T, dir, leases, last string) []string
	ready   string // what it logs when it serves
	// complaints are in its log if it doesn't understand its lease file.
	complaints []string
}

var (
	dnsmasqServer = rivalKind{"dnsmasq", func(t *testing.T, dir, leases, last string) []string {
		return []string{
			"dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--bind-interfaces", "--user=root", "--pid-file=",
			"--dhcp-authoritative", "--no-ping", "--dhcp-range=10.0.0.50," + last + ",1h", "--dhcp-leasefile=" + leases,
		}
	}, "DHCP, sockets bound", []string{"invalid", "error"}}

	keaServer = rivalKind{"kea", func(t *testing.T, dir, leases, last string) []string {
		conf := filepath.Join(dir, "kea.json")
		write(t, conf, fmt.Sprintf(`{"Dhcp4": {
  "interfaces-config": {"interfaces": ["br0"]}, "valid-lifetime": 3600, "authoritative": true,
  "lease-database": {"type": "memfile", "persist": true, "name": %q, "lfc-interval": 0},
  "subnet4": [{"id": 1, "subnet": "10.0.0.0/24", "pools": [{"pool": "10.0.0.50 - %s"}]}],
  "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]
}}`, leases, last))
		return []string{"env", "KEA_PIDFILE_DIR=" + dir, "KEA_LOCKFILE_DIR=" + dir, "kea-dhcp4", "-c", conf}
	}, "DHCP4_STARTED", []string{"ROW_ERROR", "LEASE_SANITY", " ERROR "}}

	iscServer = rivalKind{"isc", func(t *testing.T, dir, leases, last string) []string {
		conf := filepath.Join(dir, "dhcpd.conf")
		write(t, conf, `authoritative;
ddns-update-style none;
default-lease-time 3600;
max-lease-time 3600;
ping-check false;
set vendor-class-identifier = option vendor-class-identifier;
subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.0.50 `+last+`; }
`)
		if _, err := os.Stat(leases); err != nil {
			write(t, leases, "")
		}
		return []string{"dhcpd", "-4", "-f", "-d", "-cf", conf, "-lf", leases, "-pf", filepath.Join(dir, "dhcpd.pid"), "br0"}
	}, "Server starting service.", []string{" line ", "orrupt", "abandon"}}
)

// rival is a server that runs in place of labnet, on a bridge of its own.
type rival struct {
	stop func(t *testing.T)
}

// startRival makes the bridge with the guests' ports, and starts the server.
func (l *lab) startRival(t *testing.T, kind rivalKind, leases, last string) rival {
	t.Helper()
	l.router.Run(t, "ip", "link", "add", "br0", "type", "bridge")
	l.router.Run(t, "ip", "address", "add", "10.0.0.1/24", "dev", "br0")
	l.router.Run(t, "ip", "link", "set", "br0", "up")
	for i := range clientGuests {
		l.router.Run(t, "ip", "link", "set", fmt.Sprintf("vm%d", i), "master", "br0")
	}
	cmd, output := l.router.Start(t, kind.command(t, l.dir, leases, last)...)
	nettest.Eventually(t, limit, func() error {
		if !strings.Contains(output(), kind.ready) {
			return fmt.Errorf("%s doesn't serve:\n%s", kind.format, output())
		}
		return nil
	})
	for _, complaint := range kind.complaints {
		if strings.Contains(output(), complaint) {
			t.Errorf("%s complains:\n%s", kind.format, output())
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s says:\n%s", kind.format, tail(output(), 60))
		}
	})
	return rival{func(t *testing.T) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		gone(t, kind.format, cmd.Process)
		l.router.Run(t, "ip", "link", "del", "br0")
	}}
}

// gone waits until a process that was ended is no more.
func gone(t *testing.T, name string, process *os.Process) {
	t.Helper()
	nettest.Eventually(t, limit, func() error {
		if err := process.Signal(syscall.Signal(0)); err == nil {
			return fmt.Errorf("%s is still there", name)
		}
		return nil
	})
}

// TestImportBesideADaemon: without the daemon's socket nobody writes into its store, and what it has imported survives kill -9.
func TestImportBesideADaemon(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, movedConfig)
	file := filepath.Join(l.dir, "more.json")
	write(t, file, moreLeases)
	d, _ := l.start(t)
	elsewhere := filepath.Join(l.dir, "elsewhere.sock")
	for _, args := range [][]string{{"leases", "import", file}, {"leases", "import", "--dry-run", file}, {"leases", "export"}} {
		args = append(args, "--socket", elsewhere)
		want := fmt.Sprintf("a daemon (pid %d) runs here, but not on %s; name its socket with --socket", l.pid(t), elsewhere)
		if out, err := l.tryLabnet(t, args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v, %s", args, err, out)
		}
		// In another network namespace it isn't seen, but its store is in use.
		if out, err := l.lan.Try(l.args(t, args...)...); err == nil || !strings.Contains(out, "in use by another labnet") {
			t.Errorf("%v from elsewhere: %v, %s", args, err, out)
		}
	}
	if out := l.labnet(t, "leases", "import", file); !strings.HasPrefix(out, "2 imported, 0 unchanged, 2 ended") {
		t.Errorf("import says %q", out)
	}
	l.stop(t, d, syscall.SIGKILL)
	l.start(t)
	if found := l.leases(t); len(found) != 4 {
		t.Errorf("after kill -9: %+v", found)
	}
}
