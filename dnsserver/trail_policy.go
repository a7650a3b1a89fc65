package dnsserver

import (
	"fmt"

	"github.com/miekg/dns"

	"labnet/dnsserver/blocklist"
)

// listed notes what the block lists say of the target: p is the answer in its place, nil for none.
func (t *trail) listed(l *lookup, p *packed) {
	switch {
	case t == nil || len(l.snap.block.list) == 0:
	case p != nil:
		t.blocked(l, l.target)
	case l.exempt:
		t.note(l, Step{Stage: stagePolicy, Says: "an exception from the block lists lets it through, wherever it leads"})
	default:
		t.note(l, Step{Stage: stagePolicy, Says: "on no block list"})
	}
}

// judged notes that an answer is withheld, because of what is in it.
func (t *trail) judged(l *lookup, records []dns.RR) {
	if t == nil {
		return
	}
	for _, rr := range records {
		if c, ok := rr.(*dns.CNAME); ok && l.why == blocked {
			if n, err := parseName(c.Target); err == nil && l.snap.block.names(n) {
				t.blocked(l, n)
				return
			}
		}
	}
	t.note(l, Step{Stage: stagePolicy, Says: l.why.text(), Reason: l.why.String()})
}

// judgedAnswer is judged of an answer that is packed.
func (t *trail) judgedAnswer(l *lookup, p *packed, now moment) {
	if t == nil {
		return
	}
	records, _, err := p.records(now)
	if err == nil {
		t.judged(l, records)
	}
}

func (t *trail) blocked(l *lookup, n name) {
	t.barred = n
	t.note(l, Step{Stage: stagePolicy, Says: n.String() + " is on a block list", Reason: blocked.String()})
}

// names tells whether a name is blocked.
func (b *blocking) names(n name) bool {
	verdict, _ := b.list.Match([]byte(n))
	return verdict == blocklist.Blocked
}

// shownEntries is how many lines of block lists are named.
const shownEntries = 3

// whichList adds to the step that names a blocked name, the last one, what the files say of it.
func (t *trail) whichList(found []blocklist.Entry, err error) {
	s := &t.steps[len(t.steps)-1]
	shown := 0
	for _, e := range found {
		if e.Reach == blocklist.Exempt {
			continue
		}
		if shown++; shown > shownEntries {
			s.Says += "; and more"
			return
		}
		s.Says += fmt.Sprintf("; %s:%d: %s", e.File, e.Line, e.Text)
	}
	if shown == 0 {
		s.Says += "; the files have changed since"
	}
	if err != nil {
		s.Says += fmt.Sprintf("; %v", err)
	}
}
