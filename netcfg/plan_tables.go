package netcfg

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// planTables gives the changes of the firewall: what is new or different first, what goes in the second part.
func planTables(have, want map[tableID]*table) (grow, shrink []Change) {
	for _, id := range sortedTables(want) {
		to, from := want[id], have[id]
		switch {
		case from == nil:
			grow = append(grow, addTable{id: id, to: to})
		case !inPlace(from, to):
			grow = append(grow, addTable{id: id, to: to, replace: true})
		default:
			g, s := planTable(id, from, to)
			grow, shrink = append(grow, g...), append(shrink, s...)
		}
	}
	for _, id := range sortedTables(have) {
		if want[id] == nil {
			shrink = append(shrink, delTable{id: id, from: have[id]})
		}
	}
	return grow, shrink
}

// inPlace reports whether a table can become another without being built anew: hooks and types of sets are fixed at birth.
func inPlace(from, to *table) bool {
	if from.dormant != to.dormant {
		return false
	}
	for name, c := range to.chains {
		if old, ok := from.chains[name]; ok && !sameBase(old.base, c.base) {
			return false
		}
	}
	for name, s := range to.sets {
		if old, ok := from.sets[name]; ok && (old.key != s.key || old.value != s.value || old.verdicts != s.verdicts || old.interval != s.interval || old.dynamic != s.dynamic || old.lasting != s.lasting) {
			return false
		}
	}
	return sameTimeouts(from, to)
}

func sameBase(a, b *base) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func planTable(id tableID, from, to *table) (grow, shrink []Change) {
	for _, name := range sortedKeys(to.counters) {
		if !from.counters[name] {
			grow = append(grow, addCounter{id, name})
		}
	}
	grow = append(grow, newTimeouts(id, from, to)...)
	for _, name := range sortedKeys(to.sets) {
		s := to.sets[name]
		old, ok := from.sets[name]
		if !ok {
			grow = append(grow, addSet{id, name, s})
			continue
		}
		if s.followed {
			continue
		}
		now, later := planElements(old, s)
		for _, c := range []struct {
			to       *[]Change
			elements setElements
		}{{&grow, now}, {&shrink, later}} {
			if len(c.elements.add)+len(c.elements.del) > 0 {
				c.elements.table, c.elements.name, c.elements.of = id, name, s
				*c.to = append(*c.to, c.elements)
			}
		}
	}
	for _, name := range sortedKeys(to.chains) {
		c := to.chains[name]
		old, ok := from.chains[name]
		switch {
		case !ok:
			grow = append(grow, addChain{id, name, c})
		case !slices.EqualFunc(old.rules, c.rules, func(a, b rule) bool { return a.tag == b.tag }):
			grow = append(grow, setChain{id, name, old, c})
		}
	}
	for _, name := range sortedKeys(from.sets) {
		// A map that leads to a chain holds it for as long as it has the element.
		if s := from.sets[name]; s.verdicts && len(s.elements) > 0 {
			if _, stays := to.sets[name]; !stays {
				shrink = append(shrink, setElements{table: id, name: name, of: s, del: maps.Clone(s.elements)})
			}
		}
	}
	for _, name := range sortedKeys(from.chains) {
		if _, ok := to.chains[name]; !ok {
			shrink = append(shrink, delChain{id, name})
		}
	}
	for _, name := range sortedKeys(from.sets) {
		if _, ok := to.sets[name]; !ok {
			shrink = append(shrink, delSet{id, name})
		}
	}
	for _, name := range sortedKeys(from.counters) {
		if !to.counters[name] {
			shrink = append(shrink, delCounter{id, name})
		}
	}
	return grow, append(shrink, oldTimeouts(id, from, to)...)
}

// planElements keeps what goes until the end, unless it stands in the way: intervals of a set can't overlap.
func planElements(from, to set) (grow, shrink setElements) {
	grow = setElements{add: map[string]string{}, del: map[string]string{}}
	shrink = setElements{del: map[string]string{}}
	for e, verdict := range to.elements {
		old, ok := from.elements[e]
		if ok && old == verdict {
			continue
		}
		if ok {
			grow.del[e] = old
		}
		grow.add[e] = verdict
	}
	for e, verdict := range from.elements {
		if _, ok := to.elements[e]; !ok {
			shrink.del[e] = verdict
		}
	}
	if to.interval && overlap(grow.add, shrink.del) {
		maps.Copy(grow.del, shrink.del)
		clear(shrink.del)
	}
	return grow, shrink
}

func overlap(a, b map[string]string) bool {
	for x := range a {
		p, err := netip.ParsePrefix(x)
		for y := range b {
			q, err2 := netip.ParsePrefix(y)
			if err != nil || err2 != nil || p.Overlaps(q) {
				return true
			}
		}
	}
	return false
}

func sortedTables(tables map[tableID]*table) []tableID {
	ids := slices.Collect(maps.Keys(tables))
	slices.SortFunc(ids, func(a, b tableID) int {
		if a.family != b.family {
			return int(a.family) - int(b.family)
		}
		return strings.Compare(a.name, b.name)
	})
	return ids
}
