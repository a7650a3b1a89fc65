package netcfg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// memory is a kernel that only remembers. It refuses what the real one refuses: what dangles, overlaps or isn't there.
type memory struct {
	links     []link
	addresses []linkAddress
	routes    []route
	sysctls   map[sysctlKey]string
	tables    map[tableID]*table
	next      int // index of the next link

	failAt int // the step that fails, counted from 1; 0 for none
	steps  int
}

var errInjected = errors.New("injected")

func newMemory() *memory {
	m := &memory{
		next:    10,
		links:   []link{{index: 1, name: "lo", up: true, loopback: true, mac: "00:00:00:00:00:00"}},
		sysctls: map[sysctlKey]string{ipForward: "0", defaultAcceptRA: "1"},
		tables:  map[tableID]*table{},
	}
	for i, name := range []string{"eth0", "eth1", "tap0", "tap1", "dmz0"} {
		m.links = append(m.links, link{index: i + 2, name: name, mtu: 1500, up: i < 3, mac: fmt.Sprintf("02:00:00:00:00:0%d", i)})
		m.sysctls[forwardingOf(name)] = "0"
	}
	return m
}

func (m *memory) clone() *memory {
	c := *m
	c.links, c.addresses, c.routes = slices.Clone(m.links), slices.Clone(m.addresses), slices.Clone(m.routes)
	c.sysctls = maps.Clone(m.sysctls)
	c.tables = map[tableID]*table{}
	for id, t := range m.tables {
		c.tables[id] = t.clone()
	}
	return &c
}

func (t *table) clone() *table {
	c := &table{dormant: t.dormant, chains: maps.Clone(t.chains), sets: maps.Clone(t.sets), counters: maps.Clone(t.counters), timeouts: maps.Clone(t.timeouts)}
	for name, s := range c.sets {
		s.elements = maps.Clone(s.elements)
		c.sets[name] = s
	}
	return c
}

func (m *memory) observe(cfg Config, rec record) (*facts, error) {
	c := m.clone()
	accounts, err := lookUpAccounts(cfg)
	if err != nil {
		return nil, err
	}
	f := &facts{
		machine: "a machine", links: c.links, addresses: c.addresses, routes: c.routes, sysctls: c.sysctls, tables: c.tables,
		record: rec.follow(c.links), accounts: accounts,
	}
	f.recall()
	return f, nil
}

func (m *memory) find(name string) *link {
	for i := range m.links {
		if m.links[i].name == name {
			return &m.links[i]
		}
	}
	return nil
}

func (m *memory) endStale(Config, *facts) (int, error) { return 0, nil }

func (m *memory) edit(changes []Change) error { return m.commit(changes) }

func (m *memory) readSet(id setID, _ set) (map[string]string, error) {
	t := m.tables[id.table]
	if t == nil {
		return nil, errNoLink
	}
	return maps.Clone(t.sets[id.name].elements), nil
}

func (m *memory) portOf(int, MAC) (int, error) { return 0, errNoLink }

func (m *memory) learned(int) (map[MAC]int, error) { return nil, nil }

func (m *memory) endMoved(movedPorts, map[netip.Addr]bool) (int, error) { return 0, nil }

func (m *memory) do(step []Change) error {
	m.steps++
	if m.steps == m.failAt {
		return errInjected
	}
	switch c := step[0].(type) {
	case firewallChange:
		return m.commit(step)
	case addBridge:
		if m.find(c.name) != nil {
			return fmt.Errorf("%s exists", c.name)
		}
		m.next++
		m.links = append(m.links, link{index: m.next, name: c.name, kind: "bridge"})
		m.set(c.name, c.to)
		for i, key := range bridgeKeys(c.name) {
			m.sysctls[key] = []string{m.sysctls[ipForward], "0", "1"}[i]
		}
	case setBridge:
		m.set(c.name, c.to)
	case addTAP, remakeTAP, setTAP, delTAP:
		return m.changeTAP(step)
	case delBridge:
		for _, c := range step {
			if err := m.remove(c.(delBridge).name); err != nil {
				return err
			}
		}
	case addAddress:
		m.addresses = append(m.addresses, linkAddress{link: m.find(c.link).index, prefix: c.prefix, protocol: addressProtocol})
	case delAddress:
		index := m.find(c.link).index
		m.addresses = slices.DeleteFunc(m.addresses, func(a linkAddress) bool { return a.link == index && a.prefix == c.prefix })
	case addRoute, delRoute:
		return m.changeRoute(c)
	case setSysctl:
		if _, ok := m.sysctls[c.key]; !ok {
			return errNoLink
		}
		m.sysctls[c.key] = c.to
	case attachPort:
		l := m.find(c.name)
		l.master, l.up, l.hairpin = m.find(c.bridge).index, true, false
		l.isolated = c.isolated
	case setPort:
		m.find(c.name).isolated = c.isolated
	case setHairpin:
		m.find(c.name).hairpin = c.on
	case detachPort:
		l := m.find(c.name)
		l.master, l.isolated, l.hairpin = 0, false, false
		l.up = l.up && !c.restoreDown
	}
	return nil
}

