package leases

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"labnet/leases/redolog"
)

// recover moves what an earlier run has left in the redo log into the database, and makes the log anew.
func (s *SQLite) recover() error {
	id, moved, err := redoState(context.Background(), s.db)
	if err != nil {
		return err
	}
	segments, err := redolog.Read(s.path)
	if err != nil {
		return err
	}
	leases, last, err := leftIn(segments, s.path, id, moved)
	if err != nil {
		return err
	}
	if len(leases) > 0 {
		s.left = &leftover{leases, last}
	}
	s.id, s.nextSeq = id, last+1
	switch err := s.moveLeft(); {
	case err == nil:
	case passing(err):
		// That must not keep the daemon from serving who has a lease: it starts with what is in both.
		s.setErr(inWords(s.path, err))
		s.log.Error("leases that the last run left in the redo log can't be moved into the database: no new lease is acknowledged until they can",
			"file", s.path, "err", s.Err())
		return nil
	default:
		return fmt.Errorf("moving what is in the redo log into the database: %w", damagedIf(err))
	}
	s.redo, err = redolog.Create(s.path, id, s.nextSeq)
	if err != nil {
		// A full disk must not keep the daemon from serving who has a lease.
		s.redo = nil
		s.log.Warn("leases go straight into the database, which is slower", "file", s.path, "err", inWords(s.path, err))
	}
	return nil
}

// leftIn returns the leases in the redo log beside the database at path that aren't in it yet, condensed, and the number of the last
// segment.
func leftIn(segments []redolog.Segment, path string, id redolog.ID, moved uint64) (leases []*Lease, last uint64, err error) {
	commits, last, err := unmoved(segments, path, id, moved)
	if err != nil || len(commits) == 0 {
		return nil, last, err
	}
	if err := continues(segments, path, moved); err != nil {
		return nil, 0, err
	}
	parsed, err := parseCommits(commits)
	if err != nil {
		return nil, 0, fmt.Errorf("%w (%s-redo1, -redo2): run the labnet that wrote it, or let `labnet leases recover` move it away and say what is lost", err, path)
	}
	return condense(parsed), last, nil
}

// leftover is what an earlier run has left in the redo log while it isn't in the database yet. There is no log to write to
// until it is: its files hold this.
type leftover struct {
	leases []*Lease
	last   uint64 // segment
}

// moveLeft moves the leftover into the database, if there is one. dbMu is held, or nobody else has the store yet.
func (s *SQLite) moveLeft() error {
	if s.left == nil {
		return nil
	}
	if err := s.write(s.left.leases, transaction{moved: s.left.last}); err != nil {
		return err
	}
	s.log.Info("leases that the last run left in the redo log are in the database", "file", s.path, "leases", len(s.left.leases))
	s.left = nil
	s.setErr(nil)
	return nil
}

// withLeft adds the leftover to what is in the database.
func (s *SQLite) withLeft(leases []Lease) []Lease {
	if s.left == nil {
		return leases
	}
	all := make(map[place]Lease, len(leases))
	for _, l := range leases {
		all[place{l.Network, l.Addr}] = l
	}
	for _, l := range s.left.leases {
		all[place{l.Network, l.Addr}] = *l
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Lease) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), a.Addr.Compare(b.Addr))
	})
}

// unmoved returns the commits in the redo log beside the database at path that aren't in it yet, and the number of the last
// segment.
func unmoved(segments []redolog.Segment, path string, id redolog.ID, moved uint64) (commits [][]byte, last uint64, err error) {
	last = moved
	for _, seg := range segments {
		if seg.ID != id {
			return nil, 0, fmt.Errorf("the redo log beside it (%s-redo1, -redo2) belongs to another database: put it where it belongs, or let `labnet leases recover` move it away", path)
		}
		if seg.Seq > moved {
			commits = append(commits, seg.Payloads...)
			last = seg.Seq
		}
	}
	return commits, last, nil
}

// continues refuses a log that lacks segments which the database doesn't have either: a copy of the database has taken its
// place, or a file of the log is lost. What is left would be leases of two times, and nobody would know.
func continues(segments []redolog.Segment, path string, moved uint64) error {
	for next := moved + 1; len(segments) > 0; segments = segments[1:] {
		switch seq := segments[0].Seq; {
		case seq <= moved:
		case seq > next:
			return fmt.Errorf("it is older than the redo log beside it (%s-redo1, -redo2), and what came between is missing: put the database back that was beside that log, or let `labnet leases recover` move both away and make a new one of what they have", path)
		default:
			next++
		}
	}
	return nil
}

// redoState returns which redo log the database has, and up to which segment it is in the database.
func redoState(ctx context.Context, db querier) (id redolog.ID, moved uint64, err error) {
	var text string
	var number int64
	if err := db.QueryRowContext(ctx, "SELECT id, moved FROM redo_log").Scan(&text, &number); err != nil {
		return id, 0, damaged(fmt.Errorf("table redo_log: %w", err))
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || number < 0 {
		return id, 0, damaged(fmt.Errorf("table redo_log: %q, %d", text, number))
	}
	copy(id[:], raw)
	return id, uint64(number), nil
}
