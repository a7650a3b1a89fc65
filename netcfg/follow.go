package netcfg

import (
	"errors"
	"maps"
	"net/netip"
	"sync"
)

// follower keeps those sets of our tables that say who has which address. They change too often for a look at the whole host each time, and
// too soon: a guest uses its address as soon as it has it. So they change by themselves, elements only, and Run compares them with the
// kernel's when it looks at the rest.
type follower struct {
	// mu guards what follows, and is held while the sets are read or changed.
	mu sync.Mutex
	roster
	cfg  Config        // whose sets these are
	pins pins          // of cfg
	sets map[setID]set // as they are in the kernel, as far as is known; nil: nothing of ours is there

	links map[int]string      // the names of the host's links
	index map[string]int      // and the other way round
	host  map[netip.Addr]bool // the host's addresses
}

// edit is what a change makes of a set.
type edit struct{ add, del map[string]string }

type edits map[setID]*edit

// compare adds what leads from elements to others.
func (e edits) compare(id setID, from, to map[string]string) {
	at := e[id]
	if at == nil {
		at = &edit{map[string]string{}, map[string]string{}}
		e[id] = at
	}
	for element, value := range to {
		if old, ok := from[element]; !ok || old != value {
			at.add[element] = value
		}
		if old, ok := from[element]; ok && old != value {
			at.del[element] = old
		}
	}
	for element, value := range from {
		if _, ok := to[element]; !ok {
			at.del[element] = value
		}
	}
}

// changes are the edits of sets that there are. An element that is there already isn't added again, and one that isn't there isn't taken out.
func (e edits) changes(sets map[setID]set) []Change {
	var changes []Change
	for id, at := range e {
		s, ok := sets[id]
		if !ok {
			continue
		}
		maps.DeleteFunc(at.add, func(element, value string) bool {
			old, there := s.elements[element]
			_, removed := at.del[element]
			return there && old == value && !removed
		})
		maps.DeleteFunc(at.del, func(element, _ string) bool {
			_, there := s.elements[element]
			return !there
		})
		if len(at.add)+len(at.del) > 0 {
			changes = append(changes, setElements{table: id.table, name: id.name, of: s, add: at.add, del: at.del})
		}
	}
	return changes
}

// followChanges notes changes, and brings the sets to them.
func (h *Host) followChanges(c GuestChanges) {
	f := &h.follower
	touched := map[stationID]bool{}
	for _, list := range [][]Binding{c.Add, c.Remove} {
		for _, b := range list {
			touched[stationID{b.Network, b.MAC}] = true
		}
	}
	before, after := followed{}, followed{}
	for id := range touched {
		before.addStation(id, f.stations[id], f.pins.portOf(id, f.stations[id]))
	}
	if len(c.Names) > 0 {
		before.addPublished(f.cfg, f.names)
	}
	for _, b := range c.Remove {
		f.bind(b, false)
	}
	for _, b := range c.Add {
		f.bind(b, true)
	}
	for name, addr := range c.Names {
		f.name(name, addr)
	}
	if f.sets == nil {
		return
	}
	for id := range touched {
		h.place(id)
		after.addStation(id, f.stations[id], f.pins.portOf(id, f.stations[id]))
	}
	if len(c.Names) > 0 {
		after.addPublished(f.cfg, f.names)
	}
	e := edits{}
	for _, part := range []followed{before, after} {
		for id := range part {
			if e[id] == nil {
				e.compare(id, before[id], after[id])
			}
		}
	}
	if err := h.editSets(e); err != nil {
		// Somebody else was at them, or the tables are being made anew.
		h.log.Debug("the rules don't follow the leases by what was known of them", "err", err)
		if err := h.resync(); err != nil {
			h.log.Debug("nor by what there is", "err", err)
			h.nudge()
		}
	}
}

// place finds the port of a guest whose bindings have changed: the bridge has just heard its request.
func (h *Host) place(id stationID) {
	s := h.follower.stations[id]
	if s == nil || s.port != "" {
		return
	}
	for _, n := range h.follower.cfg.Networks {
		if n.Name != id.network || n.Guard != GuardStrict {
			continue
		}
		if index, err := h.kernel.portOf(h.follower.index[n.Bridge], id.mac); err == nil {
			s.port = h.follower.links[index]
		}
	}
}

// editSets changes the kernel's sets in one transaction, and ends the connections that went by what has changed.
func (h *Host) editSets(e edits) error {
	f := &h.follower
	changes := e.changes(f.sets)
	if len(changes) == 0 {
		return nil
	}
	// Our own changes of elements are no reason to look at the host.
	h.edits.Add(1)
	if err := h.kernel.edit(changes); err != nil {
		h.edits.Add(-1)
		return err
	}
	moved := movedPorts{}
	for _, c := range changes {
		c := c.(setElements)
		elements := f.sets[setID{c.table, c.name}].elements
		for element := range c.del {
			delete(elements, element)
		}
		maps.Copy(elements, c.add)
		moved.note(c)
	}
	h.endMoved(moved)
	return nil
}

