package leases

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"slices"
	"time"

	"labnet/leases/redolog"
)

// Tenancy is a time in which a client had an address, with one name and one hardware address: when one of them changes, the next
// tenancy adjoins. The texts are the database's.
type Tenancy struct {
	Network string
	Addr    netip.Addr // invalid where somebody has changed the row by hand
	Client  string     // as ClientID.String
	HWAddr  string     // as HWAddr.String
	Name    string     // DNS label, "" for none
	State   string     // bound, or how it ended: released, expired, declined; replaced by another client; changed name or hardware address
	Since   time.Time
	Until   time.Time // zero while it is bound
	Expiry  time.Time // while it is bound; zero: never
}

// HistoryQuery says which tenancies are wanted; the zero value is all. A tenancy is of a time if it overlaps it, from Since up to but
// without Until.
type HistoryQuery struct {
	Network  string                // "" for all
	Addrs    netip.Prefix          // invalid: all
	From, To time.Time             // zero: from the beginning, up to now
	Match    func(t *Tenancy) bool // nil: all. It is called by whoever reads the result
}

// historyPage is how many rows are read at a time: no transaction lasts for as long as their reader takes, since SQLite's log can't be begun
// anew while one is open.
const historyPage = 1000

// History returns who had which address, the committed leases of the moment of the call included: those that have ended in the order of
// their ends, then those that are bound in the order of their begin. It takes memory for leases that are bound, not for those that have
// ended. An error ends the sequence.
func (s *SQLite) History(ctx context.Context, q HistoryQuery, now time.Time) (iter.Seq2[Tenancy, error], error) {
	tx, rest, err := s.beginHistory(ctx)
	if err != nil {
		return nil, fmt.Errorf("lease database %s: %w", s.path, err)
	}
	defer func() { _ = tx.Rollback() }()
	h, err := newHistory(ctx, s.path, s.db, tx, q, rest, now)
	if err != nil {
		return nil, fmt.Errorf("lease database %s: %w", s.path, err)
	}
	return h.all(ctx), nil
}

// beginHistory returns a view of the database, and what is committed and not in it yet: nothing, unless it can't be moved.
func (s *SQLite) beginHistory(ctx context.Context) (tx *sql.Tx, rest []*Lease, err error) {
	s.lockDatabase()
	defer s.unlockDatabase()
	moved := s.Err()
	if moved == nil {
		moved = s.moveAll()
	}
	if moved != nil {
		if rest, err = s.notMoved(); err != nil {
			return nil, nil, errors.Join(err, moved)
		}
	}
	tx, err = beginRead(ctx, s.db)
	return tx, rest, err
}

// notMoved returns what is committed and not in the database, in the order of the moves. dbMu is held.
func (s *SQLite) notMoved() ([]*Lease, error) {
	if s.left != nil {
		return s.left.leases, nil // there is no log but that one
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redo == nil {
		return nil, nil
	}
	var commits [][]byte
	present := s.redo.Present()
	for _, seg := range []*segment{s.ended, {Ended: present}} {
		if seg == nil || seg.Count == 0 {
			continue
		}
		payloads, err := s.redo.Payloads(seg.Ended)
		if err != nil {
			return nil, err
		}
		commits = append(commits, payloads...)
	}
	leases, err := parseCommits(commits)
	return condense(leases), err
}

// ReadHistory is History without a daemon, and beside one: it reads the database at path and the redo log beside it, and changes neither. The
// sequence must be read to its end, or ended, to close the file. Without a database it is fs.ErrNotExist.
func ReadHistory(ctx context.Context, path string, q HistoryQuery, now time.Time) (_ iter.Seq2[Tenancy, error], err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("lease database %s: %w", path, err)
		}
	}()
	if err := verifyHeader(path); err != nil {
		return nil, err
	}
	db, err := openDB(path, "ro")
	if err != nil {
		return nil, err
	}
	h, err := readHistory(ctx, path, db, q, now)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func(yield func(Tenancy, error) bool) {
		defer db.Close()
		h.all(ctx)(yield)
	}, nil
}

func readHistory(ctx context.Context, path string, db *sql.DB, q HistoryQuery, now time.Time) (*history, error) {
	version, err := verifyVersion(ctx, db)
	if err != nil {
		return nil, err
	}
	for {
		h, again, err := readHistoryOnce(ctx, path, db, version, q, now)
		if err != nil || !again {
			return h, err
		}
	}
}

// readHistoryOnce says again where a daemon that runs has moved leases from the log into the database meanwhile: then they may be in neither as
// it was read.
func readHistoryOnce(ctx context.Context, path string, db *sql.DB, version int, q HistoryQuery, now time.Time) (_ *history, again bool, err error) {
	tx, err := beginRead(ctx, db)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = tx.Rollback() }()
	var rest []*Lease
	if version >= 2 {
		id, moved, err := redoState(ctx, tx)
		if err != nil {
			return nil, false, err
		}
		segments, err := redolog.Read(path)
		if err != nil {
			return nil, false, err
		}
		if _, since, err := redoState(ctx, db); err != nil || since != moved {
			return nil, err == nil, err
		}
		if rest, _, err = leftIn(segments, path, id, moved); err != nil {
			return nil, false, err
		}
	}
	h, err := newHistory(ctx, path, db, tx, q, rest, now)
	return h, false, err
}

