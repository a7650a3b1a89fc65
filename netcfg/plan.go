package netcfg

import (
	"cmp"
	"slices"
	"strings"
)

// plan is the changes that lead from have to want. What grows comes in the order firewall, links, addresses, routes, forwarding,
// ports, so that nothing is ever forwarded unfiltered; what shrinks comes the other way round. It is pure: planned again from
// wherever a plan was broken off, it leads to the same state.
func plan(have, want *state) Plan {
	var p Plan
	rulesGrow, rulesShrink := planTables(have.tables, want.tables)

	p.Grow = append(p.Grow, rulesGrow...)
	p.Grow = append(p.Grow, planBridges(have, want)...)
	taps, tapsGone, fresh := planTAPs(have, want)
	p.Grow = append(p.Grow, taps...)
	settings, forwarding, restore := planSysctls(have, want)
	p.Grow = append(p.Grow, settings...)
	for _, a := range sortedAddresses(want.addresses) {
		if !have.addresses[a] {
			p.Grow = append(p.Grow, addAddress{a})
		}
	}
	routes, routesGone := planRoutes(have, want)
	p.Grow = append(p.Grow, routes...)
	p.Grow = append(p.Grow, forwarding...)
	for _, name := range sortedKeys(want.ports) {
		to := want.ports[name]
		switch from := have.ports[name]; {
		case from.bridge != to.bridge || fresh[name]:
			p.Grow = append(p.Grow, attachPort{name: name, bridge: to.bridge, isolated: to.isolated})
		case from.isolated != to.isolated:
			p.Grow = append(p.Grow, setPort{name: name, bridge: to.bridge, isolated: to.isolated})
		}
	}
	hairpinsOn, hairpinsOff := planHairpins(have, want, fresh)
	p.Grow = append(p.Grow, hairpinsOn...)
	p.Shrink = append(p.Shrink, hairpinsOff...)

	for _, name := range sortedKeys(have.ports) {
		if _, ok := want.ports[name]; !ok && !have.goes(want, name) {
			p.Shrink = append(p.Shrink, detachPort{name: name, port: have.ports[name]})
		}
	}
	p.Shrink = append(p.Shrink, tapsGone...)
	p.Shrink = append(p.Shrink, restore...)
	p.Shrink = append(p.Shrink, routesGone...)
	for _, a := range sortedAddresses(have.addresses) {
		if !want.addresses[a] {
			p.Shrink = append(p.Shrink, delAddress{a})
		}
	}
	for _, name := range sortedKeys(have.bridges) {
		if _, ok := want.bridges[name]; !ok {
			p.Shrink = append(p.Shrink, delBridge{name})
		}
	}
	p.Shrink = append(p.Shrink, rulesShrink...)
	return p
}

func planBridges(have, want *state) []Change {
	var changes []Change
	for _, name := range sortedKeys(want.bridges) {
		to := want.bridges[name]
		from, ok := have.bridges[name]
		switch {
		case !ok:
			changes = append(changes, addBridge{name: name, to: to})
		case from != to:
			changes = append(changes, setBridge{name: name, from: from, to: to})
		}
	}
	return changes
}

func planSysctls(have, want *state) (settings, forwarding, restore []Change) {
	keys := make([]sysctlKey, 0, len(want.sysctls))
	for k := range want.sysctls {
		keys = append(keys, k)
	}
	// A bridge before its uplink: an uplink's forwarding alone would only open what the firewall closes.
	slices.SortFunc(keys, func(a, b sysctlKey) int {
		_, aOurs := want.bridges[a.link()]
		_, bOurs := want.bridges[b.link()]
		if aOurs != bOurs {
			if aOurs {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a), string(b))
	})
	for _, k := range keys {
		to, from := want.sysctls[k], have.sysctls[k].value
		if from == to.value {
			continue
		}
		c := setSysctl{key: k, from: from, to: to.value, restore: to.restore}
		switch {
		case to.restore:
			restore = append(restore, c)
		case k.isForwarding():
			forwarding = append(forwarding, c)
		default:
			settings = append(settings, c)
		}
	}
	slices.Reverse(restore)
	return settings, forwarding, restore
}

func sortedAddresses(set map[address]bool) []address {
	list := make([]address, 0, len(set))
	for a := range set {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b address) int {
		return cmp.Or(strings.Compare(a.link, b.link), a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	return list
}

// steps cuts a plan into what is made at once: every run of firewall changes is one transaction, and bridges go together, as TAPs do.
func (p Plan) steps() [][]Change {
	const (
		alone = iota
		rules
		removals
		lostTAPs
	)
	var steps [][]Change
	for _, part := range [][]Change{p.Grow, p.Shrink} {
		kind := alone
		for _, c := range part {
			before := kind
			switch c.(type) {
			case firewallChange:
				kind = rules
			case delBridge:
				kind = removals
			case delTAP:
				kind = lostTAPs
			default:
				kind = alone
			}
			if last := len(steps) - 1; kind != alone && kind == before {
				steps[last] = append(steps[last], c)
				continue
			}
			steps = append(steps, []Change{c})
		}
	}
	return steps
}
