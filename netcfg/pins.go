package netcfg

import "github.com/google/nftables/expr"

// A TAP that says which MAC address its guest has is pinned under a strict guard: the address belongs to the TAP, whether its guest has
// been heard there or not, and from the TAP nothing passes with another.

// pinned is the set of a network's pinned TAPs.
const pinned = "pinned_"

// pins are the pinned TAPs of a configuration.
type pins struct {
	ports map[stationID]string // where a card belongs
	taken map[portID]bool
}

type portID struct{ network, name string }

func (cfg Config) pins() pins {
	p := pins{map[stationID]string{}, map[portID]bool{}}
	for _, n := range cfg.Networks {
		if n.Guard != GuardStrict {
			continue
		}
		for _, t := range n.pinned() {
			p.ports[stationID{n.Name, t.Guest}] = t.Name
			p.taken[portID{n.Name, t.Name}] = true
		}
	}
	return p
}

// pinned are a network's TAPs that say which MAC address their guest has.
func (n Network) pinned() []TAP {
	var taps []TAP
	for _, t := range n.TAPs {
		if t.Guest != (MAC{}) {
			taps = append(taps, t)
		}
	}
	return taps
}

// portOf is the port that a card belongs to, "" while it isn't known: that of its pin, else where it was heard, unless that is another's.
func (p pins) portOf(id stationID, s *station) string {
	if port, ok := p.ports[id]; ok {
		return port
	}
	if s == nil || p.taken[portID{id.network, s.port}] {
		return ""
	}
	return s.port
}

// pinPorts declares the set of a network's pinned TAPs, if it has some.
func (t *table) pinPorts(n Network) {
	taps := n.pinned()
	if len(taps) == 0 {
		return
	}
	t.declare(keyIfname, false, false, pinned+n.Name)
	for _, tap := range taps {
		t.add(pinned+n.Name, tap.Name, "")
	}
}

// unlike matches, from pinned TAPs, other MAC addresses than theirs.
func (g guestRules) unlike(mac field) part {
	return part{
		iifTo(reg1), lookup(pinned + g.n.Name),
		mac.to(afterName), &expr.Lookup{SourceRegister: reg1, SetName: stations + g.n.Name, Invert: true},
	}
}

// notItsOwn drops what has a MAC address that belongs to another port or, from a pinned TAP, that isn't its own.
func (g guestRules) notItsOwn(comment string, context part, mac field) []rule {
	rules := []rule{frame(comment, context, g.elsewhere(mac), impostor, drop())}
	if len(g.n.pinned()) > 0 {
		rules = append(rules, frame("not the MAC address of its tap block", context, g.unlike(mac), impostor, drop()))
	}
	return rules
}
