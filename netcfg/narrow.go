package netcfg

import "fmt"

// narrowPorts are ports of our bridges that take smaller frames than the bridge: it drops larger ones there without a word, since
// nothing that is bridged is fragmented, and nobody is told. TCP that is routed is fitted to the bridge alone.
func narrowPorts(cfg Config, f *facts) []Problem {
	var problems []Problem
	for _, n := range cfg.Networks {
		bridge, ok := f.link(n.Bridge)
		if !ok {
			continue
		}
		for _, l := range f.links {
			if l.master == bridge.index && l.mtu > 0 && l.mtu < min(n.MTU, maxTAPMTU) {
				problems = append(problems, Problem{
					Network: n.Name,
					Summary: fmt.Sprintf("the mtu of the port %s, %d, is below that of %s, %d: larger frames to its guest vanish", l.name, l.mtu, n.Bridge, n.MTU),
					Remedy:  fmt.Sprintf("ip link set %s mtu %d", l.name, n.MTU),
				})
			}
		}
	}
	return problems
}
