//go:build long

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// debianRoot is a fresh Debian with processes of its own, as a container's, in the network of a host.
type debianRoot struct {
	dir  string
	host *nettest.Host
	init int // the process id of its first process
}

// newDebianRoot has the files of LABNET_ROOT, and forgets what is changed.
func newDebianRoot(t *testing.T, host *nettest.Host) *debianRoot {
	t.Helper()
	lower := os.Getenv("LABNET_ROOT")
	if lower == "" {
		t.Fatal("LABNET_ROOT isn't set: run this by `make test-long`")
	}
	base := filepath.Join("/run", host.Name+"-root")
	r := &debianRoot{dir: filepath.Join(base, "root"), host: host}
	upper, work := filepath.Join(base, "upper"), filepath.Join(base, "work")
	for _, dir := range []string{r.dir, upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", r.dir, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(r.dir, unix.MNT_DETACH) })
	write(t, filepath.Join(r.dir, "etc/resolv.conf"), "nameserver "+lanAddr+"\n")
	cmd, _ := host.Start(t, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--root="+r.dir, "--mount-proc", "sh", "-c", "mount -t tmpfs run /run && exec sleep infinity")
	nettest.Eventually(t, limit, func() error {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if err != nil {
			return err
		}
		if r.init, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return fmt.Errorf("the root has no first process: %q", text)
		}
		return contains(read(t, fmt.Sprintf("/proc/%d/comm", r.init)), "sleep")
	})
	return r
}

// command is a command line in the root.
func (r *debianRoot) command(args ...string) []string {
	return append([]string{
		"nsenter", "-t", strconv.Itoa(r.init), "--mount", "--pid", "--root", "--wd=/",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
	}, args...)
}

func (r *debianRoot) run(t *testing.T, args ...string) string {
	t.Helper()
	return r.host.Run(t, r.command(args...)...)
}

// files are all that there is, but for what every installation of every package changes.
func (r *debianRoot) files(t *testing.T) (names []string) {
	t.Helper()
	others := []string{"var/lib/dpkg", "var/log", "var/cache", "proc", "run", "etc/.pwd.lock", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "root"}
	err := fs.WalkDir(os.DirFS(r.dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if slices.Contains(others, name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// start starts the installed unit's daemon, as systemd would: by its line, user and capabilities, with its directories.
func (r *debianRoot) start(t *testing.T) (output func() string) {
	t.Helper()
	unit := filepath.Join(r.dir, "usr/lib/systemd/system/labnet.service")
	if _, err := os.Stat(filepath.Join(r.dir, unitValues(t, unit, "ConditionPathExists")[0])); err != nil {
		t.Fatalf("the unit's condition: %v", err)
	}
	owner := unitValues(t, unit, "User")[0] + ":" + unitValues(t, unit, "Group")[0]
	for _, kind := range []struct{ key, in string }{{"StateDirectory", "/var/lib"}, {"RuntimeDirectory", "/run"}} {
		dir := filepath.Join(kind.in, unitValues(t, unit, kind.key)[0])
		r.run(t, "mkdir", "-p", "-m", unitValues(t, unit, kind.key+"Mode")[0], dir)
		r.run(t, "chown", owner, dir)
	}
	line := r.command(append(unprivileged(t, unit), strings.Fields(unitValues(t, unit, "ExecStart")[0])...)...)
	_, output = r.host.Start(t, line...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", output())
		}
	})
	if out, err := r.host.Try(r.command("labnet", "status", "--wait", "20s")...); err != nil {
		t.Fatalf("the daemon doesn't serve: %v\n%s%s", err, out, output())
	}
	return output
}

// TestPackage installs the Debian package on a fresh Debian, lets it serve, upgrades, removes and purges it.
func TestPackage(t *testing.T) {
	nettest.NeedRoot(t)
	path := os.Getenv("LABNET_PACKAGE")
	if path == "" {
		t.Fatal("LABNET_PACKAGE isn't set: run this by `make test-long`")
	}
	l := newLab(t)
	g := l.newGuest(t, "guest", "vm1")
	r := newDebianRoot(t, l.router)
	before, fresh := settled(t, l.router), r.files(t)
	l.router.Run(t, "cp", path, filepath.Join(r.dir, "root/labnet.deb"))
	install := func() { t.Log(r.run(t, "dpkg", "-i", "/root/labnet.deb")) }

	install()
	if diff := hostdump.Diff(before, settled(t, l.router)); diff != "" {
		t.Errorf("installing it changes the network:\n%s", diff)
	}
	if out := r.run(t, "getent", "passwd", "labnet"); !strings.Contains(out, "nologin") {
		t.Errorf("the user is %s", out)
	}
	if _, err := os.Lstat(filepath.Join(r.dir, "etc/systemd/system/multi-user.target.wants/labnet.service")); err != nil {
		t.Errorf("the unit isn't enabled: %v", err)
	}
	for _, page := range []string{"man8/labnet.8.gz", "man8/labnet-leases-watch.8.gz", "man5/labnet.hcl.5.gz"} {
		if text := r.run(t, "zcat", filepath.Join("/usr/share/man", page)); !strings.Contains(text, ".SH NAME") {
			t.Errorf("%s is no page: %.100s", page, text)
		}
	}
	r.run(t, "bash", "-n", "/usr/share/bash-completion/completions/labnet")
	r.run(t, "labnet", "init", "routed")
	r.run(t, "labnet", "check")

	config := filepath.Join(r.dir, "etc/labnet/labnet.hcl")
	write(t, config, labConfig)
	r.start(t)
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	resolves := func(when string) {
		t.Helper()
		for name, want := range map[string]string{"guest": addr, "www.example.org": "192.0.2.80"} {
			if got := g.resolve(t, name); !slices.Equal(got, []string{want}) {
				t.Errorf("%s the guest resolves %s to %v, not %s", when, name, got, want)
			}
		}
	}
	resolves("after the start")
	up := settled(t, l.router)
	install()
	if diff := hostdump.Diff(up, settled(t, l.router)); diff != "" {
		t.Errorf("an upgrade changes the network:\n%s", diff)
	}
	resolves("after an upgrade")

	t.Log(r.run(t, "dpkg", "-r", "labnet"))
	if diff := hostdump.Diff(before, settled(t, l.router)); diff != "" {
		t.Errorf("after its removal the network isn't what it was:\n%s", diff)
	}
	var left []string
	for _, name := range r.files(t) {
		if !slices.Contains(fresh, name) {
			left = append(left, name)
		}
	}
	for _, name := range left {
		state := strings.HasPrefix(name, "var/lib/labnet") || strings.HasPrefix(name, "etc/labnet")
		// Whether it was enabled, for when it comes back.
		systemd := strings.HasPrefix(name, "var/lib/systemd/deb-systemd-helper") || strings.HasPrefix(name, "etc/systemd/system")
		if !state && !systemd {
			t.Errorf("its removal leaves %s", name)
		}
	}
	for _, kept := range []string{"etc/labnet/labnet.hcl", "var/lib/labnet/leases.db"} {
		if !slices.Contains(left, kept) {
			t.Errorf("its removal takes %s along", kept)
		}
	}

	t.Log(r.run(t, "dpkg", "-P", "labnet"))
	for _, name := range r.files(t) {
		if !slices.Contains(fresh, name) {
			t.Errorf("purging it leaves %s", name)
		}
	}
	for _, kind := range []string{"passwd", "group"} {
		if out, err := r.host.Try(r.command("getent", kind, "labnet")...); err == nil {
			t.Errorf("purging it leaves %s", out)
		}
	}
}
