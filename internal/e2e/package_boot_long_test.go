//go:build long

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// systemdLimit is for the boot of a whole Debian in an emulated machine, and for all that it then does.
const systemdLimit = 20 * time.Minute

const scenarioUnit = `[Unit]
After=labnet.service
[Service]
ExecStart=/bin/sh /root/scenario
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
`

// TestPackageBoots lets systemd run the package as it is installed, in a Debian of its own: what only systemd can show.
func TestPackageBoots(t *testing.T) {
	nettest.NeedRoot(t)
	kernel, path := os.Getenv("LABNET_KERNEL"), os.Getenv("LABNET_PACKAGE")
	if kernel == "" || path == "" {
		t.Fatal("LABNET_KERNEL or LABNET_PACKAGE isn't set: run this by `make test-long`")
	}
	host := nettest.NewHost(t, "builder")
	r := newDebianRoot(t, host)
	place := func(name, source string) {
		t.Helper()
		host.Run(t, "cp", "-a", source, filepath.Join(r.dir, name))
	}
	place("root/labnet.deb", path)
	t.Log(r.run(t, "dpkg", "-i", "/root/labnet.deb"))
	place("usr/lib", filepath.Join(kernel, "lib/modules"))
	releases, err := os.ReadDir(filepath.Join(kernel, "lib/modules"))
	if err != nil || len(releases) != 1 {
		t.Fatalf("the kernel's modules: %v, %v", releases, err)
	}
	r.run(t, "depmod", releases[0].Name())
	place("root/busybox", filepath.Join(kernel, "bin/busybox"))
	place("root/scenario", "testdata/kernel/debian")
	place("root/ask", "testdata/kernel/ask")
	write(t, filepath.Join(r.dir, "root/udhcpc"), strings.Replace(read(t, "testdata/kernel/udhcpc"), "/bin/busybox", "/root/busybox", 1))
	if err := os.Chmod(filepath.Join(r.dir, "root/udhcpc"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.dir, "etc/labnet/labnet.hcl"), labConfig)
	write(t, filepath.Join(r.dir, "root/bridged.hcl"), bridgedConfig)
	write(t, filepath.Join(r.dir, "etc/systemd/system/scenario.service"), scenarioUnit)
	dropIn := filepath.Join(r.dir, "etc/systemd/system/labnet.service.d")
	if err := os.MkdirAll(dropIn, 0o755); err != nil {
		t.Fatal(err)
	}
	// So that it needn't be waited for so long; and an emulated machine may take minutes to start it.
	write(t, filepath.Join(dropIn, "test.conf"), "[Service]\nWatchdogSec=30s\nTimeoutStartSec=infinity\n")
	r.run(t, "systemctl", "enable", "scenario.service")

	image := filepath.Join("/run", host.Name+".image")
	t.Cleanup(func() { _ = os.Remove(image) })
	if out, err := exec.Command("mkfs.ext4", "-q", "-d", r.dir, image, "1500M").CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	boot := func() machine {
		return bootFor(t, systemdLimit, "scenario=debian systemd.unit=multi-user.target systemd.show_status=no systemd.mask=serial-getty@ttyS0.service",
			"-drive", "file="+image+",format=raw,if=virtio,cache=unsafe")
	}
	m := boot()
	says := func(name string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if text := m.ok(t, name); !strings.Contains(text, want) {
				t.Errorf("%s: no %q in:\n%s", name, want, text)
			}
		}
	}
	says("booted", "active")
	says("service", "User=labnet", "WatchdogUSec=30s", "FileDescriptorStoreMax=4096", "NoNewPrivileges=yes")
	says("privileges", "CapEff:\t0000000000003400", "CapBnd:\t0000000000003400", "Seccomp:\t2")
	says("cycles")
	says("lease", "bound to 10.0.0.")
	addr := strings.Fields(strings.SplitN(m.ok(t, "lease"), "bound to ", 2)[1])[0]
	says("name", addr)
	says("ping", "1 packets received")
	says("taps", "ifname=tap7")
	says("watchdog", "Watchdog timeout")
	sockets := m.ok(t, "sockets")
	if sockets == "" {
		t.Error("DNS has no sockets")
	}
	kept := func(name string) {
		t.Helper()
		if now := m.ok(t, name); now != sockets {
			t.Errorf("%s: DNS has other sockets than before: inodes\n%s, not\n%s", name, now, sockets)
		}
	}
	kept("sockets-watchdog")
	says("leases", addr, "vm1", "bound")
	says("name-again", addr)
	if m.find(t, "reload-broken").code == 0 {
		t.Error("a broken file is reloaded")
	}
	says("why", "labnet.hcl:1", "adress")
	says("unharmed", addr)
	says("reload")
	says("reloaded", "10.0.0.9")
	says("restart")
	says("restarted")
	says("took-over", `"takeover"`, `"pause_ms"`)
	kept("sockets-restarted")
	says("upgrade", "Setting up labnet")
	says("upgraded")
	says("upgrade-took-over", `"takeover"`, `"pause_ms"`)
	kept("sockets-upgraded")
	says("asked", " answered, 0 lost")
	says("down", "br0")
	if text := m.find(t, "inactive").text; !strings.HasPrefix(text, "inactive") {
		t.Errorf("after down the service is %s", text)
	}
	says("start-bridged")
	says("apply", "labnet confirm")
	says("stands-by", "labnet-rollback@", "active", "running")
	says("moved", "192.0.2.2/24")
	says("back", "eth0    inet 192.0.2.2/24")
	says("down-bridged")
	says("start")
	t.Logf("the daemon serves %v after the kernel's start; systemd keeps %s sockets; of the questions meanwhile %s; the journal:\n%s", m.find(t, "booted").begin,
		strings.TrimSpace(m.ok(t, "stored")), strings.TrimSpace(m.ok(t, "asked")), m.find(t, "journal").text)
	m.healthy(t)

	m = boot()
	says("rebooted", "active")
	says("bridge", "10.0.0.1/24")
	says("leases-kept", addr, "vm1", "bound")
	says("name-kept", addr)
	says("remove", "Removing labnet", "br0")
	if gone := m.find(t, "gone"); gone.code == 0 {
		t.Errorf("the package's removal leaves:\n%s", gone.text)
	}
	says("plan", "+ link br0", "+ address 10.0.0.1/24", "+ table inet labnet", "+ table bridge labnet")
	t.Logf("after a reboot the daemon serves %v after the kernel's start; the journal:\n%s", m.find(t, "rebooted").begin, m.find(t, "journal").text)
	m.healthy(t)
}
