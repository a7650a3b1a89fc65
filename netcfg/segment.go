package netcfg

import (
	"fmt"
	"path"
	"slices"
)

// segmentAlias marks the bridge of a segment in the kernel. Whoever hands an uplink over to it makes it, with this mark, and removes it.
const segmentAlias = "labnet bridged"

// Segment is a bridge on the LAN: an uplink is its port, and has handed over to it what it had. It is made and removed by others;
// here guests' links are plugged into it.
type Segment struct {
	Name   string // the network's, for messages
	Bridge string
	Uplink string   // the port towards the LAN
	Attach []string // glob patterns (path.Match) of links that become ports on sight
	TAPs   []TAP    `json:",omitempty"` // made for the guests; until there is the bridge they wait
}

// checkSegments says what no host could carry.
func (cfg Config) checkSegments() error {
	for _, s := range cfg.Segments {
		if !named(s.Bridge, 15, "-.") || !named(s.Uplink, 15, "-.") {
			return fmt.Errorf("network %q: %q and %q must be interface names", s.Name, s.Bridge, s.Uplink)
		}
		if cfg.owns(s.Bridge) {
			return fmt.Errorf("network %q: bridge %s is that of another network too", s.Name, s.Bridge)
		}
		for _, pattern := range s.Attach {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("network %q: attach pattern %q: %w", s.Name, pattern, err)
			}
		}
	}
	return nil
}

// bridgeOf returns a segment's bridge, if it is there.
func (f *facts) bridgeOf(s Segment) (link, bool) {
	l, ok := f.link(s.Bridge)
	return l, ok && l.kind == "bridge" && l.alias == segmentAlias
}

// segmentPorts are the guests' links on the segments' bridges, of this configuration or the last, and those that are recorded: who plugged
// them in may have been killed before it could record the rest. The uplink isn't ours to take off.
func (f *facts) segmentPorts(cfg Config, s *state) {
	uplinks := map[string]string{} // by bridge
	for _, segment := range slices.Concat(cfg.Segments, f.record.Config.Segments) {
		uplinks[segment.Bridge] = segment.Uplink
	}
	for _, l := range f.links {
		on, ok := f.link(f.linkName(l.master))
		if !ok || on.kind != "bridge" || on.alias != segmentAlias {
			continue
		}
		uplink, known := uplinks[on.name]
		was, recorded := f.record.port(l.name, l.index)
		if known && l.name != uplink || recorded && !known && l.mac != on.mac {
			s.ports[l.name] = port{bridge: on.name, restoreDown: recorded && was.WasDown}
		}
	}
}

// segmentPort is the segment's bridge that a link is on, or is to be plugged into.
func (f *facts) segmentPort(cfg Config, l link) (bridge string, ok bool) {
	for _, segment := range cfg.Segments {
		on, there := f.bridgeOf(segment)
		if !there || l.name == segment.Uplink {
			continue
		}
		if l.master == on.index {
			return on.name, true
		}
		// As for routed networks: who is on no bridge, or on one of ours that goes.
		leaves, _ := f.link(f.linkName(l.master))
		if l.master != 0 && (!f.ours(leaves) || cfg.owns(leaves.name)) || !f.attachable(cfg, l) {
			continue
		}
		for _, pattern := range segment.Attach {
			if matched, err := path.Match(pattern, l.name); err == nil && matched {
				return on.name, true
			}
		}
	}
	return "", false
}

// formerGuest reports a port of the bridge of a segment of the last configuration: a guest's, and never the uplink, by which the host is
// reached as long as the bridge is there, whatever the configuration says by now.
func (f *facts) formerGuest(on, l link) bool {
	return slices.ContainsFunc(f.record.Config.Segments, func(s Segment) bool {
		return on.alias == segmentAlias && s.Bridge == on.name && s.Uplink != l.name && on.mac != l.mac
	})
}

// withPorts adds, to the uplinks that are segments' bridges, the ports by which those reach the LAN. What is recorded of such a port is
// so kept until the bridge is gone, and the port is the uplink again: between the two nothing may be open that was closed.
func (f *facts) withPorts(cfg Config, uplinks []string) []string {
	for _, segment := range cfg.Segments {
		_, there := f.bridgeOf(segment)
		if _, ok := f.link(segment.Uplink); ok && there && slices.Contains(uplinks, segment.Bridge) {
			uplinks = append(uplinks, segment.Uplink)
		}
	}
	return uplinks
}

// behind is the uplink that a segment's bridge has taken over from, else the link itself: whether it forwarded before labnet did is
// known of the uplink. It is the port with the bridge's own MAC address.
func (f *facts) behind(name string) string {
	bridge, ok := f.link(name)
	if !ok || bridge.alias != segmentAlias {
		return name
	}
	for _, l := range f.links {
		if l.master == bridge.index && l.mac == bridge.mac {
			return l.name
		}
	}
	return name
}
