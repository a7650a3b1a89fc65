package netcfg

import (
	"crypto/sha256"
	"net"
	"path"
	"slices"
	"strings"
)

// desired is the state that a configuration asks for on a host of which these facts are known. It is pure.
func desired(cfg Config, f *facts) *state {
	s := newState()
	uplinks := cfg.uplinks(f)
	f.wantPorts(cfg, s)
	f.wantHairpins(cfg, s)
	s.tables = firewall(cfg, f, uplinks, s.ports)
	for _, n := range cfg.Networks {
		l, exists := f.link(n.Bridge)
		adopted := f.adopted(cfg, l)
		switch {
		case adopted:
		case n.Adopt && !exists:
			continue // it is used again when it comes back
		default:
			s.bridges[n.Bridge] = bridge{mac: stableMAC(f.machine, n.Bridge), mtu: n.MTU, marked: true, up: true}
		}
		for _, a := range n.addresses() {
			s.addresses[address{link: n.Bridge, prefix: a}] = true
		}
		n.wantRoutes(s)
		if value, ok := cfg.forwards(n, adopted); ok {
			s.sysctls[forwardingOf(n.Bridge)] = sysctlValue{value: value}
		}
		// An address that changes within its subnet must survive the removal of the one before it.
		s.sysctls[sysctlKey("net/ipv4/conf/"+n.Bridge+"/promote_secondaries")] = sysctlValue{value: "1"}
		if _, ok := f.sysctls[defaultAcceptRA]; ok && !adopted {
			s.sysctls[sysctlKey("net/ipv6/conf/"+n.Bridge+"/accept_ra")] = sysctlValue{value: "0"}
		}
	}
	for _, name := range uplinks {
		s.sysctls[forwardingOf(name)] = sysctlValue{value: "1"}
	}
	f.restore(s)
	return s
}

// restore asks for the old value of every setting that we changed and want no more, as long as it still has ours.
func (f *facts) restore(s *state) {
	for _, old := range f.record.Sysctls {
		if _, wanted := s.sysctls[old.Key]; wanted || !f.stillRecorded(old) {
			continue
		}
		if f.sysctls[old.Key] == old.Set && !f.openedSince(old) {
			s.sysctls[old.Key] = sysctlValue{value: old.Was, restore: true}
		}
	}
}

// stillRecorded reports whether the interface of a recorded setting is the one that it was recorded of.
func (f *facts) stillRecorded(old recordedSysctl) bool {
	l, ok := f.link(old.Key.link())
	return ok && l.index == old.Index
}

// openedSince reports whether someone made the host a router since the value was recorded: the kernel set every interface
// then, and taking ours back would cut off whoever asked for it.
func (f *facts) openedSince(old recordedSysctl) bool {
	return old.Key.isForwarding() && old.IPForward == "0" && f.sysctls[ipForward] == "1"
}

// wasClosed reports whether the host forwarded nothing that came in on an interface before us.
func (f *facts) wasClosed(name string) bool {
	name = f.behind(name)
	key := forwardingOf(name)
	for _, old := range f.record.Sysctls {
		if old.Key == key && f.stillRecorded(old) {
			return old.Was == "0" && !f.openedSince(old)
		}
	}
	return f.sysctls[key] == "0"
}

// closed are the interfaces that our rules in the kernel say were closed before us.
func (f *facts) closed() []string {
	if t, ok := f.tables[inetTable]; ok {
		return sortedKeys(t.sets[closedUplinks].elements)
	}
	return nil
}

// recall makes good for a record that was lost, as far as the kernel remembers: without it an uplink that we opened would count
// as one that always was.
func (f *facts) recall() {
	if f.known() || f.sysctls[ipForward] != "0" {
		return
	}
	for _, name := range f.closed() {
		l, ok := f.link(name)
		key := forwardingOf(name)
		if _, known := f.record.sysctl(key, l.index); ok && !known && f.sysctls[key] == "1" {
			f.record.Sysctls = append(slices.Clone(f.record.Sysctls), recordedSysctl{Key: key, Index: l.index, Was: "0", Set: "1", IPForward: "0"})
		}
	}
}

// uplinks are the existing interfaces that guests leave the host by.
func (cfg Config) uplinks(f *facts) []string {
	var names []string
	for _, n := range cfg.Networks {
		if n.Isolated {
			continue
		}
		if n.Uplink == "" {
			names = append(names, f.uplinks()...)
		} else if _, ok := f.link(n.Uplink); ok {
			names = append(names, n.Uplink)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return cfg.owns(name) })
	names = f.withPorts(cfg, names)
	slices.Sort(names)
	return slices.Compact(names)
}

func (cfg Config) owns(bridge string) bool {
	return slices.ContainsFunc(cfg.Networks, func(n Network) bool { return n.Bridge == bridge })
}

// wantPorts keeps every port that is on a bridge that stays, and adds our TAPs and the links that match: those that nobody uses, and
// those of a bridge of ours that goes.
func (f *facts) wantPorts(cfg Config, s *state) {
	uplinks := slices.Concat(cfg.uplinks(f), f.uplinks())
	f.wantTAPs(cfg, s)
	for _, l := range f.links {
		if f.ourTAP(l) {
			continue
		}
		if bridge, ok := f.segmentPort(cfg, l); ok && !slices.Contains(uplinks, l.name) {
			s.ports[l.name] = port{bridge: bridge}
			continue
		}
		if l.master != 0 {
			on, _ := f.link(f.linkName(l.master))
			if cfg.owns(on.name) {
				if f.managed(cfg, l) {
					s.ports[l.name] = port{bridge: on.name, isolated: cfg.isolates(on.name)}
				}
				continue
			}
			if was, ok := f.record.port(l.name, l.index); ok && was.Stays {
				s.ports[l.name] = port{bridge: on.name, isolated: was.WasIsolated}
				continue
			}
			if !f.ours(on) && !f.adopted(cfg, on) && !f.formerGuest(on, l) {
				continue
			}
		}
		if n, ok := cfg.attaches(l.name); ok && f.usable(cfg, n) && !slices.Contains(uplinks, l.name) && f.attachable(cfg, l) {
			s.ports[l.name] = port{bridge: n, isolated: cfg.isolates(n)}
		}
	}
}

func (cfg Config) attaches(name string) (bridge string, ok bool) {
	for _, n := range cfg.Networks {
		for _, pattern := range n.Attach {
			if matched, err := path.Match(pattern, name); err == nil && matched {
				return n.Bridge, true
			}
		}
	}
	return "", false
}

// attachable reports whether a link may be taken: Ethernet, no bridge, and not in use for the host's own traffic. With both its
// ends on bridges, as they are until a script has moved one into its guest, a veth would be a loop.
func (f *facts) attachable(cfg Config, l link) bool {
	if l.loopback || l.kind == "bridge" || len(l.mac) != len("00:00:00:00:00:00") {
		return false
	}
	for _, other := range f.links {
		if l.kind == "veth" && l.lower == other.index {
			if _, both := cfg.attaches(other.name); both || cfg.owns(f.linkName(other.master)) {
				return false
			}
		}
		if other.kind != "veth" && other.lower == l.index && other.index != l.index {
			return false // a VLAN, say, stands on it
		}
	}
	for _, a := range f.addresses {
		if a.link == l.index && !a.prefix.Addr().IsLinkLocalUnicast() {
			return false
		}
	}
	return true
}

// stableMAC is a bridge's MAC address: the same on every run of a machine, and locally administered (IEEE 802 section 8.2.2).
func stableMAC(machine, name string) string {
	sum := sha256.Sum256([]byte("labnet bridge\x00" + strings.TrimSpace(machine) + "\x00" + name))
	mac := net.HardwareAddr(sum[:6])
	mac[0] = mac[0]&^1 | 2
	return mac.String()
}
