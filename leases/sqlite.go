package leases

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// DefaultHistory is how long the history is kept where SQLiteConfig doesn't say otherwise.
const DefaultHistory = 90 * 24 * time.Hour

// DefaultHistoryRows is how much history is kept where SQLiteConfig doesn't say otherwise: about 200 MB. Ordinary labs never
// reach it in DefaultHistory; a guest that changes its name or its address all the time would fill the disk without it.
const DefaultHistoryRows = 1_000_000

// countAfter is how many leases are written between two looks at the number of rows of the history.
const countAfter = 10_000

// busyTimeout is how long a commit waits for somebody who writes into the file by hand.
const busyTimeout = 10 * time.Second

// SQLiteConfig is what OpenSQLite needs to know. The zero value of everything but Path is fine.
type SQLiteConfig struct {
	Path        string        // of the file; its directory must exist
	History     time.Duration // age at which rows of the history are removed; 0: DefaultHistory
	HistoryRows int           // how many rows of the history are kept, roughly, the newest; 0: DefaultHistoryRows
	Log         *slog.Logger  // nil: nothing is logged
}

// SQLite is a Store in an SQLite file, in WAL mode with a sync for every commit. The log of WAL mode is copied into
// the file by another connection, while commits go on.
type SQLite struct {
	path    string
	history time.Duration
	rows    int // of the history
	log     *slog.Logger
	lock    *os.File
	db      *sql.DB // of the writer
	aside   *sql.DB // of the checkpoints
	stop    context.CancelFunc
	stopped chan struct{}
	wake    chan struct{} // holds a token when enough was written for a checkpoint

	mu        sync.Mutex // one transaction at a time
	writer    *writer    // nil: to be connected
	written   int        // leases since the last checkpoint was asked for
	uncounted int        // leases since the number of rows of the history was looked at
	nextPrune time.Time
	closed    bool
}

// OpenSQLite opens the lease database at cfg.Path, or makes one where there is none (mode 0600). It fails, and leaves the
// file as it is, when another process has it open, when it is damaged or not a lease database, and when a newer labnet
// wrote it. Close ends its goroutine. It makes SQLite use fdatasync in this process.
func OpenSQLite(cfg SQLiteConfig) (*SQLite, error) {
	s := &SQLite{path: cfg.Path, history: cfg.History, rows: cfg.HistoryRows, log: cfg.Log, stopped: make(chan struct{}), wake: make(chan struct{}, 1)}
	if s.history == 0 {
		s.history = DefaultHistory
	}
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
		return nil, fmt.Errorf("lease database %s: %w", s.path, noSpace(s.path, err))
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.checkpoints(ctx)
	return s, nil
}

func (s *SQLite) open() (err error) {
	if s.lock, err = lockFile(s.path + ".lock"); err != nil {
		return err
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
	if s.aside, err = openDB(s.path, "rw", "synchronous(FULL)", "wal_autocheckpoint(0)"); err != nil {
		return err
	}
	if s.writer, err = connect(s.db); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// Load returns every lease; a row that can't be understood moves to the table set_aside.
func (s *SQLite) Load(ctx context.Context) ([]Lease, []BadRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return leases, records, nil
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

// Commit writes leases in one transaction; when it returns nil they are on the disk. A transaction that has begun is not
// interrupted by the end of ctx.
func (s *SQLite) Commit(ctx context.Context, leases []Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.commit(leases); err != nil {
		return fmt.Errorf("lease database %s: %w", s.path, err)
	}
	return nil
}

func (s *SQLite) commit(leases []Lease) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	if s.writer == nil {
		if s.writer, err = connect(s.db); err != nil {
			return err
		}
	}
	now := time.Now()
	var p prune
	if !now.Before(s.nextPrune) {
		p.before = now.Add(-s.history).Unix()
	}
	if s.uncounted >= min(countAfter, s.rows) {
		p.rows = s.rows
	}
	aged, surplus, err := s.writer.write(leases, p)
	if err != nil {
		// Whatever state the connection is in: the next commit gets a new one.
		s.writer.close()
		s.writer = nil
		return err
	}
	if p.before != 0 {
		s.nextPrune = now.Add(pruneAgain(aged))
	}
	s.uncounted += len(leases)
	if p.rows != 0 && surplus == 0 { // else the next commit goes on
		s.uncounted = 0
	}
	s.written += len(leases)
	if s.written >= checkpointAfter {
		s.written = 0
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// Close ends the store; what is committed stays. The file needs no log beside it then.
func (s *SQLite) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return nil
	}
	s.stop()
	<-s.stopped
	return s.release()
}

// release closes what is open.
func (s *SQLite) release() error {
	var errs []error
	if s.writer != nil {
		s.writer.close()
	}
	for _, db := range []*sql.DB{s.aside, s.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
