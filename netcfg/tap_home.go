package netcfg

import (
	"fmt"
	"slices"
)

// tapHome is where TAPs belong: a network, or a segment.
type tapHome struct {
	network, bridge string
	uplink          string // of a segment
	mtu             int    // of a network; a segment has its uplink's
	taps            []TAP
}

// tapHomes are those of a configuration that may have TAPs.
func (cfg Config) tapHomes() []tapHome {
	all := make([]tapHome, 0, len(cfg.Networks)+len(cfg.Segments))
	for _, n := range cfg.Networks {
		all = append(all, tapHome{network: n.Name, bridge: n.Bridge, mtu: n.MTU, taps: n.TAPs})
	}
	for _, s := range cfg.Segments {
		all = append(all, tapHome{network: s.Name, bridge: s.Bridge, uplink: s.Uplink, taps: s.TAPs})
	}
	return all
}

// waits reports whether the bridge of a home comes and goes while the home stays.
func (p tapHome) waits() bool { return p.uplink != "" }

// homeOf returns where a TAP belongs.
func (cfg Config) homeOf(name string) (p tapHome, ok bool) {
	for _, p := range cfg.tapHomes() {
		if slices.ContainsFunc(p.taps, func(t TAP) bool { return t.Name == name }) {
			return p, true
		}
	}
	return tapHome{}, false
}

// ready reports whether TAPs can be put on the bridge of a home, and which MTU they have. They wait for a bridge that others make, a
// segment's or one that is adopted; until then they are down, so that nothing that is said behind them reaches the host.
func (f *facts) ready(cfg Config, p tapHome) (mtu int, ready bool) {
	if !p.waits() {
		return p.mtu, f.usable(cfg, p.bridge)
	}
	for _, s := range cfg.Segments {
		if s.Bridge != p.bridge {
			continue
		}
		if on, there := f.bridgeOf(s); there {
			return on.mtu, true
		}
	}
	if l, there := f.link(p.uplink); there {
		return l.mtu, false
	}
	return 1500, false
}

// checkTAPs says what no host could carry of the TAPs.
func (cfg Config) checkTAPs() error {
	all := cfg.tapHomes()
	for _, p := range all {
		if err := p.completeTAPs(all); err != nil {
			return fmt.Errorf("network %q: %w", p.network, err)
		}
		for _, t := range p.taps {
			if slices.ContainsFunc(cfg.Networks, func(n Network) bool { return n.Uplink == t.Name }) {
				return fmt.Errorf("network %q: the TAP %s has the name of an uplink", p.network, t.Name)
			}
		}
	}
	return nil
}
