package leases

// How many ends of leases one call works off: a decision few, so that it stays short.
const (
	expireQuickly = 64
	expireSome    = 1024
	expireAll     = 1<<31 - 1
)

// lateWrite is the end of a lease by time. Nobody waits for it to be durable, since the stored expiry says the same; it goes
// along with the next commit.
type lateWrite struct {
	slot   *slot
	record *record
}

// due reports whether a lease ends at now or has ended.
func (t *Table) due(now int64) bool {
	at, ok := t.timers.next()
	return ok && at <= now
}

// expire ends the leases, and the rests after declines, whose time has come, at most limit.
func (t *Table) expire(now int64, limit int) {
	for ; limit > 0 && t.due(now); limit-- {
		s := t.timers.pop()
		r := s.cur
		switch {
		case !r.blocks() || r.expiry == forEver:
		case r.expiry > now:
			t.timers.set(s, r.expiry) // renewed since
		case s.last != nil:
			// A change of it is under way; its end sets the timer again.
		default:
			t.finish(s)
		}
	}
}

// finish makes s a former lease, for decisions and for everybody else.
func (t *Table) finish(s *slot) {
	n, r := s.net, s.cur
	e := r.ended(Expired, r.expiry)
	if c := n.names[r.name()]; c != nil && c.owner == s {
		c.owner = nil
	}
	n.setCur(s, e)
	s.publish(e)
	t.late = append(t.late, lateWrite{s, e})
}

// deadline makes sure that Run is awake at the time at.
func (t *Table) deadline(at int64) {
	if at < t.sleeping {
		t.sleeping = at
		t.poke()
	}
}

// poke wakes Run.
func (t *Table) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
