package leases

import (
	"fmt"
	"maps"
	"slices"

	"labnet/leases/sqlitefile"
)

// The shapes of the tables' rows, as sqlitefile has them.
const (
	leaseShape        = "tttitttiiitti"
	leaseForEverShape = "tttitttinitti" // without expiry
	historyShape      = "nttttttii"
	reservationShape  = "ttttti"
	asideShape        = "itt"
	redoShape         = "ti"
)

// salvaged is a table as far as it can be read.
type salvaged struct {
	name    string
	withID  bool // it has rowids
	shapes  []string
	use     func(r sqlitefile.Row, loose bool)
	damaged bool
	damage  sqlitefile.Damage
	loose   int // rows on pages that its tree doesn't lead to
}

func (t *salvaged) takes(r sqlitefile.Row) bool { return slices.Contains(t.shapes, r.Shape()) }

// read reads what can be read. Rows of the history go to draft, if there is one.
func (s *salvage) read(d *draft) error {
	var failed error
	history := func(r sqlitefile.Row, _ bool) {
		if s.rows[r.ID] {
			return
		}
		s.rows[r.ID] = true
		if d != nil && failed == nil {
			failed = d.addHistory(r)
		}
	}
	if s.file != nil {
		s.readFile([]*salvaged{
			{name: "redo_log", withID: true, shapes: []string{redoShape}, use: s.useRedoState},
			{name: "leases", shapes: []string{leaseShape, leaseForEverShape}, use: s.useLease},
			{name: "reservations", shapes: []string{reservationShape}, use: s.useReservation},
			{name: "set_aside", withID: true, shapes: []string{asideShape}, use: s.useAside},
			{name: "history", withID: true, shapes: []string{historyShape}, use: history},
		})
	}
	s.readLog()
	s.count()
	return failed
}

// readFile reads each table by its tree and then, if trees are damaged, the pages that none leads to.
func (s *salvage) readFile(tables []*salvaged) {
	roots, schema := s.file.Roots()
	broken := !schema.Whole()
	for _, t := range tables {
		root, ok := roots[t.name]
		switch {
		case ok:
			t.damage = s.file.Walk(root, t.withID, func(r sqlitefile.Row) bool {
				if !t.takes(r) {
					return false
				}
				t.use(r, false)
				return true
			})
			t.damaged = !t.damage.Whole()
		case !schema.Whole():
			t.damaged = true // where it begins is unknown
		}
		broken = broken || t.damaged
	}
	if !broken {
		return
	}
	s.file.Skip(roots)
	s.file.Rest(func(r sqlitefile.Row, withID bool) {
		for _, t := range tables {
			if t.damaged && t.withID == withID && t.takes(r) {
				t.use(r, true)
				t.loose++
			}
		}
	})
	if !schema.Whole() {
		s.Lost = append(s.Lost, "where the tables begin: they were looked for page by page")
	}
	for _, t := range tables {
		if text := t.lost(); text != "" {
			s.Lost = append(s.Lost, text)
		}
	}
}

// lost says what of a table is missing, as far as that can be told.
func (t *salvaged) lost() string {
	if t.damage.Whole() {
		return ""
	}
	text := fmt.Sprintf("table %s: %s can't be read", t.name, count(t.damage.Pages, "page"))
	if t.damage.Pages == 0 {
		text = fmt.Sprintf("table %s: %s can't be read", t.name, count(t.damage.Cells, "row"))
	}
	// What was found without the tree isn't lost.
	if rows := t.damage.Lost() - t.loose; rows > 0 && t.damage.Pages > 0 {
		text += fmt.Sprintf(", about %s", count(rows, "row"))
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// count is for the report.
func (s *salvage) count() {
	all := maps.Clone(s.base)
	for _, l := range s.logged {
		all[place{l.Network, l.Addr}] = *l
	}
	s.Leases, s.History, s.Reservations = len(all), len(s.rows), len(s.reservations)
	for _, l := range all {
		if l.State == Bound {
			s.Bound++
		}
	}
	if len(s.bad) > 0 {
		s.Lost = append(s.Lost, count(len(s.bad), "lease")+" that can't be understood: they go into the table set_aside")
	}
}
