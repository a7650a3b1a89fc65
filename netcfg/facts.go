package netcfg

import (
	"net/netip"
	"slices"
)

// facts is what was observed of a host, ours and foreign, in one look.
type facts struct {
	machine   string // what bridges' MAC addresses are derived from, besides their names
	links     []link
	addresses []linkAddress
	routes    []route
	routed6   map[int]bool         // links by which IPv6 is routed, beyond the link itself
	sysctls   map[sysctlKey]string // absent: doesn't exist
	tables    map[tableID]*table   // ours
	record    record               // empty if there is none, or one of another boot or namespace
	accounts  accounts             // that the configuration names
	followed  followed             // what the follower would have in its sets
}

// link is an interface.
type link struct {
	index        int
	name         string
	kind         string // rtnl kind, "" for hardware
	alias        string
	mac          string
	mtu          int
	up           bool
	loopback     bool
	master       int
	lower        int // the link that it stands on, or the other end of a veth, if that is in this namespace; 0 if not
	stp          bool
	forwardDelay uint32
	isolated     bool // as a port of its bridge
	group        uint32
	tun          tun // if that is its kind

	carrier       bool
	callsIPTables bool // of a bridge: it shows its frames to the IP rules, whatever the switch for all of them
	hairpin       bool // of a port
}

// addressProtocol marks addresses as made by us, in the kernels that know IFA_PROTO (5.18).
const addressProtocol = 0x6c

type linkAddress struct {
	link     int
	prefix   netip.Prefix
	protocol uint8
}

type route struct {
	table uint32
	dst   netip.Prefix
	links []int // outgoing
	mtu   int   // of packets by it; 0: its link's

	via      netip.Addr // the next hop, where there is a single one
	protocol uint8      // who made it
}

func (f *facts) link(name string) (link, bool) {
	for _, l := range f.links {
		if l.name == name {
			return l, true
		}
	}
	return link{}, false
}

func (f *facts) linkName(index int) string {
	for _, l := range f.links {
		if l.index == index {
			return l.name
		}
	}
	return ""
}

// ours reports whether a bridge is ours: it has our mark, or our MAC address and is recorded, its mark overwritten by someone's
// description, or it was born with our address and killed before its marking.
func (f *facts) ours(l link) bool {
	if l.kind != "bridge" {
		return false
	}
	if l.alias == alias {
		return true
	}
	if l.mac != stableMAC(f.machine, l.name) {
		return false
	}
	if f.record.Config.owns(l.name) {
		return true
	}
	if l.alias != "" || l.up {
		return false
	}
	for _, a := range f.addresses {
		if a.link == l.index {
			return false
		}
	}
	for _, p := range f.links {
		if p.master == l.index {
			return false
		}
	}
	return true
}

// have is the part of the facts that is ours or wanted by a configuration, and those settings of others that we change.
func (f *facts) have(cfg Config) *state {
	s := newState()
	s.tables = f.tables
	bridges := map[int]string{}
	for _, l := range f.links {
		if f.adopted(cfg, l) {
			bridges[l.index] = l.name
		}
		if !f.ours(l) {
			continue
		}
		bridges[l.index] = l.name
		s.bridges[l.name] = bridge{
			mac: l.mac, mtu: l.mtu, marked: l.alias == alias, stp: l.stp, forwardDelay: l.forwardDelay, up: l.up,
		}
	}
	for _, l := range f.links {
		if name, ok := bridges[l.master]; ok && f.managed(cfg, l) {
			was, ok := f.record.port(l.name, l.index)
			s.ports[l.name] = port{bridge: name, isolated: l.isolated, restoreDown: ok && was.WasDown, hairpin: l.hairpin}
		}
	}
	f.haveTAPs(s)
	f.segmentPorts(cfg, s)
	for _, a := range f.addresses {
		if name, ok := bridges[a.link]; ok && a.prefix.Addr().Is4() && f.madeByUs(cfg, name, a) {
			s.addresses[address{link: name, prefix: a.prefix}] = true
		}
	}
	f.haveRoutes(s)
	for k, v := range f.sysctls {
		s.sysctls[k] = sysctlValue{value: v}
	}
	return s
}

// madeByUs tells our addresses on our bridges from those that someone added by hand, which stay.
func (f *facts) madeByUs(cfg Config, bridge string, a linkAddress) bool {
	if a.protocol == addressProtocol {
		return true
	}
	known := slices.Concat(cfg.Networks, f.record.Config.Networks)
	if l, _ := f.link(bridge); f.adopted(cfg, l) {
		// It may have been there before us.
		if slices.Contains(f.record.adopted(l.index).Addresses, a.prefix) {
			return true
		}
		known = cfg.Networks
	}
	for _, n := range known {
		if n.Bridge == bridge && slices.Contains(n.addresses(), a.prefix) {
			return true
		}
	}
	return false
}

// uplinks are the interfaces that default routes leave by, in any table; the two halves that VPNs lay over the default route
// count as one.
func (f *facts) uplinks() []string {
	var names []string
	seen := map[int]bool{}
	for _, r := range f.routes {
		if r.dst.Bits() > 1 || !r.dst.Addr().Is4() {
			continue
		}
		for _, index := range r.links {
			if seen[index] {
				continue
			}
			seen[index] = true
			for _, l := range f.links {
				if l.index == index && !l.loopback && !f.ours(l) {
					names = append(names, l.name)
				}
			}
		}
	}
	return names
}

// sysctlKeys are the settings whose values planning a configuration needs.
func (f *facts) sysctlKeys(cfg Config) []sysctlKey {
	keys := []sysctlKey{ipForward, defaultAcceptRA, conntrackMax}
	if cfg.publishes() {
		keys = append(keys, bridgeCallsIPTables)
	}
	for _, n := range cfg.Networks {
		keys = append(keys, bridgeKeys(n.Bridge)...)
		if n.Uplink != "" {
			keys = append(keys, forwardingOf(n.Uplink))
		}
	}
	for _, name := range slices.Concat(cfg.uplinks(f), f.uplinks(), f.closed()) {
		keys = append(keys, forwardingOf(name))
	}
	for _, s := range f.record.Sysctls {
		keys = append(keys, s.Key)
	}
	return keys
}

func bridgeKeys(name string) []sysctlKey {
	return []sysctlKey{
		forwardingOf(name),
		sysctlKey("net/ipv4/conf/" + name + "/promote_secondaries"),
		sysctlKey("net/ipv6/conf/" + name + "/accept_ra"),
	}
}
