package netcfg

import (
	"fmt"
	"strings"
)

type (
	addTAP struct {
		name string
		to   tap
	}
	// remakeTAP makes a TAP anew whose owner, group or queues are others.
	remakeTAP struct {
		name     string
		index    int
		from, to tap
	}
	setTAP struct {
		name     string
		from, to tap
	}
	// delTAP is one of ours; adjacent ones are removed at once.
	delTAP struct {
		name  string
		index int
	}
)

func (c addTAP) Group() string    { return groupLinks }
func (c remakeTAP) Group() string { return groupLinks }
func (c setTAP) Group() string    { return groupLinks }
func (c delTAP) Group() string    { return groupLinks }

func (c addTAP) String() string {
	return fmt.Sprintf("+ link %s (tap of %s, mtu %d)", c.name, describeTAP(c.to.owner, c.to.group, c.to.multiQueue), c.to.mtu)
}

func (c remakeTAP) String() string {
	return fmt.Sprintf("~ link %s (tap of %s -> of %s, made anew)", c.name,
		describeTAP(c.from.owner, c.from.group, c.from.multiQueue), describeTAP(c.to.owner, c.to.group, c.to.multiQueue))
}

func (c setTAP) String() string {
	var parts []string
	if c.from.mtu != c.to.mtu {
		parts = append(parts, fmt.Sprintf("mtu %d -> %d", c.from.mtu, c.to.mtu))
	}
	if !c.from.marked {
		parts = append(parts, "alias "+alias)
	}
	switch {
	case !c.from.up && c.to.up:
		parts = append(parts, "down -> up")
	case c.from.up && !c.to.up:
		parts = append(parts, "up -> down")
	}
	return fmt.Sprintf("~ link %s (%s)", c.name, strings.Join(parts, ", "))
}

func (c delTAP) String() string { return "- link " + c.name }

// planTAPs gives the changes of TAP devices, and which of them come to their bridges anew.
func planTAPs(have, want *state) (grow, shrink []Change, fresh map[string]bool) {
	fresh = map[string]bool{}
	for _, name := range sortedKeys(want.taps) {
		to := want.taps[name]
		from, ok := have.taps[name]
		// Who is brought to a bridge is brought up there.
		if bridge := want.ports[name].bridge; bridge != "" && have.ports[name].bridge != bridge {
			from.up = to.up
		}
		from.vnetHdr = to.vnetHdr
		switch {
		case !ok:
			grow, fresh[name] = append(grow, addTAP{name, to}), true
		case from.fixed() != to.fixed():
			grow, fresh[name] = append(grow, remakeTAP{name, have.indexes[name], from, to}), true
		case from != to:
			grow = append(grow, setTAP{name, from, to})
		}
	}
	for _, name := range sortedKeys(have.taps) {
		if _, ok := want.taps[name]; !ok {
			shrink = append(shrink, delTAP{name, have.indexes[name]})
		}
	}
	return grow, shrink, fresh
}

// goes reports whether a TAP is removed, with its place on the bridge.
func (s *state) goes(want *state, name string) bool {
	_, is := s.taps[name]
	_, stays := want.taps[name]
	return is && !stays
}
