package leases

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"labnet/leases/sqlitefile"
)

// A recovery is finished by renaming. As long as the draft has its first name it is thrown away by the next recovery, which begins anew. When it
// is whole it gets a name that says so, and when: from then on every recovery goes on where that one was, and no daemon starts before.
const (
	draftSuffix   = ".recovering"
	wholeSuffix   = ".recovered-"
	damagedSuffix = ".damaged-"
	stampFormat   = "20060102T150405Z"
)

// besides are the files that belong to a database, the log first: the database is the last to go.
var besides = []string{"-redo1", "-redo2", "-journal", "-wal", "-shm"}

// draft is the new database while it is written.
type draft struct {
	ctx  context.Context
	path string // of the database that it is for
	db   *sql.DB
	tx   *sql.Tx
	add  *sql.Stmt // a row of the history
}

func newDraft(ctx context.Context, path string) (_ *draft, err error) {
	d := &draft{ctx: ctx, path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.abandon())
		}
	}()
	if err := emptyFile(path + draftSuffix); err != nil {
		return nil, err
	}
	if err := writeSchema(path + draftSuffix); err != nil {
		return nil, err
	}
	if d.db, err = openDB(path+draftSuffix, "rw", "synchronous(FULL)"); err != nil {
		return nil, err
	}
	if d.tx, err = d.db.BeginTx(ctx, nil); err != nil {
		return nil, err
	}
	d.add, err = d.tx.PrepareContext(ctx, `INSERT INTO history (id, network, addr, client, hwaddr, name, state, since, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	return d, err
}

func (d *draft) addHistory(r sqlitefile.Row) error {
	_, err := d.add.ExecContext(d.ctx, append([]any{r.ID}, r.Values[1:]...)...)
	return err
}

// fill writes everything but the history. What the redo log has and the database hadn't is written as the daemon would have, so that it makes
// history.
func (d *draft) fill(s *salvage) error {
	upsert, err := d.tx.PrepareContext(d.ctx, upsertSQL)
	if err != nil {
		return err
	}
	defer upsert.Close()
	write := func(l *Lease) error {
		_, err := upsert.ExecContext(d.ctx, appendRow(nil, l)...)
		return err
	}
	for _, l := range s.base {
		if err := write(&l); err != nil {
			return err
		}
	}
	for _, l := range condensed(s.logged) {
		if err := write(l); err != nil {
			return err
		}
	}
	for _, k := range s.reservations {
		if _, err := d.tx.ExecContext(d.ctx, reserveSQL, k.row()...); err != nil {
			return err
		}
	}
	return d.setAside(s)
}

func (d *draft) setAside(s *salvage) error {
	const insert = "INSERT INTO set_aside (at, reason, record) VALUES (?, ?, ?)"
	for _, r := range s.aside {
		if _, err := d.tx.ExecContext(d.ctx, insert, r...); err != nil {
			return err
		}
	}
	columns := strings.Split("network addr client hwtype hwaddr name state start expiry seen requested_name vendor reserved", " ")
	for _, b := range s.bad {
		record := make(map[string]any, len(columns))
		for i, name := range columns {
			record[name] = b.values[i]
		}
		text, err := json.Marshal(record)
		if err != nil {
			return err
		}
		if _, err := d.tx.ExecContext(d.ctx, insert, time.Now().Unix(), b.reason, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// complete makes the draft durable under the name that says that it is whole, and returns that.
func (d *draft) complete(now time.Time) (string, error) {
	err := errors.Join(d.add.Close(), d.tx.Commit())
	err = errors.Join(err, d.db.Close())
	d.tx, d.db = nil, nil
	if err == nil && notEmpty(d.path+draftSuffix+"-wal") {
		err = errors.New("the new database can't be written as a whole") // closing it doesn't say why
	}
	if err != nil {
		return "", errors.Join(err, d.abandon())
	}
	name := d.path + wholeSuffix + now.UTC().Format(stampFormat)
	if _, err := os.Lstat(d.path + damagedSuffix + now.UTC().Format(stampFormat)); err == nil {
		return "", errors.Join(errors.New("another recovery was made in this second"), d.abandon())
	}
	if err := os.Rename(d.path+draftSuffix, name); err != nil {
		return "", errors.Join(err, d.abandon())
	}
	return name, syncDir(filepath.Dir(d.path))
}

// abandon throws the draft away.
func (d *draft) abandon() error {
	var errs []error
	if d.tx != nil {
		_ = d.tx.Rollback()
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(d.path + draftSuffix + suffix); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// emptyFile makes an empty file that only we can read, in place of one that an earlier try left.
func emptyFile(name string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// interruptedRecovery returns the name of the new database of a recovery that has set it up and not moved it to its place; "" for none.
func interruptedRecovery(path string) (string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	prefix := filepath.Base(path) + wholeSuffix
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), prefix)
		if _, err := time.Parse(stampFormat, stamp); ok && err == nil {
			return filepath.Join(filepath.Dir(path), e.Name()), nil
		}
	}
	return "", nil
}

// finishRecovery moves what is at path aside, as far as it isn't yet, and the new database to its place.
func finishRecovery(ctx context.Context, path, whole string) (Recovery, error) {
	dir := path + damagedSuffix + strings.TrimPrefix(whole, path+wholeSuffix)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Recovery{}, err
	}
	for _, suffix := range append(slices.Clip(besides), "") {
		to := filepath.Join(dir, filepath.Base(path)+suffix)
		if _, err := os.Lstat(path + suffix); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return Recovery{}, err
		}
		if _, err := os.Lstat(to); err == nil {
			return Recovery{}, fmt.Errorf("%s is there already: nothing is written over it", to)
		}
		if err := os.Rename(path+suffix, to); err != nil {
			return Recovery{}, err
		}
	}
	// What is moved away must be before the new one is there: beside the old log it would be refused.
	if err := errors.Join(syncDir(dir), syncDir(filepath.Dir(path))); err != nil {
		return Recovery{}, err
	}
	if err := os.Rename(whole, path); err != nil {
		return Recovery{}, err
	}
	r := Recovery{Dir: dir, Problems: []string{"a recovery was interrupted, and is finished"}}
	return r, cmp.Or(syncDir(filepath.Dir(path)), r.countIn(ctx, path))
}

// countIn counts what is in a database.
func (r *Recovery) countIn(ctx context.Context, path string) error {
	db, err := openDB(path, immutable)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM leases), (SELECT count(*) FROM leases WHERE state = 'bound'),
  (SELECT count(*) FROM history), (SELECT count(*) FROM reservations)`).Scan(&r.Leases, &r.Bound, &r.History, &r.Reservations)
}
