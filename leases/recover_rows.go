package leases

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"labnet/leases/redolog"
	"labnet/leases/sqlitefile"
)

// useLease takes a row of the table leases. A loose one may be of the past: the newest counts, and one of the tree more than all.
func (s *salvage) useLease(r sqlitefile.Row, loose bool) {
	v := r.Values
	one := row{
		network: v[0].(string), addr: v[1].(string), client: v[2].(string), hwType: v[3].(int64), hwAddr: v[4].(string), name: v[5].(string),
		state: v[6].(string), start: v[7].(int64), seen: v[9].(int64), requestedName: v[10].(string), vendor: v[11].(string), reserved: v[12].(int64),
	}
	if end, ok := v[8].(int64); ok {
		one.expiry = sql.NullInt64{Int64: end, Valid: true}
	}
	l, err := one.lease()
	if err == nil && l.Network == "" {
		err = errors.New("no network")
	}
	if err != nil {
		if !loose {
			s.bad = append(s.bad, badLease{v, err.Error()})
		}
		return
	}
	at := place{l.Network, l.Addr}
	if had, ok := s.base[at]; ok && (s.inTree[at] || loose && !newer(&l, &had)) {
		return
	}
	s.base[at] = l
	s.inTree[at] = !loose
}

// newer says whether a is a later state of an address than b, as far as that can be told.
func newer(a, b *Lease) bool {
	if !a.LastSeen.Equal(b.LastSeen) {
		return a.LastSeen.After(b.LastSeen)
	}
	return a.Start.After(b.Start)
}

// useReservation takes a row of the table reservations, as it is. One that is loose may have been ended, but nobody can tell.
func (s *salvage) useReservation(r sqlitefile.Row, _ bool) {
	v := r.Values
	k := KeptReservation{Network: v[0].(string), Name: v[3].(string), Made: time.Unix(v[5].(int64), 0).UTC()}
	if err := k.parse(v[1].(string), v[2].(string), v[4].(string)); err != nil {
		s.Lost = append(s.Lost, fmt.Sprintf("a reservation that can't be understood: %q %q %q: %v", v[0], v[1], v[2], err))
		return
	}
	key := reservationKey{k.Network, k.HWAddr, k.ID}
	if had, ok := s.reservations[key]; !ok || k.Made.After(had.Made) {
		s.reservations[key] = k
	}
}

// reservationKey says which client of which network.
type reservationKey struct {
	network string
	hwAddr  HWAddr
	id      ClientID
}

func (s *salvage) useAside(r sqlitefile.Row, _ bool) { s.aside = append(s.aside, r.Values) }

func (s *salvage) useRedoState(r sqlitefile.Row, _ bool) {
	raw, err := hex.DecodeString(r.Values[0].(string))
	moved := r.Values[1].(int64)
	if err != nil || len(raw) != len(s.id) || moved < 0 || s.idKnown {
		return
	}
	s.id, s.moved, s.idKnown = redolog.ID(raw), uint64(moved), true
}

// readLog adds what the redo log has: what isn't in the database yet, in order, and what was and can't be read there any more.
func (s *salvage) readLog() {
	if len(s.segments) == 0 {
		return
	}
	if s.idKnown && s.segments[0].ID != s.id || s.segments[0].ID != s.segments[len(s.segments)-1].ID {
		s.Lost = append(s.Lost, "the redo log belongs to another database: nothing of it is used")
		return
	}
	next, fromLog := s.moved+1, make(map[place]bool)
	for _, seg := range s.segments {
		leases, bad := readCommits(seg.Payloads)
		if bad > 0 {
			s.Lost = append(s.Lost, count(bad, "commit")+" of the redo log can't be understood: the labnet that wrote it may")
		}
		if s.idKnown && seg.Seq > next {
			s.Lost = append(s.Lost, "what was leased after the database and before the redo log: "+count(int(min(seg.Seq-next, 1<<30)), "part")+" of the log")
		}
		next = max(next, seg.Seq+1)
		for i := range leases {
			if s.useLogged(&leases[i], seg.Seq) {
				fromLog[place{leases[i].Network, leases[i].Addr}] = true
			}
		}
	}
	s.FromLog = len(fromLog)
}

// useLogged takes a lease of the log, if the database hasn't got it already.
func (s *salvage) useLogged(l *Lease, seq uint64) bool {
	at := place{l.Network, l.Addr}
	had, ok := s.base[at]
	switch {
	case s.idKnown && seq > s.moved:
		s.logged = append(s.logged, l)
		return true
	case ok && (s.idKnown && s.inTree[at] || !newer(l, &had)):
		return false // the database has come further since
	}
	s.base[at] = *l
	return true
}

// readCommits returns the leases of commits up to the first that can't be understood, and how many follow.
func readCommits(commits [][]byte) (leases []Lease, bad int) {
	for i, c := range commits {
		more, err := parseRedo(leases, c)
		if err != nil {
			return leases, len(commits) - i
		}
		leases = more
	}
	return leases, 0
}
