package netcfg

import (
	"fmt"
	"net/netip"
	"slices"
)

// A bridge that is adopted stays someone else's: it isn't made, set up or removed here, and of its ports and addresses only those
// count that were added here. Its ports that match `attach` are guests, whoever attached them.

// recordedBridge is an adopted bridge that something of ours is on.
type recordedBridge struct {
	Name      string         `json:"name"`
	Index     int            `json:"index"`
	Addresses []netip.Prefix `json:"addresses,omitempty"` // that we added: not every kernel remembers whose they are
}

// adopted is what is recorded of a bridge, by its index.
func (r record) adopted(index int) recordedBridge {
	for _, b := range r.Adopted {
		if b.Index == index {
			return b
		}
	}
	return recordedBridge{}
}

func (cfg Config) adopts(bridge string) bool {
	return slices.ContainsFunc(cfg.Networks, func(n Network) bool { return n.Bridge == bridge && n.Adopt })
}

// adopted reports whether a link is a bridge of someone else's that a configuration uses, or that something of ours is left on.
func (f *facts) adopted(cfg Config, l link) bool {
	return l.kind == "bridge" && l.alias != segmentAlias && !f.ours(l) && (cfg.adopts(l.name) || f.record.adopted(l.index).Index == l.index)
}

// managed reports whether a port of a bridge of ours or of an adopted one is a guest's: there, other ports are none of our business.
func (f *facts) managed(cfg Config, l link) bool {
	on, _ := f.link(f.linkName(l.master))
	if !f.adopted(cfg, on) || f.ourTAP(l) {
		return true
	}
	_, recorded := f.record.port(l.name, l.index)
	bridge, matches := cfg.attaches(l.name)
	return recorded || matches && bridge == on.name
}

// usable reports whether ports can be put on a bridge: one to be adopted must be there.
func (f *facts) usable(cfg Config, bridge string) bool {
	_, exists := f.link(bridge)
	return exists || !cfg.adopts(bridge)
}

// rememberAdopted is the record with what a change adds to someone else's bridge.
func (r record) rememberAdopted(c Change, f *facts) record {
	var bridge string
	var prefixes []netip.Prefix
	switch c := c.(type) {
	case addAddress:
		bridge, prefixes = c.link, []netip.Prefix{c.prefix}
	case attachPort:
		bridge = c.bridge
	case setPort:
		bridge = c.bridge
	}
	on, ok := f.link(bridge)
	if !ok || f.ours(on) || on.alias == segmentAlias {
		return r
	}
	if c, ok := c.(setPort); ok {
		l, _ := f.link(c.name)
		if _, known := r.port(c.name, l.index); !known {
			r.Ports = append(r.Ports, recordedPort{Name: c.name, Index: l.index, Stays: true, WasIsolated: l.isolated})
		}
	}
	b := r.adopted(on.index)
	b.Name, b.Index = on.name, on.index
	b.Addresses = slices.Concat(b.Addresses, prefixes)
	r.Adopted = append(slices.DeleteFunc(slices.Clone(r.Adopted), func(old recordedBridge) bool { return old.Index == b.Index }), b)
	return r
}

// forgetAdopted is what is to be remembered of adopted bridges: those that are there, with the addresses that are wanted.
func (r record) forgetAdopted(f *facts, want *state) []recordedBridge {
	var kept []recordedBridge
	for _, b := range r.Adopted {
		name := f.linkName(b.Index)
		b.Addresses = slices.DeleteFunc(slices.Clone(b.Addresses), func(p netip.Prefix) bool { return !want.addresses[address{link: name, prefix: p}] })
		used := len(b.Addresses) > 0
		for _, p := range want.ports {
			used = used || p.bridge == name
		}
		if name != "" && used {
			kept = append(kept, b)
		}
	}
	return kept
}

// bridgeMAC is the address that guests know their gateway by.
func (f *facts) bridgeMAC(cfg Config, n Network) string {
	if l, ok := f.link(n.Bridge); ok && f.adopted(cfg, l) {
		return l.mac
	}
	return stableMAC(f.machine, n.Bridge)
}

// bridgeRemedy is what to do about a link that has the name of a network's bridge.
func bridgeRemedy(n Network, l link) string {
	if l.kind == "bridge" {
		return fmt.Sprintf("name another bridge, use that one as it is (adopt = true in the network's bridge block), or remove it: ip link del %s", n.Bridge)
	}
	return fmt.Sprintf("name another bridge, or remove that one: ip link del %s", n.Bridge)
}
