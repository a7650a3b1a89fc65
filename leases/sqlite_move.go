package leases

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// What is in the log is moved when nothing was committed for calmAfter, or moveAfter at the latest: many leases make one
// transaction while there is load, and with little load who looks into the database sees what there is.
const (
	calmAfter = 100 * time.Millisecond
	moveAfter = 2 * time.Second
)

// moveAgain is how long nothing is tried after a move that failed.
const moveAgain = 5 * time.Second

// Err returns why what is in the redo log can't be moved into the database, or nil: nothing is lost, but the log has an end. It
// waits for nothing, not even a disk that hangs.
func (s *SQLite) Err() error {
	if err := s.moveErr.Load(); err != nil {
		return *err
	}
	return nil
}

// setErr notes what came of a move, and returns what came of the one before. dbMu is held.
func (s *SQLite) setErr(err error) (before error) {
	before = s.Err()
	if err == nil {
		s.moveErr.Store(nil)
	} else {
		s.moveErr.Store(&err)
	}
	return before
}

// keepMoving moves what is in the log into the database, until ctx ends.
func (s *SQLite) keepMoving(ctx context.Context) {
	defer close(s.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		if !s.awaitMove(ctx) {
			return
		}
		s.dbMu.Lock()
		_, err := s.move()
		if err == nil {
			s.checkpoint(ctx)
		}
		s.dbMu.Unlock()
		again := time.Duration(0)
		if err != nil {
			again = moveAgain
		} else if !s.somethingToMove() {
			continue
		}
		if !sleep(ctx, again) {
			return
		}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// awaitMove waits until it is time for a move; it returns false when ctx has ended.
func (s *SQLite) awaitMove(ctx context.Context) bool {
	for latest := time.Now().Add(moveAfter); ; {
		s.mu.Lock()
		calm := time.Since(s.lastCommit)
		now := s.ended != nil || calm >= calmAfter || s.closed
		s.mu.Unlock()
		if now || time.Now().After(latest) {
			return ctx.Err() == nil
		}
		if !sleep(ctx, max(calmAfter-calm, calmAfter/10)) {
			return false
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (s *SQLite) somethingToMove() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil || s.redo != nil && s.redo.Count() > 0
}

// moveAll moves everything that is in the log. dbMu is held.
func (s *SQLite) moveAll() error {
	if err := s.moveLeft(); err != nil {
		return err
	}
	for {
		if moved, err := s.move(); err != nil || !moved {
			return err
		}
	}
}

// move moves one segment of the log, the older one, if there is any; it ends the present one for that if it must. dbMu is held.
func (s *SQLite) move() (moved bool, err error) {
	s.mu.Lock()
	redo := s.redo
	if s.ended == nil && redo != nil && redo.Count() > 0 {
		s.ended = &segment{Ended: redo.Turn()}
	}
	seg := s.ended
	s.mu.Unlock()
	if seg == nil {
		return false, nil
	}
	err = damagedIf(s.moveSegment(seg))
	switch before := s.setErr(inWords(s.path, err)); {
	case err != nil && before == nil:
		s.log.Error("leases can't be moved from the redo log into the database; they are safe, but the log has an end", "file", s.path, "err", s.Err())
	case err == nil && before != nil:
		s.log.Info("leases go into the database again", "file", s.path)
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = nil
	return true, nil
}

func (s *SQLite) moveSegment(seg *segment) error {
	commits, err := s.redo.Payloads(seg.Ended)
	if err != nil {
		return err
	}
	leases, err := parseCommits(commits)
	if err != nil {
		return err
	}
	if err := s.write(condense(leases), transaction{moved: seg.Seq, paced: true}); err != nil {
		return err
	}
	s.redo.Recycle(seg.Ended, seg.full)
	return nil
}

func parseCommits(commits [][]byte) (leases []Lease, err error) {
	count := 0
	for _, c := range commits {
		count += redoCount(c)
	}
	leases = make([]Lease, 0, count)
	for _, c := range commits {
		if leases, err = parseRedo(leases, c); err != nil {
			return nil, err
		}
	}
	return leases, nil
}

// condense brings leases into the order of the table, which makes neighbours share pages, and leaves out what makes no
// difference in the end: of several states of one lease that differ in times only the first and the last count, for the
// history is made of the others.
func condense(leases []Lease) []*Lease {
	return condensed(inOrder(leases))
}

func condensed(order []*Lease) []*Lease {
	slices.SortStableFunc(order, func(a, b *Lease) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), a.Addr.Compare(b.Addr))
	})
	kept := order[:0]
	for i, l := range order {
		if i > 0 && i+1 < len(order) && sameTenancy(order[i-1], l) && sameTenancy(l, order[i+1]) {
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

func inOrder(leases []Lease) []*Lease {
	order := make([]*Lease, len(leases))
	for i := range leases {
		order[i] = &leases[i]
	}
	return order
}

// sameTenancy says whether b prolongs a.
func sameTenancy(a, b *Lease) bool {
	return a.State == Bound && b.State == Bound && a.Addr == b.Addr && a.Network == b.Network &&
		a.ID == b.ID && a.HWAddr == b.HWAddr && a.Name == b.Name && a.Start.Equal(b.Start)
}
