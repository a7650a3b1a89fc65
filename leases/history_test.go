package leases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// told is tenancies in short, times as seconds after epoch.
func told(t testing.TB, all iter.Seq2[Tenancy, error], err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for one, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		until := "…"
		if !one.Until.IsZero() {
			until = fmt.Sprint(int(one.Until.Sub(epoch).Seconds()))
		}
		lines = append(lines, fmt.Sprintf("%s %v %s %s %s %d-%s", one.Network, one.Addr, one.Client, one.Name, one.State, int(one.Since.Sub(epoch).Seconds()), until))
	}
	return lines
}

// life commits what becomes of leases, one change a time.
func life(t testing.TB, s *SQLite, changes ...func(l *Lease)) {
	t.Helper()
	for _, change := range changes {
		l := stored(10)
		change(&l)
		if err := s.Commit(context.Background(), []Lease{l}); err != nil {
			t.Fatal(err)
		}
	}
}

// oldHistory keeps rows that are older than the present from being removed.
func oldHistory(s *SQLite) {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	s.nextPrune = time.Now().Add(time.Hour)
}

var aLife = []func(l *Lease){
	func(*Lease) {},
	func(l *Lease) { l.LastSeen, l.Expiry = at(60), at(3660) }, // renewed
	func(l *Lease) { l.LastSeen, l.Expiry, l.Name = at(100), at(3700), "renamed" },
	func(l *Lease) { l.LastSeen, l.Expiry, l.Name = at(150), at(3750), "renamed" },
	func(l *Lease) { l.LastSeen, l.Expiry, l.Name, l.HWAddr = at(200), at(3800), "renamed", hw(99) },
	func(l *Lease) { l.LastSeen, l.Expiry, l.Name, l.State = at(300), at(300), "", Released },
	func(l *Lease) {
		l.ID, l.Name, l.Start, l.LastSeen, l.Expiry = guest(11, "").ID, "other", at(400), at(400), at(500)
	},
	func(l *Lease) {
		l.ID, l.Name, l.State, l.Start, l.LastSeen, l.Expiry = guest(11, "").ID, "", Expired, at(400), at(400), at(500)
	},
	func(l *Lease) {
		l.ID, l.Name, l.Start, l.LastSeen, l.Expiry = guest(12, "").ID, "third", at(600), at(600), at(9999)
	},
	func(l *Lease) {
		l.ID, l.Name, l.Start, l.LastSeen, l.Expiry = guest(13, "").ID, "rom", at(700), at(700), at(9999)
	},
	func(l *Lease) {
		l.ID, l.Name, l.State, l.Start, l.LastSeen, l.Expiry = guest(13, "").ID, "", Declined, at(700), at(800), at(1400)
	},
	func(l *Lease) {
		l.ID, l.Name, l.Start, l.LastSeen, l.Expiry = guest(14, "").ID, "last", at(2000), at(2000), at(5600)
	},
	func(l *Lease) {
		l.ID, l.Name, l.Start, l.LastSeen, l.Expiry = guest(14, "").ID, "last2", at(2000), at(2500), at(6100)
	},
}

var aLifeTold = []string{
	"lab 192.0.2.10 mac:52:54:00:00:00:0a guest10 changed 0-100",
	"lab 192.0.2.10 mac:52:54:00:00:00:0a renamed changed 100-200",
	"lab 192.0.2.10 mac:52:54:00:00:00:0a renamed released 200-300",
	"lab 192.0.2.10 mac:52:54:00:00:00:0b other expired 400-500",
	"lab 192.0.2.10 mac:52:54:00:00:00:0c third replaced 600-700",
	"lab 192.0.2.10 mac:52:54:00:00:00:0d rom declined 700-800",
	"lab 192.0.2.10 mac:52:54:00:00:00:0e last changed 2000-2500",
	"lab 192.0.2.10 mac:52:54:00:00:00:0e last2 bound 2500-…",
}

func TestHistory(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		q    HistoryQuery
		now  int
		want []string
	}{
		{"all", HistoryQuery{}, 3000, aLifeTold},
		{"of an address", HistoryQuery{Addrs: netip.MustParsePrefix("192.0.2.10/32")}, 3000, aLifeTold},
		{"of a prefix", HistoryQuery{Addrs: netip.MustParsePrefix("192.0.2.8/29")}, 3000, aLifeTold},
		{"of another address", HistoryQuery{Addrs: netip.MustParsePrefix("192.0.2.1/32")}, 3000, nil},
		{"of another network", HistoryQuery{Network: "dmz"}, 3000, nil},
		{"since the end of one", HistoryQuery{From: at(500)}, 3000, aLifeTold[4:]},
		{"since before the end of one", HistoryQuery{From: at(499)}, 3000, aLifeTold[3:]},
		{"until the begin of one", HistoryQuery{To: at(400)}, 3000, aLifeTold[:3]},
		{"at a second", HistoryQuery{From: at(199), To: at(200)}, 3000, aLifeTold[1:2]},
		{"at a second when nobody had it", HistoryQuery{From: at(300), To: at(301)}, 3000, nil},
		{"at a second of one that is bound", HistoryQuery{Addrs: netip.MustParsePrefix("192.0.2.10/32"), From: at(2600), To: at(2601)}, 3000, aLifeTold[7:]},
		{"by what it is", HistoryQuery{Match: func(t *Tenancy) bool { return t.Name == "other" }}, 3000, aLifeTold[3:4]},
		{
			"with one that has ended and isn't written",
			HistoryQuery{From: at(6000)},
			6100,
			[]string{"lab 192.0.2.10 mac:52:54:00:00:00:0e last2 expired 2500-6100"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "leases.db")
			s := openStore(t, path)
			oldHistory(s)
			life(t, s, aLife...)
			all, err := s.History(ctx, c.q, at(c.now))
			if diff := cmp.Diff(c.want, told(t, all, err)); diff != "" {
				t.Errorf("asked the store (-want +got):\n%s", diff)
			}
			all, err = ReadHistory(ctx, path, c.q, at(c.now))
			if diff := cmp.Diff(c.want, told(t, all, err)); diff != "" {
				t.Errorf("read beside it (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHistoryWithWhatIsInTheLog: what can't be moved into the database is part of the history all the same, for who asks the store and for
// who reads beside it or after a crash.
func TestHistoryWithWhatIsInTheLog(t *testing.T) {
	ctx := context.Background()
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		path := filepath.Join(t.TempDir(), "leases.db")
		s := openStore(t, path)
		s.stop() // nobody moves but this test
		<-s.stopped
		oldHistory(s)
		moves := random.IntN(len(aLife))
		life(t, s, aLife[:moves]...)
		flush(t, s)
		if random.IntN(2) == 0 && moves < len(aLife) {
			life(t, s, aLife[moves])
			s.mu.Lock()
			s.ended = &segment{Ended: s.redo.Turn()}
			s.mu.Unlock()
			moves++
		}
		life(t, s, aLife[moves:]...)
		s.dbMu.Lock()
		s.setErr(errDisk)
		s.dbMu.Unlock()
		all, err := s.History(ctx, HistoryQuery{}, at(3000))
		if diff := cmp.Diff(aLifeTold, told(t, all, err)); diff != "" {
			t.Fatalf("%d moved, asked the store (-want +got):\n%s", moves, diff)
		}
		all, err = ReadHistory(ctx, path, HistoryQuery{}, at(3000))
		if diff := cmp.Diff(aLifeTold, told(t, all, err)); diff != "" {
			t.Fatalf("%d moved, read beside it (-want +got):\n%s", moves, diff)
		}
		kill(t, s)
		all, err = ReadHistory(ctx, path, HistoryQuery{}, at(3000))
		if diff := cmp.Diff(aLifeTold, told(t, all, err)); diff != "" {
			t.Fatalf("%d moved, read after a crash (-want +got):\n%s", moves, diff)
		}
		again := openStore(t, path) // it moves what is left, under the real clock
		oldHistory(again)
	}
}

// TestHistoryInPages: many rows with one end, more than a page, while more of them come.
func TestHistoryInPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	oldHistory(s)
	const rows = 2*historyPage + 7
	shell(t, path, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO history (network, addr, client, hwaddr, name, state, since, until)
		SELECT 'lab', '192.0.2.' || (i %% 7), 'mac:0' || (i %% 7), '', 'n' || i, 'expired', %d + i / 3, %[2]d + i / 1500 * 1000 FROM n`, rows, epoch.Unix()))
	life(t, s, aLife[0])
	for _, q := range []HistoryQuery{{}, {Addrs: netip.MustParsePrefix("192.0.2.0/32")}} {
		all, err := s.History(context.Background(), q, at(10))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		count := 0
		for one, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			seen[one.Name]++
			if count++; count == 100 {
				life(t, s, aLife[5]) // what was bound when it began is bound in it to the end
			}
		}
		want := rows + 1
		if q.Addrs.IsValid() {
			want = rows / 7
		}
		if count != want || len(seen) != want {
			t.Errorf("%d rows of %d names, want %d", count, len(seen), want)
		}
		life(t, s, aLife[0])
	}
}

// TestSlowReaderOfTheHistory: it holds up neither commits nor moves, nor SQLite's log.
func TestSlowReaderOfTheHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	oldHistory(s)
	shell(t, path, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
		INSERT INTO history (network, addr, client, hwaddr, name, state, since, until) SELECT 'lab', '192.0.2.9', 'mac:01', '', '', 'expired', %d, %[1]d + i FROM n`, epoch.Unix()))
	all, err := s.History(context.Background(), HistoryQuery{}, at(10))
	if err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(all)
	defer stop()
	if _, err, ok := next(); err != nil || !ok {
		t.Fatal(err)
	}
	batch := make([]Lease, 500)
	for i := range batch {
		batch[i] = stored(10)
		batch[i].Addr = toAddr(toUint(ip("192.0.2.0")) + uint32(i))
	}
	for range 100 { // it reads nothing meanwhile
		if err := s.Commit(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() > 4<<20 {
		t.Errorf("the WAL after 50,000 leases: %v, %v", info.Size(), err)
	}
	if _, err, ok := next(); err != nil || !ok {
		t.Error("the reader can't go on:", err)
	}
}

func TestReadHistoryRefuses(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "leases.db")
	if _, err := ReadHistory(ctx, path, HistoryQuery{}, at(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no database: %v", err)
	}
	if err := os.WriteFile(path, []byte("something else entirely"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHistory(ctx, path, HistoryQuery{}, at(0)); err == nil || !strings.Contains(err.Error(), "not an SQLite file") {
		t.Errorf("no SQLite file: %v", err)
	}
	newer := filepath.Join(dir, "newer.db")
	if err := openStore(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	shell(t, newer, "PRAGMA user_version = 99")
	if _, err := ReadHistory(ctx, newer, HistoryQuery{}, at(0)); err == nil || !strings.Contains(err.Error(), "newer labnet") {
		t.Errorf("a newer one: %v", err)
	}
}

// TestMigratedIsFresh: a database of each older version ends with the schema of a new one.
func TestMigratedIsFresh(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "leases.db")
	if err := openStore(t, fresh).Close(); err != nil {
		t.Fatal(err)
	}
	objects := func(path string) []string {
		lines := strings.Split(shell(t, path, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"), "\n")
		return slices.DeleteFunc(lines, func(l string) bool { return l == "" })
	}
	for _, version := range []string{"1", "2"} {
		path := filepath.Join(t.TempDir(), "leases.db")
		text, err := os.ReadFile(filepath.Join("testdata", "schema"+version+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		shell(t, path, string(text))
		s := openStore(t, path)
		oldHistory(s)
		life(t, s, aLife...)
		all, err := s.History(context.Background(), HistoryQuery{}, at(3000))
		if diff := cmp.Diff(aLifeTold, told(t, all, err)); diff != "" {
			t.Errorf("version %s (-want +got):\n%s", version, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(objects(fresh), objects(path)); diff != "" {
			t.Errorf("from version %s (-new +migrated):\n%s", version, diff)
		}
	}
}

// TestHistoryIsKeptAsLongAsItShall: none at all, and changed while the store is open.
func TestHistoryIsKeptAsLongAsItShall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s, err := OpenSQLite(SQLiteConfig{Path: path, History: NoHistory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	rows := func(want int) {
		t.Helper()
		flush(t, s)
		if got := shell(t, path, "SELECT count(*) FROM history"); got != fmt.Sprint(want) {
			t.Errorf("%s rows of history, want %d", got, want)
		}
	}
	life(t, s, aLife...)
	rows(0)
	s.KeepHistory(200 * 365 * 24 * time.Hour)
	life(t, s, aLife...)
	rows(len(aLifeTold)) // one more: the last one of before is changed by the first
	s.KeepHistory(time.Minute)
	life(t, s, aLife[:2]...)
	rows(0)
	s.KeepHistory(NoHistory)
	life(t, s, aLife...)
	rows(0)
	if got := shell(t, path, "SELECT count(*) FROM leases"); got != "1" {
		t.Errorf("%s leases, want 1", got)
	}
}
