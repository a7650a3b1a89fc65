package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

type tapRow struct {
	Name, Network, Origin, Owner, Group, MAC, Host, Bridge, Process, Address, Guest, Obstacle, Waits string

	InUse bool `json:"in_use"`
	PID   int
}

func (l *lab) taps(t *testing.T) map[string]tapRow {
	t.Helper()
	var list []tapRow
	if err := json.Unmarshal([]byte(l.labnet(t, "taps", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]tapRow{}
	for _, row := range list {
		found[row.Name] = row
	}
	return found
}

const tapsConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*", "tap-lab*"]
  }
  host "web" {
    mac     = "52:54:00:aa:00:10"
    address = "10.0.0.10"
  }
  tap "tap-web" {
    owner = 65432
    host  = "web"
  }
  tap "tap-team" {
    group = 64001
  }
}
`

// says waits for a line of a program.
func says(t *testing.T, output func() string, want string) {
	t.Helper()
	nettest.Eventually(t, limit, func() error { return contains(output(), want) })
}

// TestAnOwnerOpensItsTAP: a user without privilege starts a machine on the TAP that names him as its owner, and nobody else does.
func TestAnOwnerOpensItsTAP(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, tapsConfig)
	p := newPeople(t, l)
	d, _ := l.start(t)
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("after the start the plan isn't empty:\n%s", plan)
	}
	web := l.taps(t)["tap-web"]
	if web.Owner != "65432" || web.MAC != "52:54:00:aa:00:10" || web.Bridge != "br0" || web.InUse || web.Origin != "file" {
		t.Errorf("tap-web before: %+v", web)
	}
	for _, c := range []struct {
		who    string
		uid    int
		groups []int
		tap    string
	}{
		{"another user", bob, nil, "tap-web"},
		{"a member of the group that may ask the daemon", bob, []int{membersGroup}, "tap-web"},
		{"the owner of another TAP", alice, nil, "tap-team"},
	} {
		out, err := l.router.Try(p.as(c.uid, c.groups, p.machine(), c.tap, web.MAC, "thief")...)
		if err == nil || !strings.Contains(out, "operation not permitted") {
			t.Errorf("%s opens %s: %v, %s", c.who, c.tap, err, out)
		}
	}
	machine, said := l.router.Start(t, p.as(alice, nil, p.machine(), "tap-web", web.MAC, "web")...)
	says(t, said, "leased 10.0.0.10\n")
	_, team := l.router.Start(t, p.as(bob, []int{64001}, p.machine(), "tap-team", "52:54:00:aa:00:11", "team")...)
	says(t, team, "leased 10.0.0.")

	taps := l.taps(t)
	web, group := taps["tap-web"], taps["tap-team"]
	if !web.InUse || web.Process != fakeQEMU || web.PID == 0 || web.Address != "10.0.0.10" || web.Guest != "web" {
		t.Errorf("tap-web: %+v", web)
	}
	// What a guest does counts, not what it was meant to do.
	if group.Guest != "team" || group.Group != "64001" || group.Owner != "" || group.MAC == "52:54:00:aa:00:11" {
		t.Errorf("tap-team: %+v", group)
	}

	// Somebody else's from now on, while the machine runs: that is refused, and the machine goes on.
	l.configure(t, strings.Replace(tapsConfig, "65432", "65433", 1))
	log := l.reload(t, d, "is not reloaded")
	for _, want := range []string{"the TAP tap-web is in use by fake-qemu (pid ", "user 65432 instead of user 65433"} {
		if err := contains(log, want); err != nil {
			t.Error(err)
		}
	}
	before := strings.Count(said(), "acked")
	nettest.Eventually(t, limit, func() error {
		if strings.Count(said(), "acked") <= before {
			return errorOf("the machine hears nothing any more")
		}
		return nil
	})
	if err := machine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		if l.taps(t)["tap-web"].InUse {
			return errorOf("still in use")
		}
		return nil
	})
	l.reload(t, d, "is reloaded")
	if web := l.taps(t)["tap-web"]; web.Owner != "65433" || web.Bridge != "br0" {
		t.Errorf("tap-web after: %+v", web)
	}
	// The lease is its guest's, whoever starts it.
	_, said = l.router.Start(t, p.as(bob, nil, p.machine(), "tap-web", web.MAC, "web")...)
	says(t, said, "leased 10.0.0.10\n")
}

// TestRunOnATAP: who may ask the daemon starts a machine on a TAP of his own, which is gone with the machine, as are its lease and its name.
func TestRunOnATAP(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, tapsConfig)
	p := newPeople(t, l)
	d, _ := l.start(t)
	member := []int{membersGroup}
	run := func(uid int, groups []int, args ...string) []string {
		return p.as(uid, groups, p.labnet(t, l, append([]string{"taps", "run"}, args...)...)...)
	}
	gone := func(tap, guest string) {
		t.Helper()
		nettest.Eventually(t, limit, func() error {
			if row, ok := l.taps(t)[tap]; ok {
				return fmt.Errorf("the TAP is still there: %+v", row)
			}
			if slices.ContainsFunc(l.leases(t), func(one lease) bool { return one.Name == guest && one.State == "bound" }) {
				return errorOf("the lease is still there")
			}
			if out, err := l.router.Try("ip", "link", "show", tap); err == nil {
				return errorOf("the link is still there: " + out)
			}
			return nil
		})
		if out := l.router.Run(t, "dig", "+short", "@10.0.0.1", guest+".lab.internal"); out != "" {
			t.Errorf("%s still resolves to %s", guest, out)
		}
	}

	_, said := l.router.Start(t, run(alice, member, "tap-a", "--", p.machine(), "{fd}", "{mac}", "a-{tap}")...)
	says(t, said, "tap-a with headers of 10 bytes, as descriptor 3\n")
	says(t, said, "leased 10.0.0.")
	row := l.taps(t)["tap-a"]
	if row.Origin != "run" || row.Owner != "65432" || row.Guest != "a-tap-a" || row.Process != fakeQEMU || !strings.HasPrefix(row.MAC, "52:54:00:") {
		t.Errorf("tap-a: %+v", row)
	}
	if out := l.router.Run(t, "dig", "+short", "@10.0.0.1", "a-tap-a.lab.internal"); strings.TrimSpace(out) != row.Address {
		t.Errorf("its name is %q, not %s", out, row.Address)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a second one", run(alice, member, "tap-a", "--", "true"), "the TAP tap-a is in use by fake-qemu (pid "},
		{"another's", run(bob, member, "tap-a", "--", "true"), "was made for a program of somebody else"},
		{"no member", run(bob, nil, "tap-b", "--", "true"), "become a member of the group labnet"},
		{"a name of the host's", run(bob, member, "eth0", "--", "true"), `begin with "tap", such as tap-eth0`},
		{"a TAP of the file that is another's", run(bob, member, "tap-web", "--", "true"), "is not for you to open: its owner is 65432"},
		{"no such network", run(bob, member, "tap-b", "--network", "dmz", "--", "true"), `there is no network "dmz"; there is: lab`},
		{"no such program", run(bob, member, "tap-b", "--", "no-such-program"), "executable file not found"},
		{"the MAC of a host", run(bob, member, "tap-b", "--mac", "52:54:00:aa:00:10", "--", "true"), "another guest of network"},
		{"the MAC of a guest", run(bob, member, "tap-b", "--mac", row.MAC, "--", "true"), "another guest of network"},
		{"a host's TAP", run(bob, member, "tap-b", "--host", "web", "--", "true"), "only root and api.admins say which host"},
		{"what runs", p.as(bob, member, p.labnet(t, l, "taps", "del", "tap-a")...), "the TAP tap-a isn't yours"},
		{"for another", p.as(bob, member, p.labnet(t, l, "taps", "add", "tap-b", "--owner", "root")...), "only root and api.admins make TAPs for others"},
		{"what runs, of oneself", p.as(alice, member, p.labnet(t, l, "taps", "del", "tap-a")...), "in use by fake-qemu"},
		{"of the file", l.args(t, "taps", "del", "tap-web"), "it is of the file"},
	} {
		if out, err := l.router.Try(c.args...); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, %s; want %q", c.name, err, out, c.want)
		}
	}
	if _, ok := l.taps(t)["tap-b"]; ok {
		t.Error("tap-b was made by a command that failed")
	}

	// The exit code and the signals are the program's own, and the arguments are filled in wherever they stand.
	out, err := l.router.Try(run(alice, member, "tap-c", "--no-vnet-hdr", "--", "sh", "-c", `echo "[x{fd}y {tap}]"; exit 7`)...)
	if exitCode(err) != 7 || !strings.Contains(out, "[x3y tap-c]") {
		t.Errorf("the program's exit code is %d: %s", exitCode(err), out)
	}
	gone("tap-c", "none")

	// One that was made to stay stays.
	l.router.Run(t, p.as(alice, member, p.labnet(t, l, "taps", "add", "tap-keep")...)...)
	if out := l.router.Run(t, run(alice, member, "tap-keep", "--", "echo", "{tap} {mac}")...); strings.TrimSpace(out) != "tap-keep "+l.taps(t)["tap-keep"].MAC {
		t.Errorf("on a TAP of one's own: %s", out)
	}

	// However the machine ends, its TAP goes: by kill -9; while the daemon is killed and started anew; while there is no daemon.
	if err := syscall.Kill(row.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone("tap-a", "a-tap-a")

	_, said = l.router.Start(t, run(bob, member, "tap-a", "--no-vnet-hdr", "--", p.machine(), "{fd}", "{mac}", "again")...)
	says(t, said, "tap-a with headers of 0 bytes, as descriptor 3\n")
	says(t, said, "leased 10.0.0.")
	pid := l.taps(t)["tap-a"].PID
	l.stop(t, d, syscall.SIGKILL)
	d, _ = l.start(t)
	before := strings.Count(said(), "acked")
	nettest.Eventually(t, limit, func() error {
		if strings.Count(said(), "acked") <= before {
			return errorOf("the machine hears nothing of the new daemon")
		}
		return nil
	})
	if row := l.taps(t)["tap-a"]; row.Origin != "run" || row.Owner != "65433" || row.PID != pid || row.Guest != "again" {
		t.Errorf("tap-a after a restart: %+v", row)
	}
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("after a restart the plan isn't empty:\n%s", plan)
	}
	l.stop(t, d, syscall.SIGKILL)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.start(t)
	gone("tap-a", "again")
	if row := l.taps(t)["tap-keep"]; row.Origin != "runtime" || row.Owner != "65432" || row.Bridge != "br0" {
		t.Errorf("tap-keep: %+v", row)
	}
}