// beginRead begins a transaction that sees the database as it is now.
func beginRead(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, damaged(err)
	}
	var version int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&version); err != nil {
		_ = tx.Rollback()
		return nil, damaged(err)
	}
	return tx, nil
}

// history is what it takes to read it page by page.
type history struct {
	path  string
	db    *sql.DB
	q     HistoryQuery
	last  int64     // id of the last row when it began: what ends later is bound for this reader
	ended []Tenancy // that have no row yet
	bound []Tenancy
}

func newHistory(ctx context.Context, path string, db *sql.DB, tx *sql.Tx, q HistoryQuery, rest []*Lease, now time.Time) (*history, error) {
	h := &history{path: path, db: db, q: q}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM history").Scan(&h.last); err != nil {
		return nil, damaged(err)
	}
	replaced := make(map[place]bool, len(rest))
	if len(rest) > 0 {
		ended, bound, err := replay(ctx, tx, rest)
		if err != nil {
			return nil, err
		}
		for _, t := range ended {
			h.add(t, now)
		}
		for _, t := range bound {
			h.add(t, now)
		}
		for _, l := range rest {
			replaced[place{l.Network, l.Addr}] = true
		}
	}
	err := eachTenancy(ctx, tx, boundSQL, nil, func(t Tenancy, _ int64) {
		if !replaced[place{t.Network, t.Addr}] {
			h.add(t, now)
		}
	})
	slices.SortStableFunc(h.ended, func(a, b Tenancy) int { return a.Until.Compare(b.Until) })
	slices.SortStableFunc(h.bound, func(a, b Tenancy) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Network, b.Network), a.Addr.Compare(b.Addr))
	})
	return h, err
}

// add keeps a tenancy that has no row in the history, if it is wanted.
func (h *history) add(t Tenancy, now time.Time) {
	if t.State == "bound" && !t.Expiry.IsZero() && !t.Expiry.After(now) {
		// It has ended, and nobody has written that yet.
		t.State, t.Until, t.Expiry = "expired", t.Expiry, time.Time{}
	}
	switch {
	case !h.q.wants(&t):
	case t.State == "bound":
		h.bound = append(h.bound, t)
	default:
		h.ended = append(h.ended, t)
	}
}

func (q *HistoryQuery) wants(t *Tenancy) bool {
	switch {
	case q.Network != "" && t.Network != q.Network:
		return false
	case q.Addrs.IsValid() && !q.Addrs.Contains(t.Addr):
		return false
	case !q.To.IsZero() && !t.Since.Before(q.To):
		return false
	case !q.From.IsZero() && !t.Until.IsZero() && !t.Until.After(q.From):
		return false
	}
	return q.Match == nil || q.Match(t)
}

func (h *history) all(ctx context.Context) iter.Seq2[Tenancy, error] {
	return func(yield func(Tenancy, error) bool) {
		page := h.firstPage()
		for more := true; more; {
			var rows []Tenancy
			var err error
			if rows, more, err = page.read(ctx, h); err != nil {
				yield(Tenancy{}, fmt.Errorf("lease database %s: %w", h.path, err))
				return
			}
			for _, t := range rows {
				if !yield(t, nil) {
					return
				}
			}
		}
		for _, some := range [][]Tenancy{h.ended, h.bound} {
			for _, t := range some {
				if !yield(t, nil) {
					return
				}
			}
		}
	}
}

// page is where the next rows of the history are.
type page struct {
	query string
	args  []any // before the place
	byEnd bool
	place [2]int64 // of the row before: until, or since of one address; and id
}

func (h *history) firstPage() page {
	p := page{place: [2]int64{math.MinInt64, 0}}
	if a := h.q.Addrs; a.IsValid() && a.IsSingleIP() {
		p.query, p.args = historyOfAddrSQL, []any{a.Addr().String()}
		return p
	}
	p.query, p.byEnd = historySQL, true
	if !h.q.From.IsZero() {
		p.place[0] = h.q.From.Unix()
	}
	return p
}

// read returns what is wanted of the next rows, and whether there are more.
func (p *page) read(ctx context.Context, h *history) (rows []Tenancy, more bool, err error) {
	count := 0
	args := append(slices.Clip(p.args), p.place[0], p.place[1], h.last, historyPage)
	err = eachTenancy(ctx, h.db, p.query, args, func(t Tenancy, id int64) {
		count++
		p.place = [2]int64{t.Since.Unix(), id}
		if p.byEnd {
			p.place[0] = t.Until.Unix()
		}
		if h.q.wants(&t) {
			rows = append(rows, t)
		}
	})
	return rows, count == historyPage, err
}
