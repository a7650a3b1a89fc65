package doctor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"labnet/internal/control"
)

// judge makes findings of facts. It is pure.
func (f *facts) judge() []Finding {
	var list []Finding
	list = append(list, f.configuration()...)
	list = append(list, f.daemon()...)
	list = append(list, f.permission()...)
	for _, n := range f.networks {
		if !n.routed() {
			list = append(list, f.bridgedNetwork(n)...)
			continue
		}
		list = append(list, f.bridge(n)...)
		list = append(list, f.dhcp(n)...)
		list = append(list, f.dns(n)...)
		list = append(list, f.apart(n)...)
		list = append(list, f.publishing(n)...)
		list = append(list, f.uplink(n)...)
	}
	list = append(list, f.kernelState()...)
	list = append(list, f.outsideNames()...)
	list = append(list, f.surroundings()...)
	return append(list, f.drops()...)
}

func (f *facts) configuration() []Finding {
	out := about("configuration", "")
	switch {
	case f.configError != "" && f.status != nil:
		out.fail("labnet check", "%s; what follows is about what the daemon serves", f.configError)
	case f.configError != "":
		out.fail("labnet check", "%s; without it there is little to look at", f.configError)
	default:
		var names []string
		for _, n := range f.networks {
			names = append(names, n.Name)
		}
		out.ok("it loads: %s", strings.Join(names, ", "))
	}
	return out.list
}

func (f *facts) daemon() []Finding {
	out := about("daemon", "")
	switch {
	case f.status != nil:
		out.ok("labnet %s runs (pid %d)", f.status.Version, f.status.PID)
	case errors.Is(f.statusErr, control.ErrNotRunning):
		out.fail("labnet run, or systemctl start labnet", "no daemon runs: guests get no addresses and no names; leases are those of the store")
	default:
		out.warn("sudo labnet doctor", "the daemon can't be asked: %v", f.statusErr)
	}
	return out.list
}

// permission says what isn't known for want of privilege, or else.
func (f *facts) permission() []Finding {
	out := about("host", "")
	if f.planErr != nil {
		fix := "labnet plan; what it says of itself stands in the way of doctor too"
		if !f.root {
			fix = "sudo labnet doctor"
		}
		out.warn(fix, "the kernel's rules can't be looked at: %v", f.planErr)
	}
	return out.list
}

// up reports whether a network's bridge is there.
func (f *facts) up(n Network) bool {
	_, ok := f.kernel.link(n.Bridge)
	return ok
}

func (f *facts) bridge(n Network) []Finding {
	out := about("bridge", n.Name)
	bridge, ok := f.kernel.link(n.Bridge)
	switch {
	case !ok:
		out.fail("labnet run", "%s doesn't exist: the network isn't up", n.Bridge)
		return out.list
	case bridge.kind != "bridge":
		return nil // who stands against it says so
	case !bridge.up:
		out.fail("ip link set "+n.Bridge+" up", "%s is down", n.Bridge)
	case !slices.Contains(bridge.addresses, n.Address):
		out.fail(f.restore(), "%s hasn't the gateway's address %s", n.Bridge, n.Address)
	default:
		all := []string{n.Address.String()}
		for _, a := range n.Secondary {
			if !slices.Contains(bridge.addresses, a) {
				out.fail(f.restore(), "%s hasn't the secondary address %s", n.Bridge, a)
				continue
			}
			all = append(all, a.String())
		}
		out.ok("%s is up with %s", n.Bridge, strings.Join(all, ", "))
	}
	out.list = append(out.list, f.ports(n, bridge)...)
	return out.list
}

