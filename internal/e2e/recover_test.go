package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

// TestDamagedStoreIsRecovered: a daemon that had leases is killed and its database damaged. It refuses to start and says what to do; what can be
// read is saved, nothing is deleted, and the guests renew.
func TestDamagedStoreIsRecovered(t *testing.T) {
	nettest.NeedRoot(t)
	const clients = 150
	l := newLab(t)
	l.configure(t, wideConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	for i := range clients {
		if _, err := s.lease(swarmMAC(i), 10); err != nil {
			t.Fatal(err)
		}
	}
	l.labnet(t, "leases", "reserve", "52:54:00:99:99:99", "--address", "10.0.0.9")
	if out, err := l.tryLabnet(t, "leases", "recover"); err == nil || !strings.Contains(out, "in use by another labnet") {
		t.Errorf("while the daemon runs: %v: %s", err, out)
	}
	l.stop(t, d, syscall.SIGTERM)

	state := filepath.Join(l.dir, "state")
	path := filepath.Join(state, "leases.db")
	damageLeases(t, path)
	before := filesOf(t, state)
	out, err := l.tryLabnet(t, "run")
	if err == nil || !strings.Contains(out, "damaged (") || !strings.Contains(out, "labnet leases recover") {
		t.Fatalf("the daemon on a damaged store: %v: %s", err, out)
	}
	type recovery struct {
		Problems, Lost              []string
		Leases, Bound, Reservations int
		Aside                       string `json:"set_aside"`
	}
	look := func(flags ...string) (r recovery, err error) {
		t.Helper()
		var text []byte
		text, err = l.router.Command(t.Context(), l.args(t, append([]string{"leases", "recover", "-o", "json"}, flags...)...)...).Output()
		if decodeErr := json.Unmarshal(text, &r); decodeErr != nil {
			t.Fatalf("%v, %v: %s", err, decodeErr, text)
		}
		return r, err
	}
	said, err := look()
	if err == nil || len(said.Problems) == 0 || len(said.Lost) != 1 || said.Leases == 0 || said.Leases >= clients || said.Reservations != 1 {
		t.Errorf("what can be read: %v, %+v", err, said)
	}
	if after := filesOf(t, state); !equalFiles(before, after) {
		t.Error("looking has changed the store")
	}
	done, err := look("--set-aside")
	if err != nil || done.Leases != said.Leases || done.Bound != said.Bound {
		t.Fatalf("recovered: %v, %+v; it was said: %+v", err, done, said)
	}
	if kept := filesOf(t, done.Aside); !bytes.Equal(kept["leases.db"], before["leases.db"]) {
		t.Error("the damaged file isn't kept as it was")
	}

	l.start(t)
	bound := map[string]string{}
	for _, one := range l.leases(t) {
		if one.State == "bound" {
			bound[one.MAC] = one.Address
		}
	}
	if len(bound) != done.Bound {
		t.Errorf("%d leases are bound, want %d", len(bound), done.Bound)
	}
	if out := l.labnet(t, "leases", "reservations", "-o", "csv"); !strings.Contains(out, "52:54:00:99:99:99") {
		t.Errorf("the reservation is gone: %s", out)
	}
	recorded := s.record()
	for i := range clients {
		mac := swarmMAC(i)
		granted, ok := recorded[mac.String()]
		if !ok {
			t.Fatalf("client %d has no lease on record", i)
		}
		if bound[mac.String()] == "" { // it was on the damaged page
			if _, err := s.lease(mac, 10); err != nil {
				t.Errorf("client %d, whose lease was lost: %v", i, err)
			}
			continue
		}
		s.own(t, g.Host, granted.addr)
		reply, err := s.rebind(mac, granted.addr, 5)
		if err != nil || reply.YourIPAddr.String() != granted.addr.String() || bound[mac.String()] != granted.addr.String() {
			t.Errorf("client %d renews %v: %v, %v", i, granted.addr, reply, err)
		}
	}
}

// damageLeases overwrites a page of the table of leases.
func damageLeases(t *testing.T, path string) {
	t.Helper()
	const pageSize, leafOfIndex = 4096, 10
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := pageSize; at < len(content); at += pageSize {
		if content[at] == leafOfIndex && bytes.Count(content[at:at+pageSize], []byte("bound")) > 10 {
			copy(content[at:at+pageSize], bytes.Repeat([]byte("garbage!"), pageSize/8))
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no page of leases")
}

// filesOf is the database's files in a directory, but for the lock.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(dir, "leases.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, ".lock") }) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = content
	}
	return files
}

func equalFiles(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }
