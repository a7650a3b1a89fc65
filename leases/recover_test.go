package leases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labnet/leases/redolog"
	"labnet/leases/sqlitefile"
)

const (
	ruinLeases  = 2000
	ruinHistory = 3000
	ruinLogged  = 20
)

// ruin is a store as a crash leaves it, whole yet: leases, history, reservations, and leases that are in the redo log alone.
type ruin struct {
	path   string
	leases map[string]Lease // by address, as they were committed
	files  map[string][]byte
}

func newRuin(t *testing.T) *ruin {
	t.Helper()
	r := &ruin{path: filepath.Join(t.TempDir(), "leases.db"), leases: map[string]Lease{}}
	s := openStore(t, r.path)
	oldHistory(s)
	commit := func(batch []Lease) {
		t.Helper()
		if err := s.Commit(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		for _, l := range batch {
			r.leases[l.Addr.String()] = l
		}
	}
	all := crowdLeases(ruinLeases)
	for batch := range slices.Chunk(all, 500) {
		commit(batch)
	}
	flush(t, s) // the pages of the leases stand before those of the history
	shell(t, r.path, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO history (network, addr, client, hwaddr, name, state, since, until)
		SELECT 'lab', '10.1.0.' || (i %% 250), 'mac:52:54:00:00:00:01', '52:54:00:00:00:01', 'n' || i, 'expired', %d + i, %[2]d + i + 1 FROM n`, ruinHistory, epoch.Unix()))
	for i := range 5 {
		k := KeptReservation{Network: "lab", HWAddr: hw(i), Name: fmt.Sprint("r", i), Made: at(i)}
		if err := s.Reserve(context.Background(), k); err != nil {
			t.Fatal(err)
		}
	}
	// Neither part of the log has anything of all that any more.
	for range 3 {
		flush(t, s)
		commit(all[:1])
	}
	flush(t, s)
	s.checkpoint(context.Background())
	s.stop()
	<-s.stopped
	last := slices.Clone(all[:ruinLogged])
	for i := range last {
		last[i].State, last[i].Name, last[i].Expiry, last[i].LastSeen = Released, "", at(5000), at(5000)
	}
	commit(last)
	kill(t, s)
	r.files = r.read(t)
	return r
}

// read returns what is beside the database, but for the lock.
func (r *ruin) read(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(filepath.Dir(r.path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), ".lock") || strings.HasSuffix(e.Name(), "-shm") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(filepath.Dir(r.path), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = content
	}
	return files
}

// fresh puts the files back as the crash has left them.
func (r *ruin) fresh(t *testing.T) {
	t.Helper()
	r.path = filepath.Join(t.TempDir(), "leases.db")
	for name, content := range r.files {
		if err := os.WriteFile(filepath.Join(filepath.Dir(r.path), name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func same(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

func (r *ruin) write(t *testing.T, suffix string, at int64, text []byte) {
	t.Helper()
	f, err := os.OpenFile(r.path+suffix, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(text, at); err != nil {
		t.Fatal(err)
	}
}

// pagesOf are the numbers of pages whose cells have a text.
func (r *ruin) pagesOf(t *testing.T, text string) (pages []int64) {
	t.Helper()
	for i := 0; i+4096 <= len(r.files["leases.db"]); i += 4096 {
		if page := r.files["leases.db"][i : i+4096]; bytes.Contains(page, []byte(text)) && (page[0] == 10 || page[0] == 13) {
			pages = append(pages, int64(i/4096)+1)
		}
	}
	return pages
}

func (r *ruin) root(t *testing.T, table string) int64 {
	t.Helper()
	f, err := sqlitefile.Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	roots, _ := f.Roots()
	return int64(roots[table])
}

var garbage = bytes.Repeat([]byte("garbage!"), 512)

func TestRecover(t *testing.T) {
	r := newRuin(t)
	page := func(t *testing.T, number int64) { r.write(t, "", (number-1)*4096, garbage) }
	for _, c := range []struct {
		name    string
		damage  func(t *testing.T)
		problem string // part of what is wrong
		lost    string // part of what is said to be lost
		// How much must come back, at least.
		leases, history, reservations int
		// A daemon starts on it: at the start only what it can't do without is looked through.
		starts bool
	}{
		{
			"a page of the leases", func(t *testing.T) { page(t, r.pagesOf(t, "guest1234")[0]) },
			"", "table leases: 1 page can't be read, about ", ruinLeases - 60, ruinHistory, 5, false,
		},
		{
			"three pages of the leases", func(t *testing.T) {
				for _, n := range r.pagesOf(t, "udhcp 1.30.1")[3:6] {
					page(t, n)
				}
			},
			"", "table leases: 3 pages can't be read", ruinLeases - 180, ruinHistory, 5, false,
		},
		{"the root of the leases", func(t *testing.T) { page(t, r.root(t, "leases")) }, "", "table leases", ruinLeases - 60, ruinHistory, 5, false},
		{"a page of the history", func(t *testing.T) { page(t, r.pagesOf(t, "n1500")[0]) }, "", "table history: 1 page can't be read, about ", ruinLeases, ruinHistory - 120, 5, false},
		{"the root of the history", func(t *testing.T) { page(t, r.root(t, "history")) }, "", "table history", ruinLeases, ruinHistory, 5, false},
		{"the reservations", func(t *testing.T) { page(t, r.root(t, "reservations")) }, "", "table reservations: 1 page", ruinLeases, ruinHistory, 0, true},
		{"an index", func(t *testing.T) { page(t, r.root(t, "history_until")) }, "", "", ruinLeases, ruinHistory, 5, false},
		{"the header", func(t *testing.T) { r.write(t, "", 0, garbage[:100]) }, "not an SQLite file", "", ruinLeases, ruinHistory, 5, false},
		{"the first page", func(t *testing.T) { page(t, 1) }, "not an SQLite file", "where the tables begin", ruinLeases, ruinHistory, 5, false},
		{"everything but the header", func(t *testing.T) { r.write(t, "", 100, bytes.Repeat(garbage, 2000)) }, "", "", ruinLogged, 0, 0, false},
		{"where the log is", func(t *testing.T) { page(t, r.root(t, "redo_log")) }, "", "table redo_log", ruinLeases, ruinHistory, 5, false},
		{"truncated", func(t *testing.T) { must[int](t)(0, os.Truncate(r.path, int64(len(r.files["leases.db"])/2))) }, "", "", ruinLeases / 2, 0, 0, false},
		{"cut inside a page", func(t *testing.T) { must[int](t)(0, os.Truncate(r.path, int64(len(r.files["leases.db"])-100))) }, "middle of a page", "", ruinLeases, ruinHistory - 120, 5, true},
		{"empty", func(t *testing.T) { must[int](t)(0, os.Truncate(r.path, 0)) }, "empty", "", ruinLogged, 0, 0, false},
		{"another file", func(t *testing.T) { must[int](t)(0, os.WriteFile(r.path, []byte("#!/bin/sh\nexit 0\n"), 0o600)) }, "not an SQLite file", "", ruinLogged, 0, 0, false},
		{"its number", func(t *testing.T) { r.write(t, "", 68, []byte("else")) }, "another program", "", ruinLeases, ruinHistory, 5, false},
		{"missing", func(t *testing.T) { must[int](t)(0, os.Remove(r.path)) }, "it is missing", "", ruinLogged, 0, 0, false},
		{
			"a log of another database", func(t *testing.T) {
				other := newRuin(t)
				for _, n := range []string{"-redo1", "-redo2"} {
					must[int](t)(0, os.WriteFile(r.path+n, other.files["leases.db"+n], 0o600))
				}
			},
			"belongs to another database", "nothing of it is used", ruinLeases, ruinHistory, 5, false,
		},
		{
			"a log that lacks pieces", func(t *testing.T) {
				shell(t, r.path, "UPDATE redo_log SET moved = moved - 2")
				for _, seg := range r.segments(t)[:1] {
					r.dropSegment(t, seg)
				}
			},
			"older than the redo log", "what was leased after the database and before the redo log", ruinLeases, ruinHistory, 5, false,
		},
		{
			"a log that nobody understands", func(t *testing.T) {
				// The newest commit is of a form of its own, and whole.
				log := r.reopenLog(t)

				must[int](t)(0, log.Append([]byte{redoVersion + 1, 0, 0, 0, 0}))
				must[int](t)(0, log.Close())
			},
			"what this labnet can't read", "1 commit of the redo log can't be understood", ruinLeases, ruinHistory, 5, false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.fresh(t)
			c.damage(t)
			before := r.read(t)
			said, err := Recover(context.Background(), r.path, false, at(6000))
			if err != nil {
				t.Fatal(err)
			}
			if len(said.Problems) == 0 || !strings.Contains(strings.Join(said.Problems, "; "), c.problem) {
				t.Errorf("the problems are %q, want %q", said.Problems, c.problem)
			}
			if !strings.Contains(strings.Join(said.Lost, "; "), c.lost) || c.lost == "" && c.leases == ruinLeases && c.history == ruinHistory && len(said.Lost) > 0 {
				t.Errorf("lost is %q, want %q", said.Lost, c.lost)
			}
			if !same(before, r.read(t)) {
				t.Error("looking has changed something")
			}
			if opened, err := OpenSQLite(SQLiteConfig{Path: r.path}); (err == nil) != c.starts {
				t.Errorf("opening it: %v", err)
			} else if err == nil {
				_ = opened.Close()
				r.fresh(t)
				c.damage(t)
				before = r.read(t)
			} else if !strings.Contains(err.Error(), "labnet leases recover") && c.name != "its number" {
				t.Errorf("the refusal doesn't name the remedy: %v", err)
			} else if !same(before, r.read(t)) {
				t.Error("the refusal has changed something")
			}
			done, err := Recover(context.Background(), r.path, true, at(6000))
			if err != nil {
				t.Fatal(err)
			}
			if said.Leases != done.Leases || said.Bound != done.Bound || said.Reservations != done.Reservations || said.History > done.History || done.Dir != r.path+".damaged-20260102T044405Z" {
				t.Errorf("said %+v, done %+v", said, done)
			}
			r.check(t, done, c.leases, c.history, c.reservations)
			for name, content := range before {
				if kept, err := os.ReadFile(filepath.Join(done.Dir, name)); err != nil || !bytes.Equal(kept, content) {
					t.Errorf("%s isn't kept as it was: %v", name, err)
				}
			}
			again, err := Recover(context.Background(), r.path, true, at(7000))
			if err != nil || len(again.Problems) > 0 || again.Dir != "" {
				t.Errorf("once more: %+v, %v", again, err)
			}
		})
	}
}

// check opens what was recovered: at least so much must be there, and all as it was committed.
func (r *ruin) check(t *testing.T, said Recovery, leases, history, reservations int) {
	t.Helper()
	s, err := OpenSQLite(SQLiteConfig{Path: r.path, History: 200 * 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := load(t, s)
	for _, l := range found {
		if want := r.leases[l.Addr.String()]; l != want {
			// What was only in the log may be lost with it; then it is as it was before.
			was := crowdLeases(ruinLeases)[toUint(l.Addr)-toUint(ip("10.1.0.0"))]
			if l != was || len(said.Lost) == 0 {
				t.Errorf("%+v, want %+v", l, want)
			}
		}
	}
	if len(found) < leases || len(found) != said.Leases {
		t.Errorf("%d leases, want %d; %d are said", len(found), leases, said.Leases)
	}
	all, err := s.History(context.Background(), HistoryQuery{Match: func(t *Tenancy) bool { return t.State == "expired" }}, at(0))
	if got := len(told(t, all, err)); got < history || got > ruinHistory {
		t.Errorf("%d rows of history, want %d", got, history)
	}
	kept, bad, err := s.Reservations(context.Background())
	if err != nil || len(bad) > 0 || len(kept) < reservations || len(kept) != said.Reservations {
		t.Errorf("%d reservations, want %d; %v, %v", len(kept), reservations, bad, err)
	}
}

func TestNothingToRecover(t *testing.T) {
	r := newRuin(t)
	for _, setAside := range []bool{false, true} {
		got, err := Recover(context.Background(), r.path, setAside, at(6000))
		if err != nil || len(got.Problems) > 0 || got.Dir != "" || got.Leases != ruinLeases || got.History != ruinHistory || got.FromLog != ruinLogged {
			t.Errorf("what a crash leaves: %+v, %v", got, err)
		}
		if !same(r.files, r.read(t)) {
			t.Error("something has changed")
		}
	}
	if _, err := Recover(context.Background(), filepath.Join(t.TempDir(), "leases.db"), true, at(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where nothing is: %v", err)
	}
	s := openStore(t, r.path)
	if _, err := Recover(context.Background(), r.path, true, at(0)); err == nil || !strings.Contains(err.Error(), "in use by another labnet") {
		t.Errorf("while it is in use: %v", err)
	}
	must[int](t)(0, s.Close())
	for _, c := range []struct{ query, want string }{
		{"PRAGMA user_version = 99", "newer labnet (schema 99"},
		{"PRAGMA user_version = 3; PRAGMA application_id = 7; DROP TABLE history", "another program"},
	} {
		shell(t, r.path, c.query)
		before := r.read(t)
		if _, err := Recover(context.Background(), r.path, true, at(0)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.query, err)
		}
		if !same(before, r.read(t)) {
			t.Errorf("%s: something has changed", c.query)
		}
	}
}

// TestInterruptedRecovery stops a recovery at every step that it takes on the disk: the next one comes to the same, and no daemon starts in
// between on less.
func TestInterruptedRecovery(t *testing.T) {
	r := newRuin(t)
	ctx := context.Background()
	ruined := func() {
		r.fresh(t)
		r.write(t, "", (r.root(t, "leases")-1)*4096, garbage)
	}
	ruined()
	want, err := Recover(ctx, r.path, true, at(6000))
	if err != nil {
		t.Fatal(err)
	}
	stamp := at(6000).Format(stampFormat)
	suffixes := append(slices.Clip(besides), "")
	for moved := range len(suffixes) + 1 {
		ruined()
		before := r.read(t)
		// An earlier try was killed while it wrote.
		r.write(t, draftSuffix, 0, []byte("half a draft"))
		r.write(t, draftSuffix+"-journal", 0, []byte("half a journal"))
		s := salvage{path: r.path}
		must[int](t)(0, s.open(ctx))
		d := must[*draft](t)(newDraft(ctx, r.path))
		must[int](t)(0, errors.Join(s.read(d), d.fill(&s)))
		must[string](t)(d.complete(at(6000)))
		s.close()
		dir := r.path + damagedSuffix + stamp
		must[int](t)(0, os.Mkdir(dir, 0o700))
		for _, suffix := range suffixes[:moved] {
			if err := os.Rename(r.path+suffix, filepath.Join(dir, "leases.db"+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if s, err := OpenSQLite(SQLiteConfig{Path: r.path}); err == nil {
			_ = s.Close()
			t.Fatalf("%d moved: a daemon starts", moved)
		} else if !strings.Contains(err.Error(), "recover --set-aside") {
			t.Errorf("%d moved: %v", moved, err)
		}
		if got, err := Recover(ctx, r.path, false, at(9000)); err != nil || len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "interrupted") {
			t.Errorf("%d moved, looked at: %+v, %v", moved, got, err)
		}
		got, err := Recover(ctx, r.path, true, at(9000))
		if err != nil || got.Contents != want.Contents || got.Dir != dir {
			t.Errorf("%d moved: %+v, %v; want %+v", moved, got, err, want)
		}
		for name, content := range before {
			if kept, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("%d moved: %s isn't kept as it was: %v", moved, name, err)
			}
		}
		r.check(t, want, want.Leases, want.History-ruinLogged, 5)
		if left := slices.Collect(maps.Keys(r.read(t))); slices.ContainsFunc(left, func(n string) bool { return strings.Contains(n, "recover") }) {
			t.Errorf("%d moved: left behind: %q", moved, left)
		}
	}
}

// segments are those of the redo log, the older one first.
func (r *ruin) segments(t *testing.T) []redolog.Segment {
	t.Helper()
	segments, err := redolog.Read(r.path)
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	return segments
}

// dropSegment takes away the file of a segment.
func (r *ruin) dropSegment(t *testing.T, seg redolog.Segment) {
	t.Helper()
	must[int](t)(0, os.Remove(fmt.Sprintf("%s-redo%d", r.path, seg.Seq%2+1)))
}

// reopenLog makes the log anew, with what is in it, to be gone on with.
func (r *ruin) reopenLog(t *testing.T) *redolog.Log {
	t.Helper()
	segments := r.segments(t)
	last := segments[len(segments)-1]
	log := must[*redolog.Log](t)(redolog.Create(r.path, last.ID, last.Seq))
	for _, p := range last.Payloads {
		must[int](t)(0, log.Append(p))
	}
	return log
}
