package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// TestTwoDaemonsOnOneStore starts a second daemon, on another host, with the state directory of the first: it says who has it, and
// changes neither its host nor the store.
func TestTwoDaemonsOnOneStore(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	if _, err := s.lease(swarmMAC(0), 10); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(l.dir, "state")
	// Until the lease is in the database, so that nothing moves any more.
	nettest.Eventually(t, limit, func() error {
		return contains(l.sqlite(t, "SELECT hwaddr FROM leases"), swarmMAC(0).String())
	})

	other := &lab{router: nettest.NewHost(t, "other"), dir: t.TempDir(), config: l.config}
	files, before := contents(t, state), hostdump.Take(t, other.router)
	args := []string{binary(t), "-c", l.config, "--state-dir", state, "--run-dir", filepath.Join(other.dir, "run")}
	out, err := other.router.Try(append(args, "run", "--log-format", "text")...)
	if err == nil {
		t.Fatalf("a second daemon runs on the same store:\n%s", out)
	}
	if want := fmt.Sprintf("in use by another labnet (process %d)", l.pid(t)); !strings.Contains(out, want) || !strings.Contains(out, state) {
		t.Errorf("it doesn't say %q and %s:\n%s", want, state, out)
	}
	if diff := hostdump.Diff(before, hostdump.Take(t, other.router)); diff != "" {
		t.Errorf("the refused run changed its host (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(files, contents(t, state)); diff != "" {
		t.Errorf("the refused run changed the store (-before +after):\n%s", diff)
	}
	// The first one goes on.
	for i := range 2 {
		if _, err := s.lease(swarmMAC(i), 10); err != nil {
			t.Error(err)
		}
	}
	for _, fault := range l.breaches(t, s.record()) {
		t.Error(fault)
	}
}

// contents are the files of a directory, but for shared memory, which readers write too.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-shm") {
			all[e.Name()] = read(t, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// sqlite asks or changes the lease database as a person does.
func (l *lab) sqlite(t *testing.T, statement string) string {
	t.Helper()
	return l.router.Run(t, "sqlite3", "-cmd", ".timeout 10000", filepath.Join(l.dir, "state", "leases.db"), statement)
}

// TestPoisonIsSetAside has records in the database that nobody can understand, one of them hostile to terminals: the daemon starts,
// names them, serves everybody else, and keeps them where a person finds them.
func TestPoisonIsSetAside(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	const clients, poisoned = 5, 2
	for i := range clients {
		if _, err := s.lease(swarmMAC(i), 10); err != nil {
			t.Fatal(err)
		}
	}
	l.stop(t, d, syscall.SIGTERM)
	l.sqlite(t, fmt.Sprintf("UPDATE leases SET state = 'promised' WHERE hwaddr = '%v'", swarmMAC(0)))
	l.sqlite(t, fmt.Sprintf("UPDATE leases SET client = char(27) || ']0;poison' || char(10) WHERE hwaddr = '%v'", swarmMAC(1)))
	var addrs []string
	for i := range poisoned {
		held, _ := s.giveBack(swarmMAC(i))
		addrs = append(addrs, held.addr.String())
	}

	d, _ = l.start(t)
	log := d.output()
	for _, addr := range addrs {
		if !strings.Contains(log, "set aside") || !strings.Contains(log, "lab "+addr) {
			t.Errorf("the log doesn't name %s", addr)
		}
	}
	if strings.Contains(log, "\x1b") {
		t.Error("the log has escape sequences from the database")
	}
	if found := l.leases(t); len(found) != clients-poisoned {
		t.Errorf("%d leases: %+v", len(found), found)
	}
	for _, fault := range l.breaches(t, s.record()) {
		t.Error(fault)
	}
	for i := poisoned; i < clients; i++ {
		held, _ := s.holds(swarmMAC(i))
		s.own(t, g.Host, held.addr)
		s.renewed(t, i, held.addr)
	}
	aside := l.sqlite(t, "SELECT reason, record FROM set_aside")
	for _, want := range append(addrs, "promised", swarmMAC(0).String(), swarmMAC(1).String()) {
		if !strings.Contains(aside, want) {
			t.Errorf("set_aside doesn't have %q:\n%s", want, aside)
		}
	}
	if left := l.sqlite(t, "SELECT count(*) FROM leases WHERE addr IN ('"+strings.Join(addrs, "', '")+"')"); left != "0\n" {
		t.Errorf("the poisoned records are still among the leases: %s", left)
	}
	// Who had them is served like anybody.
	for i := range poisoned {
		if _, err := s.lease(swarmMAC(i), 10); err != nil {
			t.Error(err)
		}
	}
	kill(t, l.pid(t))
	d, _ = l.start(t)
	if strings.Contains(d.output(), "set aside") {
		t.Error("the next start sets them aside again")
	}
	for _, fault := range append(l.breaches(t, s.record()), s.broken()...) {
		t.Error(fault)
	}
}
