package leases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"labnet/leases/redolog"
)

// redoAgain is how long nothing is tried after a redo log could not be made.
const redoAgain = 5 * time.Second

var (
	errNoRedo   = errors.New("no redo log")
	errRedoFull = errors.New("both files of the redo log are full")
)

// Commit writes leases in one piece; when it returns nil they are on the disk. One that has begun is not interrupted by the
// end of ctx.
func (s *SQLite) Commit(ctx context.Context, leases []Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.commit(leases); err != nil {
		return fmt.Errorf("lease database %s: %w", s.path, inWords(s.path, err))
	}
	return nil
}

func (s *SQLite) commit(leases []Lease) error {
	s.payload = appendRedo(s.payload[:0], leases)
	if len(s.payload) > redolog.MaxPayload {
		return s.commitDirectly(leases)
	}
	for {
		switch err := s.append(s.payload); {
		case errors.Is(err, errNoRedo):
			return s.commitDirectly(leases)
		case !errors.Is(err, errRedoFull):
			return err
		}
		if err := s.makeRoom(); err != nil {
			return err
		}
	}
}

// append puts a commit into the log.
func (s *SQLite) append(payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return os.ErrClosed
	case s.redo == nil || s.broken:
		return errNoRedo
	}
	err := s.redo.Append(payload)
	if errors.Is(err, redolog.ErrFull) {
		if s.ended != nil {
			return errRedoFull
		}
		s.ended = &segment{s.redo.Turn(), true}
		err = s.redo.Append(payload)
	}
	if err != nil {
		s.broken = true
		return err
	}
	s.lastCommit = time.Now()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// makeRoom moves a part of the log that should have been moved by now. It doesn't wait for a database that somebody has locked:
// the mover does, and whoever renews a lease mustn't.
func (s *SQLite) makeRoom() error {
	if err := s.Err(); isLocked(err) {
		return err
	}
	s.lockDatabase()
	defer s.unlockDatabase()
	_, err := s.move()
	return err
}

// lockDatabase takes dbMu for the committer; a move that goes on hurries up, and so do those until unlockDatabase.
func (s *SQLite) lockDatabase() {
	s.hurry.Add(1)
	s.dbMu.Lock()
}

func (s *SQLite) unlockDatabase() {
	s.hurry.Add(-1)
	s.dbMu.Unlock()
}

// commitDirectly writes leases into the database, after everything that is in the log. It is for what is too long for the log,
// and for the time after the log has failed: it makes it anew.
func (s *SQLite) commitDirectly(leases []Lease) error {
	s.lockDatabase()
	defer s.unlockDatabase()
	if err := s.moveAll(); err != nil {
		return err
	}
	if err := s.abandonRedo(); err != nil {
		return err
	}
	s.renewRedo(time.Now())
	return s.write(inOrder(leases), transaction{})
}

// abandonRedo closes a log that failed; everything in it that was acknowledged is in the database. What wasn't may be in its
// files all the same, and must not come back after what is committed from now on, also where the files can't be replaced, or
// their removal doesn't survive a power cut: the database says first that it has all of them. dbMu is held.
func (s *SQLite) abandonRedo() error {
	s.mu.Lock()
	if s.redo == nil || !s.broken {
		s.mu.Unlock()
		return nil
	}
	last := s.redo.Turn().Seq
	s.mu.Unlock()
	if err := s.write(nil, transaction{moved: last}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.redo.Close()
	s.redo, s.broken, s.nextSeq = nil, false, last+1
	return nil
}

// renewRedo makes a log where there is none. dbMu is held.
func (s *SQLite) renewRedo(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redo != nil || s.closed || now.Before(s.retry) {
		return
	}
	var err error
	if s.redo, err = redolog.Create(s.path, s.id, s.nextSeq); err != nil {
		s.redo, s.retry = nil, now.Add(redoAgain)
		s.log.Warn("leases go straight into the database, which is slower", "file", s.path, "err", inWords(s.path, err))
	}
}