// ports judges the links on a bridge. One without a carrier is a machine that is off.
func (f *facts) ports(n Network, bridge link) []Finding {
	out := about("ports", n.Name)
	ports := slices.DeleteFunc(f.kernel.ports(bridge), func(l link) bool { return !n.routed() && l.name == n.Uplink })
	var idle []string
	for _, p := range ports {
		switch {
		case !p.up:
			out.warn("ip link set "+p.name+" up", "%s is down: its guest hears nothing", p.name)
		case !p.carrier:
			idle = append(idle, p.name)
		}
	}
	heard := 0
	for _, s := range f.kernel.stations {
		if slices.ContainsFunc(ports, func(l link) bool { return l.index == s.port }) {
			heard++
		}
	}
	text := fmt.Sprintf("%s, %s heard", count(len(ports), "port"), count(heard, "machine"))
	if len(idle) > 0 {
		text += "; no machine runs on " + few(idle)
	}
	if len(out.list) == 0 {
		out.ok("%s", text)
	}
	return out.list
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// few is a list for one line.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// restore is what brings back what somebody changed.
func (f *facts) restore() string {
	if f.status != nil {
		return "journalctl -u labnet says who changes it again and again; after that is ended: systemctl restart labnet"
	}
	return "labnet run"
}

// kernelState judges what `labnet run` would change: something is missing in the kernel then. It concerns all networks. Where a bridge
// is missing, everything of its network is: that is said once, of the bridge.
func (f *facts) kernelState() []Finding {
	if f.planErr != nil || f.configError != "" || slices.ContainsFunc(f.networks, func(n Network) bool { return n.routed() && !f.up(n) }) {
		return nil
	}
	host, firewall, forwarding, nat := about("bridge", ""), about("firewall", ""), about("forwarding", ""), about("nat", "")
	for _, c := range f.changes {
		switch {
		case c.Group == "firewall" && (strings.Contains(c.Text, "postrouting") || strings.Contains(c.Text, "masquerade")):
			nat.fail(f.restore(), "a rule that masquerades isn't as it should be: %s", c.Text)
		case c.Group == "firewall":
			firewall.fail(f.restore(), "labnet's rules aren't as they should be: %s", c.Text)
		case c.Group == "sysctls":
			forwarding.fail(f.restore(), "a setting isn't as it should be: %s", c.Text)
		case c.Group == "uplink":
			host.warn("labnet run; it was confirmed before", "the bridge hasn't taken over from its uplink: %s", c.Text)
		default:
			host.warn(f.restore(), "not as the configuration asks: %s", c.Text)
		}
	}
	routed := slices.DeleteFunc(slices.Clone(f.networks), func(n Network) bool { return !n.routed() })
	outside := slices.DeleteFunc(slices.Clone(routed), func(n Network) bool { return n.Mode == isolated })
	if len(firewall.list) == 0 && len(routed) > 0 {
		firewall.ok("labnet's rules are in place")
	}
	if len(forwarding.list) == 0 && len(outside) > 0 {
		forwarding.ok("the bridges and the uplink forward")
	}
	if len(nat.list) == 0 && len(outside) > 0 {
		nat.ok("%s", masqueraded(outside))
	}
	return slices.Concat(host.list, firewall.list, forwarding.list, nat.list)
}

func masqueraded(networks []Network) string {
	var parts, yes, no []string
	for _, n := range networks {
		if n.Masquerade {
			yes = append(yes, n.Address.Masked().String())
		} else {
			no = append(no, n.Address.Masked().String())
		}
	}
	if len(yes) > 0 {
		parts = append(parts, "masqueraded: "+strings.Join(yes, ", "))
	}
	if len(no) > 0 {
		parts = append(parts, "not masqueraded, so that the LAN's router needs a route back (labnet plan): "+strings.Join(no, ", "))
	}
	return strings.Join(parts, "; ")
}

// dropWords say what our rules drop that a person should know of, by the counter's name. What is refused in the ordinary course of
// things, as connections from outside are, isn't among them.
var dropWords = map[string]string{
	"inet spoofed":     "packets from addresses that aren't of their network",
	"inet kept_apart":  "packets from one network to another, or among guests that are kept apart",
	"inet misdirected": "questions to a gateway's address by another way than its bridge",
	"bridge impostor":  "frames that claim the gateway's address or another's",
	"bridge rogue":     "answers of DHCP servers and routers that aren't the host",
	"bridge spoofed":   "packets from addresses that aren't of their network",
	"bridge flood":     "DHCP messages of a machine that sends too many",
}

// drops are what our own rules dropped while we looked, or else since they were made.
func (f *facts) drops() []Finding {
	out := about("drops", "")
	for _, name := range slices.Sorted(maps.Keys(f.moved)) {
		if text, ok := dropWords[name]; ok {
			out.warn("labnet doctor GUEST says more of one guest", "dropped meanwhile: %d %s (%s)", f.moved[name], text, name)
		}
	}
	var before []string
	for _, name := range slices.Sorted(maps.Keys(f.totals)) {
		if _, ok := dropWords[name]; ok && f.totals[name] > 0 {
			before = append(before, fmt.Sprintf("%d %s", f.totals[name], name))
		}
	}
	if len(out.list) == 0 && len(before) > 0 {
		out.ok("nothing now; since the rules were made: %s", strings.Join(before, ", "))
	}
	return out.list
}

// surroundings are what else lives on the host, and what the host says against single networks.
func (f *facts) surroundings() []Finding {
	var list []Finding
	for _, p := range f.problems {
		// The way out is looked at by itself.
		if strings.Contains(p.Summary, "no default route") {
			continue
		}
		out := about(f.areaOf(p), p.Network)
		if p.Fatal {
			out.fail(p.Remedy, "%s", p.Summary)
		} else {
			out.warn(p.Remedy, "%s", p.Summary)
		}
		list = append(list, out.list...)
	}
	for _, n := range f.notes {
		out := about("host", n.Network)
		out.add(OK, n.Hint, "%s", n.Text)
		list = append(list, out.list...)
	}
	if out := about("host", ""); len(list) == 0 && f.planErr == nil && f.configError == "" {
		out.ok("nothing else on it stands in the way")
		list = append(list, out.list...)
	}
	return list
}