// resync compares the sets with what the kernel has.
func (h *Host) resync() error {
	f := &h.follower
	want := f.elements(f.cfg)
	e := edits{}
	for id, s := range f.sets {
		have, err := h.kernel.readSet(id, s)
		if err != nil {
			return err
		}
		s.elements = have
		f.sets[id] = s
		e.compare(id, have, want[id])
	}
	return h.editSets(e)
}

// settle brings the sets to a state of the host that has just been applied, or was found in order: their tables may be new, and guests
// may have come to other ports.
func (h *Host) settle(cfg Config, f *facts, want *state) {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	h.adopt(cfg, f, want)
	h.endMoved(movedBetween(f.tables, want.tables))
	if err := h.resync(); err != nil {
		h.log.Warn("the rules don't follow the leases for now", "err", err)
		h.nudge()
	}
}

// adopt makes the sets of a state those that are followed.
func (h *Host) adopt(cfg Config, f *facts, want *state) {
	h.follower.cfg, h.follower.pins, h.follower.sets = cfg, cfg.pins(), map[setID]set{}
	for id, t := range want.tables {
		for name, s := range t.sets {
			if s.followed {
				s.elements = map[string]string{}
				h.follower.sets[setID{id, name}] = s
			}
		}
	}
	h.follower.learn(f, cfg)
	h.placeAll(cfg, f)
}

// learn notes what names and addresses there are.
func (f *follower) learn(facts *facts, cfg Config) {
	f.links, f.index, f.host = map[int]string{}, map[string]int{}, map[netip.Addr]bool{}
	for _, l := range facts.links {
		f.links[l.index], f.index[l.name] = l.name, l.index
	}
	for _, a := range facts.addresses {
		f.host[a.prefix.Addr()] = true
	}
	for _, n := range cfg.Networks {
		for _, a := range n.addresses() {
			f.host[a.Addr()] = true
		}
	}
}

// placeAll forgets the ports of guests that aren't there any more, and finds those of guests that have none.
func (h *Host) placeAll(cfg Config, f *facts) {
	for _, n := range cfg.Networks {
		if n.Guard != GuardStrict {
			continue
		}
		on, _ := f.link(n.Bridge)
		missing := false
		for id, s := range h.follower.stations {
			if _, pinned := h.follower.pins.ports[id]; pinned || id.network != n.Name {
				continue
			}
			l, ok := f.link(s.port)
			if !ok || l.master != on.index || !l.carrier {
				s.port = ""
			}
			missing = missing || s.port == ""
		}
		if !missing {
			continue
		}
		learned, err := h.kernel.learned(on.index)
		if err != nil {
			h.log.Debug("can't see what a bridge has learned", "bridge", n.Bridge, "err", err)
			continue
		}
		for mac, index := range learned {
			l, ok := f.link(h.follower.links[index])
			if s := h.follower.stations[stationID{n.Name, mac}]; s != nil && s.port == "" && ok && l.master == on.index && l.carrier {
				s.port = l.name
			}
		}
	}
}

// strayed reports whether somebody changed the sets. What was read of them may be older than our own last change: then they are read again.
func (h *Host) strayed(have *state) bool {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	for id, s := range h.follower.sets {
		t, ok := have.tables[id.table]
		if !ok || maps.Equal(t.sets[id.name].elements, s.elements) {
			continue // a table that is gone is the plan's affair
		}
		now, err := h.kernel.readSet(id, s)
		if err != nil || !maps.Equal(now, s.elements) {
			return true
		}
	}
	return false
}

// followAgain is settle where nothing but the follower's own part may have changed: it reads nothing.
func (h *Host) followAgain(cfg Config, f *facts) {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	if h.follower.sets == nil {
		return
	}
	h.follower.learn(f, cfg)
	h.placeAll(cfg, f)
	want, e := h.follower.elements(cfg), edits{}
	for id, s := range h.follower.sets {
		e.compare(id, s.elements, want[id])
	}
	if err := h.editSets(e); err != nil {
		err = errors.Join(err, h.resync())
		h.log.Debug("the rules didn't follow the guests", "err", err)
	}
}

// unfollow forgets the sets, which are gone.
func (h *Host) unfollow() {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	h.follower.sets, h.follower.cfg, h.follower.pins = nil, Config{}, pins{}
}

// wouldFollow is what would be in the sets of a configuration.
func (h *Host) wouldFollow(cfg Config) followed {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	return h.follower.elements(cfg)
}

// endMoved makes the kernel decide anew what went to ports whose guest has another address now. Failing, it leaves connections that lead to
// nobody.
func (h *Host) endMoved(moved movedPorts) {
	if len(moved) == 0 {
		return
	}
	n, err := h.kernel.endMoved(moved, h.follower.host)
	if err != nil {
		h.log.Warn("connections to published ports go on to where their guest was", "err", err)
	}
	if n > 0 {
		h.log.Info("connections to published ports are decided anew", "connections", n)
	}
}

// follow makes a set one of the follower's, with what would be in it.
func (t *table) follow(f *facts, id tableID, name string) {
	s := t.sets[name]
	s.followed = true
	maps.Copy(s.elements, f.followed[setID{id, name}])
	t.sets[name] = s
}
