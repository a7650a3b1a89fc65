package leases

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"

	"labnet/leases/redolog"
)

// remedy ends every message about a file that can't be used; labnet never repairs or replaces it by itself.
const remedy = "restore it from a backup, or let `labnet leases recover` say what of it can be saved"

// immutable is the mode of openDB that leaves no trace beside the file.
const immutable = "immutable"

// magic is how every SQLite file begins.
const magic = "SQLite format 3\x00"

// openDB returns a handle; it connects when it is used. The mode is SQLite's, or immutable: then nobody else may write, and there is no WAL.
func openDB(path, mode string, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_dqs": {"0"}}
	if mode == immutable {
		query.Set("mode", "ro")
		query.Set("immutable", "1")
	}
	query["_pragma"] = append([]string{"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")"}, pragmas...)
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// tracelessMode is how a file is read that must stay as it is, with what is beside it: who reads otherwise makes a WAL where there is none. The
// lock is held.
func tracelessMode(path string) string {
	if notEmpty(path+"-wal") || notEmpty(path+"-journal") {
		return "ro"
	}
	return immutable
}

func notEmpty(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Size() > 0
}

// lockFile keeps other processes out until the file is closed, or the process ends. It follows no link: the directory may be another user's than
// who works in it, and what is locked is written to.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 16))
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		pid := strings.TrimSpace(string(holder))
		if pid == "" {
			pid = "unknown"
		}
		return nil, fmt.Errorf("in use by another labnet (process %s)", pid)
	}
	// Only for the message above: a lock whose holder can't be named is one all the same, also on a full disk.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return f, nil
}

// create makes an empty lease database. It appears at path whole or not at all.
func create(path string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if notEmpty(path + suffix) {
			return fmt.Errorf("it is missing, but its log %s is there: %s", path+suffix, remedy)
		}
	}
	if segments, err := redolog.Read(path); err != nil || len(segments) > 0 {
		return errors.Join(err, fmt.Errorf("it is missing, but its redo log %s-redo1, -redo2 is there: %s", path, remedy))
	}
	draft := path + ".new"
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(draft + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := writeSchema(draft); err != nil {
		_ = os.Remove(draft)
		return fmt.Errorf("making it: %w", err)
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeSchema writes it in WAL mode: changing into that later would take a rollback journal, which a power cut may leave behind.
func writeSchema(path string) error {
	db, err := openDB(path, "rw", "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return err
	}
	_, err = db.Exec("BEGIN;" + schema + fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
		applicationID, schemaVersion))
	return errors.Join(err, db.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// verify returns why the file can't be used; it changes nothing, but that SQLite rolls a transaction back which somebody's crash has
// left half done.
func verify(path string) error {
	if err := verifyHeader(path); err != nil {
		return err
	}
	mode := tracelessMode(path)
	if notEmpty(path + "-journal") {
		mode = "rw" // nobody can read before that
	}
	db, err := openDB(path, mode)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := context.Background()
	if _, err := verifyVersion(ctx, db); err != nil {
		return err
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check('leases')").Scan(&verdict); err != nil {
		return damaged(err)
	}
	if verdict != "ok" {
		return damaged(errors.New(verdict))
	}
	return nil
}

// damaged says what to do about a file that can't be read, if that is the file's fault.
func damaged(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok && !isDamage(e) {
		return err
	}
	return fmt.Errorf("damaged (%w): %s", err, remedy)
}

// damagedIf is damaged for errors of any kind, most of which are no damage.
func damagedIf(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && isDamage(e) {
		return damaged(err)
	}
	return err
}

func isDamage(err *sqlite.Error) bool {
	const corrupt, notADB = 11, 26
	code := err.Code() & 0xff
	return code == corrupt || code == notADB
}

// noSpace says that err is a full disk where it is one; SQLite says no more than a number.
func inWords(path string, err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("no space left in %s, where the database and its log need some: %w", filepath.Dir(path), err)
	}
	return err
}

func isNoSpace(err error) bool {
	const full, noSharedMemory = 13, 4874 // SQLITE_FULL, SQLITE_IOERR_SHMSIZE
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == full || e.Code() == noSharedMemory) || errors.Is(err, unix.ENOSPC)
}

// passing says whether err ends by itself when there is room again, or somebody ends a transaction.
func passing(err error) bool { return isLocked(err) || isNoSpace(err) }

func isLocked(err error) bool {
	const busy = 5 // SQLITE_BUSY
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == busy
}

func verifyHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(magic))
	switch _, err := io.ReadFull(f, head); {
	case errors.Is(err, io.EOF):
		return damaged(errEmpty)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	if !bytes.Equal(head, []byte(magic)) {
		return damaged(errors.New("it is not an SQLite file"))
	}
	return nil
}

// verifyVersion returns the schema's version if it is one that we know.
func verifyVersion(ctx context.Context, db *sql.DB) (version int, err error) {
	var application int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return 0, damaged(err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, damaged(err)
	}
	switch {
	case application != applicationID:
		return 0, foreignError(application)
	case version > schemaVersion:
		return 0, newerError(version)
	case version < 1:
		return 0, damaged(fmt.Errorf("schema %d", version))
	}
	return version, nil
}

func newerError(version int) error {
	return fmt.Errorf("written by a newer labnet (schema %d; this one knows %d): run that one, or restore a backup", version, schemaVersion)
}

func foreignError(application int) error {
	return fmt.Errorf("the SQLite file of another program (application id %#x): give labnet a path of its own", application)
}

// migrate brings the database to the present schema, each step in a transaction of its own.
func migrate(ctx context.Context, db *sql.DB) error {
	version, err := verifyVersion(ctx, db)
	for ; err == nil && version < schemaVersion; version++ {
		_, err = db.ExecContext(ctx, "BEGIN IMMEDIATE;"+migrations[version]+fmt.Sprintf("PRAGMA user_version = %d; COMMIT;", version+1))
		if err != nil {
			err = fmt.Errorf("bringing it from schema %d to %d: %w", version, version+1, err)
		}
	}
	return err
}
