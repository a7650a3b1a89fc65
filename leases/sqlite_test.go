package leases

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"labnet/internal/nettest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// role tells a test binary that was started by a test what to do in place of tests.
const role = "LABNET_LEASES_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "" {
		nettest.Main(m)
	}
	if err := commitForEver(os.Args[1]); err != nil {
		fmt.Println("error:", err)
	}
	os.Exit(1)
}

// commitForEver commits batch after batch, and prints each number when its commit has returned.
func commitForEver(path string) error {
	s, err := OpenSQLite(SQLiteConfig{Path: path})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := s.Commit(context.Background(), numbered(i)); err != nil {
			return err
		}
		fmt.Println("committed", i)
	}
}

// numbered is a batch that says its number in every address that it uses; three batches share them.
func numbered(i int) []Lease {
	var batch []Lease
	for host := range 5 {
		l := stored(10*(i%3) + host + 10)
		l.RequestedName = fmt.Sprint("batch", i)
		batch = append(batch, l)
	}
	return batch
}

func stored(host int) Lease {
	c := guest(host, "guest\x1b[31m\"\xff")
	return Lease{
		Network: "lab", Addr: ip(fmt.Sprintf("192.0.2.%d", host)), ID: c.ID, HWType: 1, HWAddr: c.HWAddr,
		Name: fmt.Sprintf("guest%d", host), State: Bound, Start: at(0), Expiry: at(3600), LastSeen: at(10),
		RequestedName: c.RequestedName, VendorClass: `udhcp\1`,
	}
}

func openStore(t testing.TB, path string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(SQLiteConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func load(t testing.TB, s Store) []Lease {
	t.Helper()
	leases, bad, err := s.Load(context.Background())
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	return leases
}

// flush moves what is in the redo log into the database.
func flush(t testing.TB, s *SQLite) {
	t.Helper()
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if err := s.moveAll(); err != nil {
		t.Fatal(err)
	}
	s.checkpoint(context.Background())
}

// shell asks the database as a person does.
func shell(t testing.TB, path, query string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", path, query).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 %s: %v: %s", query, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestSQLiteKeepsLeases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a directory?#%41", "leases.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	other := identified(20, "\xff\x00machine", "")
	want := []Lease{stored(10), stored(11), {
		Network: "other", Addr: ip("198.51.100.9"), ID: other.ID, HWType: 32, HWAddr: other.HWAddr, State: Declined,
		Start: at(1), Expiry: at(2), LastSeen: at(1), Reserved: true,
	}, {
		Network: "zoo", Addr: ip("198.51.100.9"), ID: ClientIDFromHardware(32, []byte{1}), State: Bound, Start: at(1), LastSeen: at(1),
	}}
	if err := s.Commit(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, load(t, s), sameAddr); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is there after Close: %v", err)
	}
	if diff := cmp.Diff(want, load(t, openStore(t, path)), sameAddr); diff != "" {
		t.Errorf("after opening it again (-want +got):\n%s", diff)
	}
}

func TestHistoryIsReadableBySQL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	commit := func(change func(l *Lease)) {
		l := stored(10)
		change(&l)
		if err := s.Commit(context.Background(), []Lease{l}); err != nil {
			t.Fatal(err)
		}
	}
	commit(func(l *Lease) {})
	flush(t, s)                                                                                       // the next look for old rows is in an hour: these are old
	commit(func(l *Lease) { l.Expiry = at(7200) })                                                    // a renewal
	commit(func(l *Lease) { l.Name, l.LastSeen = "renamed", at(100) })                                // its name changes
	commit(func(l *Lease) { l.State, l.Name, l.Expiry, l.LastSeen = Released, "", at(200), at(200) }) // it goes
	commit(func(l *Lease) { l.ID, l.Start, l.LastSeen = guest(11, "").ID, at(300), at(300) })         // another one comes
	commit(func(l *Lease) {
		l.ID, l.State, l.Start, l.Expiry, l.LastSeen = guest(11, "").ID, Expired, at(300), at(400), at(300)
	})
	flush(t, s)
	got := shell(t, path, `SELECT addr, client, name, state, since, until FROM tenancies ORDER BY until`)
	want := strings.TrimSpace(`
192.0.2.10|mac:52:54:00:00:00:0a|guest10|changed|2026-01-02 03:04:05|2026-01-02 03:05:45
192.0.2.10|mac:52:54:00:00:00:0a|renamed|released|2026-01-02 03:05:45|2026-01-02 03:07:25
192.0.2.10|mac:52:54:00:00:00:0b|guest10|expired|2026-01-02 03:09:05|2026-01-02 03:10:45`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if got := shell(t, path, "SELECT requested_name, datetime(expiry, 'unixepoch') FROM leases"); got !=
		`guest\x1b[31m\"\xff|2026-01-02 03:10:45` {
		t.Errorf("the table leases says %q", got)
	}
}

func TestHistoryIsPruned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	shell(t, path, `INSERT INTO history (network, addr, client, hwaddr, name, state, since, until) VALUES
		('lab', '192.0.2.9', 'mac:01', '', '', 'expired', unixepoch() - 9000000, unixepoch() - 8000000),
		('lab', '192.0.2.9', 'mac:01', '', '', 'expired', unixepoch() - 9000000, unixepoch() - 7000000)`)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if got := shell(t, path, "SELECT count(*) FROM history"); got != "1" {
		t.Errorf("%s rows of history are left of one of 81 and one of 93 days", got)
	}
}

func TestPoisonRowIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10), stored(11), stored(12)}); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	shell(t, path, `UPDATE leases SET client = 'what?' WHERE addr = '192.0.2.11'`)
	leases, bad, err := s.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Lease{stored(10), stored(12)}, leases, sameAddr); diff != "" {
		t.Errorf("the others (-want +got):\n%s", diff)
	}
	want := []BadRecord{{"lab 192.0.2.11", `client "what?": not bytes in hex, separated by colons`}}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
	if got := shell(t, path, "SELECT record ->> 'client' FROM set_aside"); got != "what?" {
		t.Errorf("set aside: %q", got)
	}
	load(t, s) // and it is said only once
}

func TestOpenRefuses(t *testing.T) {
	damage := func(from int64, text string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte(text), from); err != nil {
				t.Fatal(err)
			}
		}
	}
	sql := func(query string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { shell(t, path, query) }
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    string
	}{
		{"empty", func(t *testing.T, path string) { must[int](t)(0, os.Truncate(path, 0)) }, "damaged (empty): restore it"},
		{"truncated", func(t *testing.T, path string) { must[int](t)(0, os.Truncate(path, 5000)) }, "damaged ("},
		{"garbage", damage(0, strings.Repeat("garbage!", 1000)), "damaged (it is not an SQLite file): restore it"},
		{"damaged pages", damage(4096, strings.Repeat("garbage!", 4096)), "damaged ("},
		{"another program's", sql("PRAGMA application_id = 7"), "another program (application id 0x7)"},
		{"newer", sql("PRAGMA user_version = 99"), fmt.Sprintf("newer labnet (schema 99; this one knows %d)", schemaVersion)},
		{"a directory", func(t *testing.T, path string) {
			must[int](t)(0, os.Remove(path))
			must[int](t)(0, os.Mkdir(path, 0o700))
		}, "is a directory"},
		{"only its log", func(t *testing.T, path string) { must[int](t)(0, os.Rename(path, path+"-wal")) }, "its log"},
		{"only its name", func(t *testing.T, path string) {
			must[int](t)(0, os.Rename(filepath.Dir(path), filepath.Dir(path)+"2"))
		}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "leases.db")
			must[int](t)(0, os.Mkdir(filepath.Dir(path), 0o700))
			s := openStore(t, path)
			for i := range 20 {
				if err := s.Commit(context.Background(), numbered(i)); err != nil {
					t.Fatal(err)
				}
			}
			must[int](t)(0, s.Close())
			c.prepare(t, path)
			before, _ := os.ReadFile(path)
			_, err := OpenSQLite(SQLiteConfig{Path: path})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("opening it: %v; want %q and the file's name", err, c.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was touched")
			}
		})
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	openStore(t, path)
	_, err := OpenSQLite(SQLiteConfig{Path: path})
	if want := fmt.Sprintf("lease database %s: in use by another labnet (process %d)", path, os.Getpid()); err == nil || err.Error() != want {
		t.Errorf("second: %v, want %s", err, want)
	}
	child := exec.Command("/proc/self/exe", path)
	child.Env = append(os.Environ(), role+"=commit")
	out, _ := child.CombinedOutput()
	if !strings.Contains(string(out), "in use by another labnet") {
		t.Errorf("second process: %s", out)
	}
}

func TestKilledStoreKeepsWhatItCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	for round := range 5 {
		child := exec.Command("/proc/self/exe", path)
		child.Env = append(os.Environ(), role+"=commit")
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		last, lines := -1, bufio.NewScanner(out)
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "committed %d", &last); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			if last == 7+13*round {
				// It is somewhere in its next commit by the time that the signal comes.
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()
		if last < 7+13*round {
			t.Fatalf("the child ended after %d", last)
		}
		s, err := OpenSQLite(SQLiteConfig{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		leases := load(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		newest := make(map[string]int)
		for _, l := range leases {
			newest[l.RequestedName]++
		}
		for i := last - 2; i <= last; i++ {
			// Batch i may have been overwritten by batch i+3 only, which the child can't have begun to commit before i+2 was.
			if got := newest[fmt.Sprint("batch", i)]; got != 5 && (i > last-2 || newest[fmt.Sprint("batch", i+3)] != 5) {
				t.Errorf("round %d: %d of 5 leases of batch %d are there: %v", round, got, i, newest)
			}
		}
	}
}

// TestCommitSyncs proves by the order of system calls that the log is on the disk before Commit returns; being killed
// proves nothing of the kind.
func TestCommitSyncs(t *testing.T) {
	dir := t.TempDir()
	path, trace := filepath.Join(dir, "leases.db"), filepath.Join(dir, "trace")
	child := exec.Command("strace", "-f", "-y", "-e", "trace=pwrite64,write,fsync,fdatasync", "-e", "signal=none", "-o", trace, "/proc/self/exe", path)
	child.Args[len(child.Args)-2] = must[string](t)(os.Executable())
	child.Env = append(os.Environ(), role+"=commit")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "committed 9") {
	}
	_ = child.Process.Signal(unix.SIGTERM) // strace ends its child with it
	_ = out.Close()
	_ = child.Wait()

	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`pwrite64\(\d+<[^>]*-redo[12]>`)
	synced := regexp.MustCompile(`(fdatasync|fsync)\(\d+<[^>]*-redo[12]>\) += 0`)
	begun := regexp.MustCompile(`(fdatasync|fsync)\(\d+<[^>]*-redo[12]> <unfinished`)
	resumed := regexp.MustCompile(`(fdatasync|fsync) resumed>\) += 0`)
	dirty, pending, told := false, false, 0
	for line := range strings.Lines(string(text)) {
		switch {
		case written.MatchString(line):
			dirty = true
		case synced.MatchString(line):
			dirty = false
		case begun.MatchString(line):
			pending = true
		case pending && resumed.MatchString(line):
			dirty, pending = false, false
		case strings.Contains(line, `"committed `):
			told++
			if dirty || told == 1 && !synced.Match(text) && !resumed.Match(text) {
				t.Fatalf("told before the log was synced: %s", line)
			}
		}
	}
	if told < 9 || !written.Match(text) {
		t.Fatalf("only %d commits in the trace", told)
	}
}

func TestLogDoesNotGrowWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	batch := make([]Lease, 250)
	for i := range batch {
		batch[i] = stored(10)
		batch[i].Addr = toAddr(toUint(ip("192.0.2.0")) + uint32(i))
	}
	for range 100 { // 25,000 leases
		if err := s.Commit(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, s)
	if err := s.Commit(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() > 4<<20 {
		t.Errorf("the WAL after 25,000 leases: %v, %v", info.Size(), err)
	}
	for _, name := range []string{"-redo1", "-redo2"} {
		if info, err := os.Stat(path + name); err != nil || info.Size() > 4<<20 {
			t.Errorf("%s after 25,000 leases: %v, %v", name, info.Size(), err)
		}
	}
}

// A daemon that is ended while it starts mustn't send anybody to the backups.
func TestInterruptedLoadIsNoDamage(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "leases.db"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Load(ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}
