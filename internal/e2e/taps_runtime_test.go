package e2e

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestTAPsAtRunTime makes TAPs and removes them; they survive whatever the daemon goes through, until they are removed.
func TestTAPsAtRunTime(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, tapsConfig)
	p := newPeople(t, l)
	d, _ := l.start(t)

	out := l.labnet(t, "taps", "add", "tap0", "tap1")
	mac := l.taps(t)["tap1"].MAC
	if want := "-netdev tap,id=net1,ifname=tap1,script=no,downscript=no -device virtio-net-pci,netdev=net1,mac=" + mac + "\n"; !strings.HasSuffix(out, want) || strings.Count(out, "\n") != 2 {
		t.Errorf("add prints\n%swithout %s", out, want)
	}
	if out := l.labnet(t, "taps", "args", "tap1", "--print", "libvirt"); !strings.Contains(out, "<mac address='"+mac+"'/>") || !strings.Contains(out, "<target dev='tap1' managed='no'/>") {
		t.Errorf("for libvirt: %s", out)
	}
	if out := l.labnet(t, "taps", "args", "tap-web"); !strings.Contains(out, "ifname=tap-web") || !strings.Contains(out, "mac=52:54:00:aa:00:10") {
		t.Errorf("for the file's: %s", out)
	}
	l.labnet(t, "taps", "add", "vm9", "--owner", "nobody", "--multi-queue", "--mac", "52:54:00:AA:00:99")
	l.router.Run(t, p.as(alice, []int{membersGroup}, p.labnet(t, l, "taps", "add", "tap-mine")...)...)

	for args, complaint := range map[string]string{
		"tap0":                               "there is a TAP tap0 already, in network \"lab\"",
		"br0":                                "is the bridge of network",
		"eth0":                               "there is already a link eth0",
		"tap-web":                            "the file has a tap",
		"tap2 tap3 tap0":                     "there is a TAP tap0 already",
		"tap2 --owner no-such-user":          "the user no-such-user, which this host doesn't know",
		"tap2 --host wev":                    `has no host "wev"`,
		"tap2 --host web":                    `the host "web" has a TAP already`,
		"tap2 --mac 53:54:00:00:00:01":       "of a group or of nobody",
		"tap2 --mac 52:54:00:aa:00:99":       "another guest",
		"tap2 --network dmz":                 `there is no network "dmz"`,
		"tap2-with-a-long-name":              "1 to 15 bytes",
		"tap2 tap2":                          "named twice",
		"tap2 tap3 --mac 52:54:00:00:00:01":  "for one TAP alone",
		"tap2 --mac 52:54:00:0:0:1 --host x": "either a mac or a host",
	} {
		if out, err := l.tryLabnet(t, append([]string{"taps", "add"}, strings.Fields(args)...)...); err == nil || !strings.Contains(out, complaint) {
			t.Errorf("add %s: %v %s; want %q", args, err, out, complaint)
		}
	}
	want := []string{"tap-mine", "tap-team", "tap-web", "tap0", "tap1", "vm9"}
	same := func(when string) {
		t.Helper()
		taps := l.taps(t)
		var names []string
		for name, row := range taps {
			if row.Bridge == "br0" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, want) || taps["tap1"].MAC != mac || taps["vm9"].Owner != "nobody" || taps["tap-mine"].Owner != "65432" {
			t.Errorf("%s: %+v", when, taps)
		}
		if plan := l.labnet(t, "plan"); plan != "" {
			t.Errorf("%s the plan isn't empty:\n%s", when, plan)
		}
	}
	same("at first")
	index := l.router.Run(t, "cat", "/sys/class/net/tap1/ifindex")
	l.stop(t, d, syscall.SIGKILL)
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("without a daemon the plan isn't empty:\n%s", plan)
	}
	d, _ = l.start(t)
	same("after kill -9")
	l.reload(t, d, "is reloaded")
	same("after a reload")
	if now := l.router.Run(t, "cat", "/sys/class/net/tap1/ifindex"); now != index {
		t.Errorf("tap1 is another one: %s, not %s", now, index)
	}
	l.labnet(t, "down")
	if out := l.router.Run(t, "ip", "-o", "link"); strings.Contains(out, "tap") || strings.Contains(out, "vm9") {
		t.Errorf("down leaves TAPs:\n%s", out)
	}
	d, _ = l.start(t)
	same("after down and run")

	// The file counts where it disagrees, and then no more.
	l.configure(t, strings.Replace(tapsConfig, `tap "tap-team"`, `tap "tap0"`, 1))
	l.reload(t, d, "is reloaded")
	if err := contains(d.output(), "a TAP that was made at run time is not there"); err != nil {
		t.Error(err)
	}
	if row := l.taps(t)["tap0"]; row.Obstacle == "" || !strings.Contains(row.Obstacle, `the file has a tap "tap0"`) {
		t.Errorf("tap0 stands twice, and the second one isn't: %+v", row)
	}
	l.configure(t, tapsConfig)
	l.reload(t, d, "is reloaded")
	same("after the file has changed its mind")

	// One that QEMU itself makes is attached by its name, and listed.
	openTAP(t, l.router, "tap-lab7")
	l.attached(t, "tap-lab7")
	if row := l.taps(t)["tap-lab7"]; row.Origin != "attached" || !row.InUse || row.Network != "lab" {
		t.Errorf("tap-lab7: %+v", row)
	}
	rows, err := csv.NewReader(strings.NewReader(l.labnet(t, "taps", "list", "--network", "lab", "-o", "csv"))).ReadAll()
	if err != nil || len(rows) != 8 || rows[0][0] != "name" || rows[1][0] != "tap-web" {
		t.Errorf("as CSV: %v %v", err, rows)
	}
	for _, format := range []string{"table", "wide", "ndjson", "yaml"} {
		if out := l.labnet(t, "taps", "-o", format); !strings.Contains(out, "tap-lab7") {
			t.Errorf("as %s:\n%s", format, out)
		}
	}
	if out, err := l.tryLabnet(t, "taps", "list", "--network", "dmz"); err == nil || !strings.Contains(out, `there is no network "dmz"`) {
		t.Errorf("of no network: %v %s", err, out)
	}

	if out, err := l.tryLabnet(t, "taps", "del", "tap0", "tap-none"); err == nil || !strings.Contains(out, `no TAP "tap-none" was made`) {
		t.Errorf("one that isn't: %v %s", err, out)
	}
	same2 := l.taps(t)
	if _, ok := same2["tap0"]; !ok {
		t.Error("half of it is removed")
	}
	if out := l.labnet(t, "taps", "del", "tap0", "tap1", "vm9", "tap-mine"); out != "removed tap0, tap1, vm9, tap-mine\n" {
		t.Errorf("del says %q", out)
	}
	if left := l.taps(t); len(left) != 3 {
		t.Errorf("left: %+v", left)
	}
	// A full disk: nothing is made that wouldn't be remembered.
	t.Run("full disk", func(t *testing.T) { l.addOnAFullDisk(t) })
}

