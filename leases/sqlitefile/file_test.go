package sqlitefile

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// words are the rows of a query, or of a walk, one text each.
func words(id int64, values []any) string {
	text := fmt.Sprint(id)
	for _, v := range values {
		if b, ok := v.([]byte); ok {
			v = fmt.Sprintf("%x", b)
		}
		text += fmt.Sprintf(" %T:%v", v, v)
	}
	return text
}

func queried(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, words(values[0].(int64), values[1:]))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func walked(f *File, root uint32, table bool) (all []string, d Damage) {
	d = f.Walk(root, table, func(r Row) bool {
		all = append(all, words(r.ID, r.Values))
		return true
	})
	slices.Sort(all)
	return all, d
}

// TestReadsWhatSQLiteReads: both kinds of tables with values of every kind and of every length, with rows that are gone, from the file alone
// and with a WAL.
func TestReadsWhatSQLiteReads(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, pageSize := range []int{512, 4096, 65536} {
		for _, mode := range []string{"delete", "wal"} {
			t.Run(fmt.Sprint(pageSize, " ", mode), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "db")
				db := openDB(t, path)
				exec(t, db, fmt.Sprintf("PRAGMA page_size = %d", pageSize))
				exec(t, db, "PRAGMA journal_mode = "+mode)
				exec(t, db, "PRAGMA wal_autocheckpoint = 0")
				exec(t, db, "PRAGMA synchronous = off")
				exec(t, db, "PRAGMA user_version = 7")
				exec(t, db, "CREATE TABLE a (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB)")
				exec(t, db, "CREATE TABLE b (k TEXT, n INTEGER, v TEXT, PRIMARY KEY (k, n)) WITHOUT ROWID")
				exec(t, db, "CREATE INDEX a_t ON a (t)")
				exec(t, db, "BEGIN")
				for i := range 900 {
					if i%100 == 99 {
						exec(t, db, "COMMIT")
						if i == 599 && mode == "wal" {
							exec(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
						}
						exec(t, db, "BEGIN")
					}
					text := strings.Repeat("é", random.IntN(1<<random.IntN(12)))
					number := random.Int64() >> random.IntN(64)
					if random.IntN(2) == 0 {
						number = -number
					}
					exec(t, db, "INSERT INTO a VALUES (?, ?, ?, ?, ?)", i*i*i*17-1000, number, random.NormFloat64()+0.5, text, []byte(text))
					exec(t, db, "INSERT INTO b VALUES (?, ?, ?)", fmt.Sprint(random.Uint32()), i, text)
				}
				exec(t, db, "COMMIT")
				exec(t, db, "INSERT INTO a VALUES (-9223372036854775808, NULL, NULL, NULL, NULL), (9223372036854775807, 0, 1e300, '', x'')")
				exec(t, db, "DELETE FROM a WHERE id % 3 = 0")
				exec(t, db, "DELETE FROM b WHERE n % 3 = 0")
				f, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if h := f.Header(); !h.Whole || h.UserVersion != 7 {
					t.Errorf("header: %+v", h)
				}
				roots, damage := f.Roots()
				if !damage.Whole() || len(roots) != 3 {
					t.Fatalf("roots: %v, %+v", roots, damage)
				}
				got, damage := walked(f, roots["a"], true)
				// The key of a row stands in its ID alone.
				want := queried(t, db, "SELECT id, NULL, i, r, t, b FROM a")
				if diff := cmp.Diff(want, got); diff != "" || !damage.Whole() {
					t.Errorf("with rowids: %+v (-want +got):\n%.2000s", damage, diff)
				}
				got, damage = walked(f, roots["b"], false)
				if diff := cmp.Diff(queried(t, db, "SELECT 0, k, n, v FROM b"), got); diff != "" || !damage.Whole() {
					t.Errorf("without rowids: %+v (-want +got):\n%.2000s", damage, diff)
				}
				f.Skip(roots)
				f.Rest(func(r Row, _ bool) { t.Errorf("a row that is none: %v", r) })
				if len(f.Problems()) > 0 {
					t.Errorf("problems: %v", f.Problems())
				}
			})
		}
	}
}

