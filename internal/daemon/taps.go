package daemon

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"labnet/internal/config"
	"labnet/leases"
	"labnet/netcfg"
)

// hostTAPs are the TAPs of the file, for the host's part.
func hostTAPs(taps []config.TAP) []netcfg.TAP {
	var out []netcfg.TAP
	for _, t := range taps {
		// A MAC address that the file doesn't say is a proposal.
		mac, _ := macOf(leases.HWAddr(t.MAC))
		out = append(out, netcfg.TAP{Name: t.Name, Owner: t.Owner, Group: t.Group, MultiQueue: t.MultiQueue, VnetHdr: t.VnetHdr, Guest: mac})
	}
	return out
}

// withTAPs adds the TAPs that were made at run time to the host's part of a configuration, and says for each of them why it isn't made: "" where
// it is. The file counts where they disagree. It is pure.
func withTAPs(host netcfg.Config, cfg *config.Config, kept []keptTAP) (netcfg.Config, []string) {
	host.Networks, host.Segments = slices.Clone(host.Networks), slices.Clone(host.Segments)
	obstacles := make([]string, len(kept))
	for i, k := range kept {
		if obstacles[i] = obstacleToTAP(cfg, k); obstacles[i] != "" {
			continue
		}
		home := tapsOf(&host, k.Network)
		*home = append(slices.Clip(*home), hostTAP(k))
	}
	return host, obstacles
}

// tapsOf are the TAPs of a network that there is, routed or bridged.
func tapsOf(host *netcfg.Config, network string) *[]netcfg.TAP {
	for i := range host.Networks {
		if host.Networks[i].Name == network {
			return &host.Networks[i].TAPs
		}
	}
	at := slices.IndexFunc(host.Segments, func(s netcfg.Segment) bool { return s.Name == network })
	return &host.Segments[at].TAPs
}

func hostTAP(k keptTAP) netcfg.TAP {
	out := netcfg.TAP{Name: k.Name, Owner: k.Owner, Group: k.Group, MultiQueue: k.MultiQueue, VnetHdr: k.VnetHdr}
	var mac leases.HWAddr
	if k.Pinned && mac.UnmarshalText([]byte(k.MAC)) == nil {
		out.Guest, _ = macOf(mac)
	}
	return out
}

// obstacleToTAP says what in the file stands against a TAP, "" for nothing.
func obstacleToTAP(cfg *config.Config, k keptTAP) string {
	found := false
	for _, n := range cfg.Networks {
		found = found || n.Name == k.Network
		switch {
		case n.Bridge.Name == k.Name:
			return fmt.Sprintf("%s is the bridge of network %q", k.Name, n.Name)
		case n.Uplink.Interface == k.Name:
			return fmt.Sprintf("%s is the uplink of network %q", k.Name, n.Name)
		case slices.ContainsFunc(n.TAPs, func(t config.TAP) bool { return t.Name == k.Name }):
			return fmt.Sprintf("the file has a tap %q, in network %q", k.Name, n.Name)
		}
	}
	if !found {
		return fmt.Sprintf("there is no network %q", k.Network)
	}
	return ""
}

// attachedElsewhere returns the network other than k's whose pattern matches its name.
func attachedElsewhere(cfg *config.Config, k keptTAP) (network string, ok bool) {
	for _, n := range cfg.Networks {
		for _, pattern := range n.Bridge.Attach {
			if matched, err := path.Match(pattern, k.Name); err == nil && matched && n.Name != k.Network {
				return n.Name, true
			}
		}
	}
	return "", false
}

// tapPrefix is what the names of TAPs begin with that aren't made by root: firewalls and network managers go by names of interfaces, and
// nobody who may not configure the host must take one of those.
const tapPrefix = "tap"

// tapsOfMember is how many TAPs one may have who may not change things at a time.
const tapsOfMember = 64

// checkTAPName returns why a TAP that was asked for can't have its name.
func checkTAPName(name string) error {
	switch {
	case name == "" || len(name) > 15:
		return fmt.Errorf("%q can't name an interface: names have 1 to 15 bytes", name)
	case name == "all" || name == "default" || name == "lo":
		return fmt.Errorf("%q means something else to the kernel", name)
	}
	for i, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || i > 0 && (c == '-' || c == '.')) {
			return fmt.Errorf("%q can't name an interface: use letters, digits, dots, - and _", name)
		}
	}
	return nil
}

// suggestedTAP is a name like the one that was asked for that a member may have.
func suggestedTAP(name string) string {
	return cmp.Or(strings.TrimRight((tapPrefix + "-" + name)[:min(len(tapPrefix)+1+len(name), 15)], "-._"), "tap0")
}

// warnOfTAPs says which TAPs that were made at run time aren't there, since the file stands against them.
func (d *daemon) warnOfTAPs() {
	_, obstacles := withTAPs(compile(d.cfg, "").host, d.cfg, d.taps)
	for i, k := range d.taps {
		if obstacles[i] != "" {
			d.log.Warn("a TAP that was made at run time is not there; `labnet taps list` has all", "link", k.Name, "network", k.Network, "reason", obstacles[i])
		}
	}
}
