package netcfg

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// changeTAP refuses what the kernel refuses: a name that is taken, a device that isn't there.
func (m *memory) changeTAP(step []Change) error {
	remove := func(name string, index int) error {
		l := m.find(name)
		if l == nil || l.index != index || l.kind != "tun" {
			return fmt.Errorf("there is no TAP %s with the index %d", name, index)
		}
		m.links = slices.DeleteFunc(m.links, func(l link) bool { return l.index == index })
		return nil
	}
	create := func(name string, t tap) error {
		if m.find(name) != nil {
			return fmt.Errorf("%s exists", name)
		}
		m.next++
		m.links = append(m.links, link{
			index: m.next, name: name, kind: "tun", alias: alias, mtu: t.mtu, mac: "02:00:00:00:00:99",
			tun: tun{tap: true, owner: t.owner, group: t.group, multiQueue: t.multiQueue, persistent: true},
		})
		return nil
	}
	switch c := step[0].(type) {
	case addTAP:
		return create(c.name, c.to)
	case remakeTAP:
		if err := remove(c.name, c.index); err != nil {
			return err
		}
		return create(c.name, c.to)
	case setTAP:
		l := m.find(c.name)
		if l == nil {
			return errNoLink
		}
		l.alias, l.mtu, l.up = alias, c.to.mtu, c.to.up
	case delTAP:
		for _, c := range step {
			if err := remove(c.(delTAP).name, c.(delTAP).index); err != nil {
				return err
			}
		}
	}
	return nil
}

// randomTAPs are some TAPs for a network, the same ones in every configuration, for this one or that.
func randomTAPs(r *rand.Rand, network int) []TAP {
	var taps []TAP
	for i := range 3 {
		if r.IntN(2) == 0 {
			continue
		}
		taps = append(taps, TAP{
			Name: fmt.Sprintf("vm%d.%d", network, i), Owner: []string{"", "1000", "1001"}[r.IntN(3)], Group: []string{"", "", "100"}[r.IntN(3)], MultiQueue: r.IntN(3) == 0, VnetHdr: r.IntN(2) == 0,
		})
	}
	return taps
}

// vandaliseTAPs removes TAPs of ours, takes marks off them and moves them.
func vandaliseTAPs(r *rand.Rand, m *memory) {
	m.links = slices.DeleteFunc(m.links, func(l link) bool { return l.kind == "tun" && l.alias == alias && r.IntN(4) == 0 })
	for i := range m.links {
		if l := &m.links[i]; l.kind == "tun" && l.alias == alias {
			switch r.IntN(6) {
			case 0:
				l.alias = "somebody's"
			case 1:
				l.master = 0
			}
		}
	}
}

// stirSegment makes the bridge of randomConfig's segment, or removes it: somebody else hands the uplink over, and back.
func stirSegment(r *rand.Rand, m *memory) {
	uplink := m.find("eth2")
	switch there := m.find("brlan") != nil; {
	case uplink == nil || uplink.master != 0 && m.find("brlan") == nil: // another's port
	case there && r.IntN(2) == 0:
		// Whoever takes ports away decides on their state: here, as it was.
		for _, name := range []string{"lan0", "lan1"} {
			if l := m.find(name); l != nil && l.master == m.find("brlan").index {
				l.up, l.isolated, l.hairpin = false, false, false
			}
		}
		if err := m.remove("brlan"); err != nil {
			panic(err)
		}
	case !there && r.IntN(2) == 0:
		m.next++
		uplink.master, uplink.isolated, uplink.hairpin = m.next, false, false
		m.sysctls[forwardingOf("brlan")] = "0"
		m.links = append(m.links, link{index: m.next, name: "brlan", kind: "bridge", alias: segmentAlias, mtu: 1500 - r.IntN(2), mac: uplink.mac, up: true})
	}
}
