package leases

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"labnet/leases/redolog"
	"labnet/leases/sqlitefile"
)

// Recovery is what Recover has found, and done.
type Recovery struct {
	Problems []string // what is wrong with the store; none: nothing, and nothing was changed
	Contents          // what of it can be read
	FromLog  int      // leases of these that the redo log has, and the database not, or not as new
	Lost     []string // what can be told of what can't be read
	Dir      string   // where its files are since they were set aside; "": nothing was changed
}

// Contents counts what is in a store.
type Contents struct {
	Leases, Bound, History, Reservations int
}

// Recover says what is wrong with the lease database at path and the redo log beside it, and what of both can be read, page by page around what
// is damaged. It changes nothing, unless it shall set aside what is there: then a new database is made of what can be read, and the files move
// into a directory beside it that is named by now. Nothing is deleted. When it was interrupted the next call that sets aside finishes it. It
// fails where another process has the database open, where a newer labnet has written it, and for another program's.
func Recover(ctx context.Context, path string, setAside bool, now time.Time) (_ Recovery, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("lease database %s: %w", path, inWords(path, err))
		}
	}()
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return Recovery{}, err
	}
	defer lock.Close()
	switch name, err := interruptedRecovery(path); {
	case err != nil:
		return Recovery{}, err
	case name != "" && !setAside:
		return Recovery{Problems: []string{"a recovery of it was interrupted; it is to be finished by --set-aside"}}, nil
	case name != "":
		return finishRecovery(ctx, path, name)
	}
	s := salvage{path: path}
	if err := s.open(ctx); err != nil {
		return Recovery{}, err
	}
	defer s.close()
	if len(s.Problems) == 0 || !setAside {
		err := s.read(nil)
		return s.Recovery, err
	}
	draft, err := newDraft(ctx, path)
	if err != nil {
		return Recovery{}, err
	}
	if err := errors.Join(s.read(draft), draft.fill(&s)); err != nil {
		return Recovery{}, errors.Join(err, draft.abandon())
	}
	name, err := draft.complete(now)
	if err != nil {
		return Recovery{}, err
	}
	done, err := finishRecovery(ctx, path, name)
	s.Dir, s.Contents = done.Dir, done.Contents // with the history that the log has made
	return s.Recovery, err
}

// salvage reads what is left of a store.
type salvage struct {
	Recovery
	path     string
	file     *sqlitefile.File // nil: there is none
	segments []redolog.Segment

	base         map[place]Lease // what there is without logged
	inTree       map[place]bool  // of base, what the table's own tree has
	logged       []*Lease        // that the redo log has and the database hasn't, in order
	bad          []badLease
	reservations map[reservationKey]KeptReservation
	rows         map[int64]bool // of the history, by id
	aside        [][]any        // rows of set_aside
	id           redolog.ID
	moved        uint64
	idKnown      bool
}

// badLease is a row of leases that makes no sense.
type badLease struct {
	values []any
	reason string
}

// open finds out what is wrong.
func (s *salvage) open(ctx context.Context) (err error) {
	s.base, s.inTree = make(map[place]Lease), make(map[place]bool)
	s.reservations, s.rows = make(map[reservationKey]KeptReservation), make(map[int64]bool)
	if s.segments, err = redolog.Read(s.path); err != nil {
		return err
	}
	switch s.file, err = sqlitefile.Open(s.path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := s.nothing(); err != nil {
			return err
		}
		s.Problems = append(s.Problems, "it is missing, but its logs are there")
		return nil
	case err != nil:
		return err
	}
	if err := s.refuse(); err != nil {
		return errors.Join(err, s.file.Close())
	}
	s.diagnose(ctx)
	return nil
}

// nothing is an error where there is nothing at all.
func (s *salvage) nothing() error {
	if len(s.segments) > 0 {
		return nil
	}
	for _, suffix := range besides {
		if notEmpty(s.path + suffix) {
			return nil
		}
	}
	return fmt.Errorf("%w: there is nothing to recover; `labnet run` makes a new one", fs.ErrNotExist)
}

// refuse is an error for a file that isn't ours to touch.
func (s *salvage) refuse() error {
	head := s.file.Header()
	if !head.Whole {
		return nil
	}
	if head.ApplicationID == applicationID {
		if head.UserVersion > schemaVersion {
			return newerError(int(head.UserVersion))
		}
		return nil
	}
	// The number itself may be what is damaged.
	again, err := sqlitefile.Open(s.path)
	if err != nil {
		return err
	}
	defer again.Close()
	roots, _ := again.Roots()
	if roots["leases"] == 0 || roots["history"] == 0 {
		return foreignError(int(head.ApplicationID))
	}
	return nil
}

// diagnose lets SQLite say what it thinks of the file, and looks whether the log belongs to it.
func (s *salvage) diagnose(ctx context.Context) {
	problem := func(err error) {
		s.Problems = append(s.Problems, err.Error())
	}
	for _, p := range s.file.Problems() {
		problem(errors.New(p))
	}
	if err := verifyHeader(s.path); err != nil {
		problem(cmp.Or(errors.Unwrap(err), err))
		return
	}
	if notEmpty(s.path + "-journal") {
		problem(errors.New("a transaction was interrupted, which is to be undone first: try `labnet run`, and recover only if it refuses"))
		return
	}
	db, err := openDB(s.path, tracelessMode(s.path))
	if err != nil {
		problem(err)
		return
	}
	defer db.Close()
	if err := integrity(ctx, db); err != nil {
		problem(err)
		return
	}
	version, err := verifyVersion(ctx, db)
	if err != nil {
		problem(err)
		return
	}
	if version < 2 {
		return
	}
	id, moved, err := redoState(ctx, db)
	if err != nil {
		problem(err)
		return
	}
	if _, _, err := leftIn(s.segments, s.path, id, moved); err != nil {
		problem(err)
	}
}

func (s *salvage) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// integrity returns the first thing that SQLite finds wrong.
func integrity(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(strings.ReplaceAll(strings.TrimSpace(verdict), "\n", "; "))
	}
	return nil
}