func (m *memory) remove(bridge string) error {
	l := m.find(bridge)
	if l == nil {
		return errNoLink
	}
	index := l.index
	for i := range m.links {
		if m.links[i].master == index {
			m.links[i].master, m.links[i].isolated, m.links[i].hairpin = 0, false, false
		}
	}
	m.addresses = slices.DeleteFunc(m.addresses, func(a linkAddress) bool { return a.link == index })
	m.routes = slices.DeleteFunc(m.routes, func(r route) bool { return slices.Contains(r.links, index) })
	m.links = slices.DeleteFunc(m.links, func(l link) bool { return l.name == bridge })
	for _, key := range bridgeKeys(bridge) {
		delete(m.sysctls, key)
	}
	return nil
}

func (m *memory) set(name string, to bridge) {
	l := m.find(name)
	l.mac, l.mtu, l.alias, l.stp, l.forwardDelay, l.up = to.mac, to.mtu, alias, to.stp, to.forwardDelay, to.up
}

// commit makes all changes or none.
func (m *memory) commit(step []Change) error {
	tables := m.clone().tables
	for _, c := range step {
		switch c := c.(type) {
		case addTable:
			if (tables[c.id] != nil) != c.replace {
				return fmt.Errorf("%s: exists: %t", c, !c.replace)
			}
			tables[c.id] = c.to.clone()
		case delTable:
			delete(tables, c.id)
		case addCounter:
			tables[c.table].counters[c.name] = true
		case delCounter:
			delete(tables[c.table].counters, c.name)
		case addTimeout:
			tables[c.table].timeouts[c.name] = c.to
		case delTimeout:
			delete(tables[c.table].timeouts, c.name)
		case addSet:
			s := c.to
			s.elements = maps.Clone(s.elements)
			tables[c.table].sets[c.name] = s
		case delSet:
			delete(tables[c.table].sets, c.name)
		case addChain:
			if _, ok := tables[c.table].chains[c.name]; ok {
				return fmt.Errorf("%s: exists", c)
			}
			tables[c.table].chains[c.name] = c.to
		case setChain:
			if !sameBase(tables[c.table].chains[c.name].base, c.to.base) {
				return fmt.Errorf("%s: another hook", c)
			}
			tables[c.table].chains[c.name] = c.to
		case delChain:
			delete(tables[c.table].chains, c.name)
		case setElements:
			elements := tables[c.table].sets[c.name].elements
			for e := range c.del {
				if _, ok := elements[e]; !ok {
					return fmt.Errorf("%s: no %s", c, e)
				}
				delete(elements, e)
			}
			for e, v := range c.add {
				if old, ok := elements[e]; ok && old != v {
					return fmt.Errorf("%s: %s is there with %s", c, e, old)
				}
				if c.of.interval && overlap(map[string]string{e: ""}, elements) {
					return fmt.Errorf("%s: %s overlaps", c, e)
				}
				elements[e] = v
			}
		}
	}
	for id, t := range tables {
		for name, s := range t.sets {
			for e, verdict := range s.elements {
				_, chain, _ := strings.Cut(verdict, " ")
				if _, ok := t.chains[chain]; s.verdicts && chain != "" && !ok {
					return fmt.Errorf("%s: %s of %s leads to chain %s, which isn't there", id, e, name, chain)
				}
			}
		}
	}
	m.tables = tables
	return nil
}

// host is a Host over the memory.
func (m *memory) host(t *testing.T, dir string) *Host {
	t.Helper()
	return &Host{
		log: slog.New(slog.DiscardHandler), kernel: m,
		lock:   func(context.Context) (func(), error) { return func() {}, nil },
		wake:   make(chan struct{}, 1),
		busy:   make(chan struct{}, 1),
		record: &recordFile{path: filepath.Join(dir, "netcfg.json"), boot: "this boot", netns: 1},
	}
}

// String is everything that there is, without the numbers that a kernel picks.
func (m *memory) String() string {
	var list []string
	names := map[int]string{}
	for _, l := range m.links {
		names[l.index] = l.name
	}
	for _, l := range m.links {
		if l.alias == segmentAlias {
			continue // others make it
		}
		master := names[l.master]
		if l.name == "eth2" {
			master = "" // and plug it in
		}
		l.index, l.master = 0, 0
		list = append(list, fmt.Sprintf("link %+v on %q", l, master))
	}
	for _, a := range m.addresses {
		list = append(list, fmt.Sprintf("address %s on %s by %d", a.prefix, names[a.link], a.protocol))
	}
	for _, r := range m.routes {
		if r.protocol == routeProtocol {
			list = append(list, fmt.Sprintf("route %s via %s on %s", r.dst, r.via, names[r.links[0]]))
		}
	}
	for k, v := range m.sysctls {
		if k == forwardingOf("brlan") {
			continue
		}
		list = append(list, fmt.Sprintf("sysctl %s = %s", k, v))
	}
	for id, t := range m.tables {
		list = append(list, fmt.Sprintf("table %s dormant %t counters %v timeouts %v", id, t.dormant, sortedKeys(t.counters), t.timeouts))
		for name, c := range t.chains {
			text := fmt.Sprintf("chain %s %s %+v", id, name, c.base)
			if c.base != nil {
				text = fmt.Sprintf("chain %s %s %+v", id, name, *c.base)
			}
			for _, r := range c.rules {
				text += " " + r.tag
			}
			list = append(list, text)
		}
		for name, s := range t.sets {
			list = append(list, fmt.Sprintf("set %s %s %v", id, name, s))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}
