package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

const adminsGroup = 70002

// TestWhoMayChangeThings: root and the members of api.admins change things, members of labnet look and have TAPs of their own, others do nothing;
// a reload changes who they are.
func TestWhoMayChangeThings(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, tapsConfig)
	p := newPeople(t, l)
	d, _ := l.start(t)
	const admin = 70200
	as := func(groups []int, args ...string) (string, error) {
		return l.router.Try(p.as(admin, groups, p.labnet(t, l, args...)...)...)
	}
	refused := func(groups []int, why string, args ...string) {
		t.Helper()
		if out, err := as(groups, args...); err == nil || !strings.Contains(out, why) {
			t.Errorf("%v with groups %v: %v %s; want %q", args, groups, err, out, why)
		}
	}
	done := func(groups []int, args ...string) {
		t.Helper()
		if out, err := as(groups, args...); err != nil {
			t.Errorf("%v with groups %v: %v %s", args, groups, err, out)
		}
	}
	const noDoor, notAllowed = "become a member of the group labnet", "only root"
	reserve := []string{"leases", "reserve", "52:54:00:00:07:07", "--address", "10.0.0.77"}

	refused(nil, noDoor, "status")
	refused([]int{adminsGroup}, noDoor, "status")
	done([]int{membersGroup}, "status")
	refused([]int{membersGroup}, notAllowed, reserve...)

	l.configure(t, tapsConfig+"\napi {\n  admins = [\"70002\"]\n}\n")
	l.reload(t, d, "is reloaded")
	refused(nil, noDoor, "status")
	done([]int{membersGroup}, "leases")
	refused([]int{membersGroup}, notAllowed, reserve...)
	refused([]int{membersGroup}, notAllowed, "cache", "flush")
	done([]int{adminsGroup}, "status")
	done([]int{adminsGroup}, reserve...)
	done([]int{adminsGroup, membersGroup}, "cache", "flush")
	// TAPs of others, and for others, with any name.
	l.router.Run(t, p.as(alice, []int{membersGroup}, p.labnet(t, l, "taps", "add", "tap-alice")...)...)
	done([]int{membersGroup}, "taps", "add", "tap-mine")
	refused([]int{membersGroup}, "isn't yours", "taps", "del", "tap-alice")
	refused([]int{membersGroup}, notAllowed, "taps", "add", "tap-his", "--owner", "nobody")
	done([]int{adminsGroup}, "taps", "add", "vm8", "--owner", "nobody")
	done([]int{adminsGroup}, "taps", "del", "tap-alice")
	if mine := l.taps(t)["tap-mine"]; mine.Owner != "70200" {
		t.Errorf("the member's TAP belongs to %q", mine.Owner)
	}

	// The right ends with the reload that takes it away.
	l.configure(t, tapsConfig+"\napi {\n  admins = [\"no-such-group\"]\n}\n")
	l.reload(t, d, "is reloaded")
	refused([]int{adminsGroup}, noDoor, "status")
	refused([]int{adminsGroup, membersGroup}, notAllowed, "leases", "unreserve", "52:54:00:00:07:07")
	if out := l.labnet(t, "status"); !strings.Contains(out, "degraded") || !strings.Contains(out, `the group "no-such-group", which doesn't exist`) {
		t.Errorf("the status doesn't speak of the group: %s", out)
	}
	// Also where the file's permissions are lost: who may speak, the daemon decides.
	if err := os.Chmod(filepath.Join(l.dir, "run", "labnet.sock"), 0o666); err != nil {
		t.Fatal(err)
	}
	refused(nil, "you may not speak to this daemon", "status")
	refused([]int{adminsGroup}, "you may not speak to this daemon", "down")
	done([]int{membersGroup}, "status")

	// A restart finds the groups of the file again.
	l.configure(t, tapsConfig+"\napi {\n  admins = [\"70002\"]\n}\n")
	l.stop(t, d, os.Interrupt)
	l.start(t)
	done([]int{adminsGroup}, "down")
}
