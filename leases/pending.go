package leases

import (
	"cmp"
	"slices"
)

// pending is a change that is decided and not yet durable. It remembers what it replaced, and which pending changes it
// builds on: it can't become durable without them, and is taken back with them.
type pending struct {
	seq        uint64
	net        *netTable
	outcome    outcome
	err        error // why it was taken back
	batch      uint64
	effects    []effect
	owned      []owned
	touched    []touch
	deps       []*pending
	dependents []*pending
	client     *client
	prevSlot   *slot
	offer      *record // the hold that it used up
	effectBuf  [1]effect
	touchBuf   [3]touch
}

type outcome uint8

const (
	open outcome = iota
	done
	takenBack
)

// effect is the change of one address.
type effect struct {
	slot       *slot
	prev, next *record
}

// owned is the change of a name's owner.
type owned struct {
	name string
	cell *nameCell
	prev *slot
}

// touch is a cell that a change has written, and the change that wrote it before.
type touch struct {
	cell *cell
	prev *pending
}

func (t *Table) begin(n *netTable) *pending {
	t.seq++
	p := &pending{seq: t.seq, net: n}
	p.effects, p.touched = p.effectBuf[:0], p.touchBuf[:0]
	return p
}

// write notes that p writes c.
func (p *pending) write(c *cell) {
	q := c.last
	if q == p {
		return
	}
	if q != nil {
		p.deps = append(p.deps, q)
		q.dependents = append(q.dependents, p)
	}
	p.touched = append(p.touched, touch{c, q})
	c.last = p
}

// before returns the change that wrote c before p, and isn't durable either; nil if there is none.
func (p *pending) before(c *cell) *pending {
	for _, w := range p.touched {
		if w.cell == c && w.prev != nil && w.prev.outcome == open {
			return w.prev
		}
	}
	return nil
}

// set makes r the state of s, and gives and takes the names that go with it.
func (p *pending) set(s *slot, r *record) {
	if old := s.cur; old != nil && old.name() != "" && old.name() != r.name() {
		if c := p.net.names[old.name()]; c != nil && c.owner == s {
			p.own(old.name(), c, nil)
		}
	}
	if r.name() != "" {
		c := p.net.names[r.name()]
		if c == nil {
			c = &nameCell{}
			p.net.names[r.name()] = c
		}
		if c.owner != s {
			p.own(r.name(), c, s)
		}
	}
	p.write(&s.cell)
	p.effects = append(p.effects, effect{s, s.cur, r})
	p.net.setCur(s, r)
}

func (p *pending) own(name string, c *nameCell, s *slot) {
	p.write(&c.cell)
	p.owned = append(p.owned, owned{name, c, c.owner})
	c.owner = s
}

// setClient makes s the address of c (nil: none).
func (p *pending) setClient(c *client, s *slot) {
	p.write(&c.cell)
	p.client, p.prevSlot = c, c.slot
	c.slot = s
}

// useHold ends the hold that c has on s, and remembers it.
func (p *pending) useHold(c *client, s *slot) {
	if c.hold == s {
		p.offer = c.offer
		p.net.dropHold(c)
	}
}

// publish makes p the committed state. The changes that it builds on are published already.
func (p *pending) publish() {
	n := p.net
	for _, e := range p.effects {
		e.slot.publish(e.next)
	}
	p.outcome = done
	p.settle()
	for _, e := range p.effects {
		if e.prev != nil && e.prev.id() != e.next.id() {
			n.settle(e.prev.id())
		}
	}
	p.clear()
}

// publish makes r the committed state of s.
func (s *slot) publish(r *record) {
	n, old := s.net, s.committed
	s.committed = r
	n.recount(s, old, r)
	n.feed.add(s, old, r)
	if old != nil && old.name() != "" && old.name() != r.name() {
		if c := n.names[old.name()]; c != nil && c.published == s {
			c.published = nil
			n.forgetName(old.name())
		}
	}
	if r.name() != "" {
		n.names[r.name()].published = s
	}
}

// takeBack undoes p. Every change that builds on it is taken back already.
func (p *pending) takeBack(err error) {
	n := p.net
	p.outcome, p.err = takenBack, err
	for _, e := range slices.Backward(p.effects) {
		n.setCur(e.slot, e.prev)
	}
	for _, o := range slices.Backward(p.owned) {
		o.cell.owner = nil
		if o.prev != nil && o.prev.cur != nil && o.prev.cur.name() == o.name {
			o.cell.owner = o.prev
		}
	}
	p.client.slot = p.prevSlot
	if p.offer != nil {
		n.restoreHold(p.effects[len(p.effects)-1].slot, p.client, p.offer)
	}
	p.settle()
	for _, e := range p.effects {
		n.settle(e.next.id()) // where it isn't p.client, as that of a conflict with an offer
	}
	p.clear()
}

// settle ends p's claim on what it wrote.
func (p *pending) settle() {
	for _, w := range slices.Backward(p.touched) {
		if w.cell.last == p {
			w.cell.last = nil
			if w.prev != nil && w.prev.outcome == open {
				w.cell.last = w.prev
			}
		}
	}
	n := p.net
	if p.prevSlot != nil {
		p.prevSlot.rearm()
	}
	for _, e := range p.effects {
		e.slot.rearm()
		for _, r := range [...]*record{e.prev, e.next} {
			if r != nil && r.name() != "" {
				n.forgetName(r.name())
			}
		}
	}
	n.settle(p.client.id)
}

// rearm sets the timer of s again: its time may have come while a change was pending, when it couldn't be ended.
func (s *slot) rearm() {
	if s.cur.blocks() && s.cur.expiry != forEver {
		s.net.timers.set(s, s.cur.expiry)
	}
}

// clear lets go of what a long chain of changes would otherwise keep alive.
func (p *pending) clear() {
	p.effects, p.owned, p.touched, p.deps, p.dependents, p.client, p.prevSlot, p.offer = nil, nil, nil, nil, nil, nil, nil, nil
	p.effectBuf, p.touchBuf = [1]effect{}, [3]touch{}
}

// takeBackAll undoes changes, and all that build on them, newest first.
func takeBackAll(changes []*pending, err error) {
	var all []*pending
	seen := make(map[*pending]bool)
	var add func(p *pending)
	add = func(p *pending) {
		if p.outcome != open || seen[p] {
			return
		}
		seen[p] = true
		all = append(all, p)
		for _, q := range p.dependents {
			add(q)
		}
	}
	for _, p := range changes {
		add(p)
	}
	slices.SortFunc(all, func(a, b *pending) int { return cmp.Compare(b.seq, a.seq) })
	for _, p := range all {
		p.takeBack(err)
	}
}
