package leases

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"labnet/leases/redolog"
)

// DefaultHistory is how long the history is kept where SQLiteConfig doesn't say otherwise.
const DefaultHistory = 90 * 24 * time.Hour

// NoHistory keeps no history: what a lease was is forgotten with its end.
const NoHistory time.Duration = -1

// DefaultHistoryRows is how much history is kept where SQLiteConfig doesn't say otherwise: about 200 MB. Ordinary labs never
// reach it in DefaultHistory; a guest that changes its name or its address all the time would fill the disk without it.
const DefaultHistoryRows = 1_000_000

// busyTimeout is how long a write waits for somebody who writes into the file by hand.
const busyTimeout = 10 * time.Second

// SQLiteConfig is what OpenSQLite needs to know. The zero value of everything but Path is fine.
type SQLiteConfig struct {
	Path        string        // of the file; its directory must exist
	History     time.Duration // age at which rows of the history are removed; 0: DefaultHistory; NoHistory
	HistoryRows int           // how many rows of the history are kept, roughly, the newest; 0: DefaultHistoryRows
	Log         *slog.Logger  // nil: nothing is logged
}

// SQLite is a Store in an SQLite file with a redo log in front: a commit is one sync of the log, which is overwritten in
// place and so syncs faster than anything that grows, and a moment later a goroutine moves what many commits wrote into the
// database, in one transaction. So SQLite's work is shared by many leases, and no reader of the file, no prune and no
// checkpoint ever stalls a commit.
type SQLite struct {
	path    string
	keep    atomic.Int64 // for how long the history is kept, a Duration
	rows    int          // of the history
	log     *slog.Logger
	lock    *os.File
	db      *sql.DB
	id      redolog.ID
	stop    context.CancelFunc
	stopped chan struct{}
	wake    chan struct{}         // holds a token when the log has something to move
	hurry   atomic.Int32          // how many wait for the database
	moveErr atomic.Pointer[error] // of the last move; set with dbMu held, and read while a sync hangs, with mu held

	dbMu      sync.Mutex // guards the connection, and the following; taken before mu
	writer    *writer    // nil: to be connected
	left      *leftover  // nil: everything of earlier runs is in the database
	written   int        // leases since the last checkpoint
	kept      int64      // keep, as of the last write
	uncounted int        // leases since the number of rows of the history was looked at
	nextPrune time.Time
	warned    time.Time // of a reader without end

	mu         sync.Mutex // guards the log, and the following
	redo       *redolog.Log
	broken     bool      // the log failed: it must be made anew before anything is appended
	nextSeq    uint64    // of a log that is made anew
	retry      time.Time // when that is tried again
	ended      *segment  // to be moved; nil: the other file of the log is free
	lastCommit time.Time
	closed     bool

	payload []byte // of Commit
}

// segment is a part of the redo log that is to be moved.
type segment struct {
	redolog.Ended
	full bool
}

// OpenSQLite opens the lease database at cfg.Path, or makes one where there is none (mode 0600). It fails, and leaves the
// file as it is, when another process has it open, when it is damaged or not a lease database, and when a newer labnet
// wrote it. Close ends its goroutine. It makes SQLite use fdatasync in this process.
func OpenSQLite(cfg SQLiteConfig) (*SQLite, error) {
	s := &SQLite{
		path: cfg.Path, rows: cfg.HistoryRows, log: cfg.Log,
		stopped: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	s.KeepHistory(cmp.Or(cfg.History, DefaultHistory))
	s.kept = s.keep.Load()
	if s.rows == 0 {
		s.rows = DefaultHistoryRows
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	// A commit doesn't need the time stamps that fsync adds.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("lease database %s: %w", s.path, err)
	}
	if err := s.open(); err != nil {
		s.release()
		return nil, fmt.Errorf("lease database %s: %w", s.path, inWords(s.path, err))
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.keepMoving(ctx)
	return s, nil
}

func (s *SQLite) open() (err error) {
	if s.lock, err = lockFile(s.path + ".lock"); err != nil {
		return err
	}
	if name, err := interruptedRecovery(s.path); err != nil || name != "" {
		return errors.Join(err, fmt.Errorf("a recovery was interrupted (%s is there): `labnet leases recover --set-aside` finishes it", name))
	}
	switch _, err := os.Stat(s.path); {
	case errors.Is(err, os.ErrNotExist):
		if err := create(s.path); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := verify(s.path); err != nil {
			return err
		}
	}
	if s.db, err = openDB(s.path, "rw", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)"); err != nil {
		return err
	}
	if err := migrate(context.Background(), s.db); err != nil {
		return err
	}
	if s.writer, err = connect(s.db, s.kept > 0); err != nil {
		return err
	}
	if err := s.recover(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// KeepHistory changes for how long the history is kept: positive, or NoHistory. What is older goes a little at a time, from the next lease
// on.
func (s *SQLite) KeepHistory(age time.Duration) { s.keep.Store(int64(age)) }

// Load returns every lease; a row that can't be understood moves to the table set_aside.
func (s *SQLite) Load(ctx context.Context) ([]Lease, []BadRecord, error) {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if err := s.moveAll(); err != nil && s.left == nil {
		return nil, nil, fmt.Errorf("lease database %s: %w", s.path, err)
	}
	leases, bad, err := readLeases(ctx, s.db)
	if err != nil {
		return nil, nil, fmt.Errorf("lease database %s: %w", s.path, err)
	}
	records := make([]BadRecord, len(bad))
	for i, b := range bad {
		records[i] = BadRecord{Key: b.network + " " + b.addr, Reason: b.reason}
		if err := s.setAside(ctx, b); err != nil {
			s.log.Warn("a record can't be set aside", "file", s.path, "key", records[i].Key, "err", err)
		}
	}
	return s.withLeft(leases), records, nil
}

func (s *SQLite) setAside(ctx context.Context, b badRow) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, setAsideSQL, b.reason, b.network, b.addr); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, deleteSQL, b.network, b.addr); err != nil {
		return err
	}
	return tx.Commit()
}

// Close ends the store; what is committed stays. The database needs no log beside it then, unless it couldn't be written.
func (s *SQLite) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return nil
	}
	s.stop()
	s.hurry.Add(1)
	<-s.stopped
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	moved := s.moveAll()
	if moved != nil {
		s.log.Warn("leases stay in the redo log, and go into the database with the next start", "file", s.path, "err", moved)
	}
	err := s.closeFiles()
	if moved == nil && err == nil {
		// While the lock keeps others out: the next one makes files with these names.
		err = redolog.Remove(s.path)
	}
	return errors.Join(err, s.lock.Close())
}

// release closes what is open.
func (s *SQLite) release() error {
	err := s.closeFiles()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// closeFiles closes everything but the lock.
func (s *SQLite) closeFiles() error {
	var errs []error
	if s.redo != nil {
		errs = append(errs, s.redo.Close())
	}
	if s.writer != nil {
		s.writer.close()
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}