// build makes a file with a table of 2,000 rows.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path)
	exec(t, db, "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)")
	exec(t, db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO a SELECT i, 'row ' || i FROM n")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRootIsLost: what its tree no longer leads to is found page by page.
func TestRootIsLost(t *testing.T) {
	path := build(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	roots, _ := f.Roots()
	_ = f.Close()
	overwrite(t, path, int64(roots["a"]-1)*4096, make([]byte, 4096))
	if f, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, damage := walked(f, roots["a"], true)
	if len(rows) != 0 || damage.Pages != 1 {
		t.Fatalf("%d rows, %+v", len(rows), damage)
	}
	f.Skip(roots)
	ids := map[int64]bool{}
	f.Rest(func(r Row, table bool) {
		if table && r.Shape() == "nt" && r.Values[1] == fmt.Sprint("row ", r.ID) {
			ids[r.ID] = true
		}
	})
	if len(ids) != 2000 {
		t.Errorf("%d of 2000 rows are found", len(ids))
	}
}

func overwrite(t *testing.T, path string, at int64, text []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(text, at); err != nil {
		t.Fatal(err)
	}
}

// TestAnyDamage: whatever is flipped, reading ends, and what it reads are mostly the rows that were written.
func TestAnyDamage(t *testing.T) {
	path := build(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		broken := slices.Clone(whole)
		for range 1 + random.IntN(20) {
			from := random.IntN(len(broken))
			for i := from; i < min(len(broken), from+1+random.IntN(1<<random.IntN(13))); i++ {
				broken[i] = byte(random.Uint32())
			}
		}
		if err := os.WriteFile(path, broken[:len(broken)-random.IntN(5000)*random.IntN(2)], 0o600); err != nil {
			t.Fatal(err)
		}
		readAll(t, path)
	}
}

func readAll(t testing.TB, path string) {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	roots, _ := f.Roots()
	for _, root := range roots {
		f.Walk(root, true, func(r Row) bool { return r.Shape() == "nt" })
	}
	f.Skip(roots)
	f.Rest(func(r Row, _ bool) { _ = r.Shape() })
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a directory is a file")
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readAll(t, empty)
}

// TestWAL: of a WAL counts what was committed before it is damaged.
func TestWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path)
	exec(t, db, "PRAGMA journal_mode = wal")
	exec(t, db, "PRAGMA wal_autocheckpoint = 0")
	exec(t, db, "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)")
	exec(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
	for i := range 20 {
		exec(t, db, "INSERT INTO a VALUES (?, 'x')", i)
	}
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	frame := frameHeaderLen + 4096
	for _, c := range []struct {
		name    string
		change  func(b []byte) []byte
		rows    int
		problem string
	}{
		{"whole", func(b []byte) []byte { return b }, 20, ""},
		{"cut", func(b []byte) []byte { return b[:len(b)-100] }, 19, ""},
		{"last one torn", func(b []byte) []byte { b[len(b)-5] ^= 1; return b }, 19, "damaged in the middle"},
		{"damaged", func(b []byte) []byte { b[walHeaderLen+10*frame+frameHeaderLen+9] ^= 1; return b }, 10, "damaged in the middle"},
		{"zeroed", func(b []byte) []byte { return make([]byte, len(b)) }, 0, "no valid header"},
		{"empty", func([]byte) []byte { return nil }, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "db")
			main, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for name, content := range map[string][]byte{copied: main, copied + "-wal": c.change(slices.Clone(wal))} {
				if err := os.WriteFile(name, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := Open(copied)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			roots, _ := f.Roots()
			rows, damage := walked(f, roots["a"], true)
			if len(rows) != c.rows || !damage.Whole() {
				t.Errorf("%d rows, want %d; %+v", len(rows), c.rows, damage)
			}
			if got := strings.Join(f.Problems(), "; "); (c.problem == "") != (got == "") || !strings.Contains(got, c.problem) {
				t.Errorf("problems: %q, want %q", got, c.problem)
			}
		})
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{3, 1, 19, 5, 'a', 'b', 'c'})
	f.Add([]byte{2, 9})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = record(b) })
}
