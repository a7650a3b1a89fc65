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
		list = append(list, f.bridge(n)...)
		list = append(list, f.dhcp(n)...)
		list = append(list, f.dns(n)...)
		list = append(list, f.kernelState(n)...)
		list = append(list, f.uplink(n)...)
	}
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
		out.warn("sudo labnet doctor", "the kernel's rules can't be looked at: %v", f.planErr)
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
		out.ok("%s is up with %s", n.Bridge, n.Address)
	}
	out.list = append(out.list, f.ports(n, bridge)...)
	return out.list
}

// ports judges the links on a bridge. One without a carrier is a machine that is off.
func (f *facts) ports(n Network, bridge link) []Finding {
	out := about("ports", n.Name)
	ports := f.kernel.ports(bridge)
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
		if l, ok := f.kernel.byIndex(s.port); ok && l.master == bridge.index {
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
		return "systemctl restart labnet; its log says who changes it again and again"
	}
	return "labnet run"
}

// kernelState judges what `labnet run` would change: something is missing in the kernel then. It concerns all networks, and is told with
// the first.
func (f *facts) kernelState(n Network) []Finding {
	firewall, forwarding, nat := about("firewall", ""), about("forwarding", ""), about("nat", "")
	if f.planErr != nil || f.configError != "" || n.Name != f.networks[0].Name || !f.up(n) {
		return nil
	}
	for _, c := range f.changes {
		switch {
		case c.Group == "firewall" && (strings.Contains(c.Text, "postrouting") || strings.Contains(c.Text, "masquerade")):
			nat.fail(f.restore(), "a rule that masquerades isn't as it should be: %s", c.Text)
		case c.Group == "firewall":
			firewall.fail(f.restore(), "labnet's rules aren't as they should be: %s", c.Text)
		case c.Group == "sysctls":
			forwarding.fail(f.restore(), "a setting isn't as it should be: %s", c.Text)
		default:
			firewall.list = append(firewall.list, Finding{Area: "bridge", Status: Warn, What: "not as the configuration asks: " + c.Text, Fix: f.restore()})
		}
	}
	if len(firewall.list) == 0 {
		firewall.ok("labnet's rules are in place")
	}
	if len(forwarding.list) == 0 {
		forwarding.ok("the bridges and the uplink forward")
	}
	if len(nat.list) == 0 {
		nat.ok("%s", masqueraded(f.networks))
	}
	return slices.Concat(firewall.list, forwarding.list, nat.list)
}

func masqueraded(networks []Network) string {
	var yes, no []string
	for _, n := range networks {
		if n.Masquerade {
			yes = append(yes, n.Address.Masked().String())
		} else {
			no = append(no, n.Address.Masked().String())
		}
	}
	switch {
	case len(no) == 0:
		return strings.Join(yes, ", ") + " leaves masqueraded"
	case len(yes) == 0:
		return strings.Join(no, ", ") + " leaves as it is: the LAN's router needs a route back"
	}
	return strings.Join(yes, ", ") + " leaves masqueraded, " + strings.Join(no, ", ") + " as it is"
}

// drops are what our own rules dropped while we looked.
func (f *facts) drops() []Finding {
	out := about("drops", "")
	words := map[string]string{
		"inet spoofed":     "packets from addresses that aren't of their network",
		"bridge impostor":  "frames that claim the gateway's address or another's",
		"inet kept_apart":  "packets from one network to another",
		"bridge flood":     "DHCP messages of a machine that sends too many",
		"inet misdirected": "questions to a gateway's address by another way than its bridge",
	}
	for _, name := range slices.Sorted(maps.Keys(f.moved)) {
		if text, ok := words[name]; ok {
			out.warn("labnet doctor GUEST says more of one guest", "dropped meanwhile: %d %s (%s)", f.moved[name], text, name)
		}
	}
	return out.list
}

// surroundings are what else lives on the host.
func (f *facts) surroundings() []Finding {
	var out []Finding
	for _, p := range f.problems {
		// The way out is looked at by itself.
		if strings.Contains(p.Summary, "no default route") {
			continue
		}
		status := Warn
		if p.Fatal {
			status = Fail
		}
		out = append(out, Finding{Area: "host", Network: p.Network, Status: status, What: p.Summary, Fix: p.Remedy})
	}
	for _, n := range f.notes {
		out = append(out, Finding{Area: "host", Network: n.Network, Status: OK, What: n.Text, Fix: n.Hint})
	}
	if len(out) == 0 && f.planErr == nil && f.configError == "" {
		out = append(out, Finding{Area: "host", Status: OK, What: "nothing else on it stands in the way"})
	}
	return out
}
