package leases

import (
	"context"
	"database/sql"
	"math"
	"time"
)

// writer is the connection that writes, with its statements.
type writer struct {
	conn                                                 *sql.Conn
	begin, upsert, moved, age, surplus, commit, rollback *sql.Stmt
	args                                                 []any
}

// transaction is what goes with the leases that are written.
type transaction struct {
	moved   uint64 // the segment of the redo log that they are; 0: none
	paced   bool   // nobody waits for it: others come first
	history prune
}

// prune is what a transaction removes of the history, a few rows of each kind: 0 for nothing.
type prune struct {
	before int64 // those that ended before this Unix time
	rows   int   // all but so many of the newest
}

// countAfter is how many leases are written between two looks at the number of rows of the history.
const countAfter = 10_000

// noHistorySQL keeps the trigger of the schema from writing, for a connection.
const noHistorySQL = "CREATE TEMP TRIGGER no_history BEFORE INSERT ON main.history BEGIN SELECT RAISE(IGNORE); END"

func connect(db *sql.DB, history bool) (*writer, error) {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn}
	if !history {
		if _, err := conn.ExecContext(ctx, noHistorySQL); err != nil {
			w.close()
			return nil, err
		}
	}
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.upsert, upsertSQL},
		{&w.moved, movedSQL},
		{&w.age, pruneSQL},
		{&w.surplus, surplusSQL},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
	} {
		if *s.stmt, err = conn.PrepareContext(ctx, s.text); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// write is one transaction, after which leases are durable in the database; after an error nothing of it is left. dbMu is held.
func (s *SQLite) write(leases []*Lease, t transaction) (err error) {
	if keep := s.keep.Load(); keep != s.kept {
		s.kept, s.nextPrune = keep, time.Time{}
		s.disconnect()
	}
	if s.writer == nil {
		if s.writer, err = connect(s.db, s.kept > 0); err != nil {
			return err
		}
	}
	now := time.Now()
	switch {
	case now.Before(s.nextPrune):
	case s.kept > 0:
		t.history.before = now.Add(-time.Duration(s.kept)).Unix()
	default:
		t.history.before = math.MaxInt64
	}
	if s.uncounted >= min(countAfter, s.rows) {
		t.history.rows = s.rows
	}
	var p *pace
	if t.paced {
		p = newPace(&s.hurry)
	}
	aged, surplus, err := s.writer.write(leases, t, p)
	if err != nil {
		// Whatever state the connection is in: the next transaction gets a new one.
		s.disconnect()
		return err
	}
	if t.history.before != 0 {
		s.nextPrune = now.Add(pruneAgain(aged))
	}
	s.uncounted += len(leases)
	if t.history.rows != 0 && surplus == 0 { // else the next one goes on
		s.uncounted = 0
	}
	s.written += len(leases)
	return nil
}

func (s *SQLite) disconnect() {
	if s.writer != nil {
		s.writer.close()
		s.writer = nil
	}
}

// write is one transaction. It returns how many rows of the history it removed for their age, and for their number. After an
// error nothing of it is left.
func (w *writer) write(leases []*Lease, t transaction, p *pace) (aged, surplus int64, err error) {
	if _, err := w.begin.Exec(); err != nil {
		return 0, 0, err
	}
	if aged, surplus, err = w.rows(leases, t, p); err == nil {
		_, err = w.commit.Exec()
	}
	if err != nil {
		_, _ = w.rollback.Exec() // fails where SQLite has rolled back by itself
	}
	return aged, surplus, err
}

func (w *writer) rows(leases []*Lease, t transaction, p *pace) (aged, surplus int64, err error) {
	for i := range leases {
		p.step()
		w.args = appendRow(w.args[:0], leases[i])
		if _, err := w.upsert.Exec(w.args...); err != nil {
			return 0, 0, err
		}
	}
	if t.moved != 0 {
		if _, err := w.moved.Exec(int64(t.moved)); err != nil {
			return 0, 0, err
		}
	}
	if t.history.before != 0 {
		if aged, err = remove(w.age, t.history.before); err != nil {
			return 0, 0, err
		}
	}
	if t.history.rows != 0 {
		surplus, err = remove(w.surplus, int64(t.history.rows), int64(500+2*len(leases)))
	}
	return aged, surplus, err
}

func remove(stmt *sql.Stmt, args ...any) (int64, error) {
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// pruneAgain says when to look for old history again: soon, where there was more than one transaction should remove.
func pruneAgain(pruned int64) time.Duration {
	if pruned > 0 {
		return time.Second
	}
	return time.Hour
}

// close drops the connection, and what it may have begun.
func (w *writer) close() {
	for _, s := range []*sql.Stmt{w.begin, w.upsert, w.moved, w.age, w.surplus, w.commit, w.rollback} {
		if s != nil {
			_ = s.Close()
		}
	}
	// A connection that goes back to the pool would be used again.
	_ = w.conn.Raw(func(any) error { return errDropped })
	_ = w.conn.Close()
}