// addOnAFullDisk makes the file of TAPs one that can't be replaced.
func (l *lab) addOnAFullDisk(t *testing.T) {
	t.Helper()
	path := l.dir + "/state/taps.json"
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path+"/in-the-way", 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := l.tryLabnet(t, "taps", "add", "tap5"); err == nil || !strings.Contains(out, "remembering which TAPs") {
		t.Errorf("add: %v %s", err, out)
	}
	if _, ok := l.taps(t)["tap5"]; ok {
		t.Error("tap5 is there, and isn't remembered")
	}
	if out, err := l.router.Try("ip", "link", "show", "tap5"); err == nil {
		t.Errorf("tap5 is there: %s", out)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	l.labnet(t, "taps", "add", "tap5")
}

// TestFiveHundredTAPs makes as many as a large lab has by one command, and removes them by one.
func TestFiveHundredTAPs(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, "network \"lab\" {\n  address = \"10.0.0.1/22\"\n}\n")
	d, _ := l.start(t, "--log-level", "warn")
	names := make([]string, 500)
	for i := range names {
		names[i] = fmt.Sprintf("tap-ci%d", i)
	}
	began := time.Now()
	l.labnet(t, append([]string{"taps", "add"}, names...)...)
	made := time.Since(began)
	if n := len(l.taps(t)); n != len(names) {
		t.Errorf("%d TAPs", n)
	}
	l.stop(t, d, syscall.SIGKILL)
	began = time.Now()
	l.start(t, "--log-level", "warn")
	again := time.Since(began)
	began = time.Now()
	l.labnet(t, append([]string{"taps", "del"}, names...)...)
	t.Logf("500 TAPs made in %v, found again by a new daemon in %v, removed in %v", made, again, time.Since(began))
	if n := len(l.taps(t)); n != 0 {
		t.Errorf("%d are left", n)
	}
}
