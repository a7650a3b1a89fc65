package netcfg

import (
	"fmt"
	"slices"
	"strings"
)

// hop is a packet that must pass a hook, and what it would mean if it didn't.
type hop struct {
	hook    uint32
	packet  packet
	without string // "guests would …"
}

// hops are what a network's guests depend on, as far as other people's rules see it.
func hops(cfg Config, n Network, f *facts, bridgeFilter bool) []hop {
	bridge, ok := f.link(n.Bridge)
	if !ok {
		bridge = link{name: n.Bridge}
	}
	var list []hop
	add := func(hook uint32, without string, packets ...packet) {
		for _, p := range packets {
			list = append(list, hop{hook, p, without})
		}
	}
	if n.DHCP {
		add(hookInput, "get no address", discovering(bridge))
	}
	if n.DNS {
		add(hookInput, "resolve no names", asking(n, bridge))
		add(hookOutput, "get no answers by DNS", answering(n, bridge))
	}
	for _, name := range cfg.waysOut(n, f) {
		if uplink, ok := f.link(name); ok {
			add(hookForward, "reach nothing outside", leaving(n, bridge, uplink), returning(n, bridge, uplink))
			for _, p := range n.Publish {
				add(hookForward, "not be reached at their published ports", calling(n, bridge, uplink, p))
			}
		}
	}
	if bridgeFilter {
		add(hookForward, "not reach one another", neighbourly(n, bridge))
	}
	return list
}

// waysOut are the uplinks of one network.
func (cfg Config) waysOut(n Network, f *facts) []string {
	if n.Uplink != "" {
		return []string{n.Uplink}
	}
	return slices.DeleteFunc(f.uplinks(), cfg.owns)
}

// obstacle is a chain of somebody's that drops what guests depend on.
type obstacle struct {
	chain   string // "chain ip filter FORWARD"
	sure    bool
	without []string
	remedy  string
}

// foreignProblems warns of other people's chains that drop what guests depend on: an accept of ours doesn't overrule those.
func foreignProblems(cfg Config, f *facts, foreign *ruleset, legacy *legacyTable, bridgeFilter bool) []Problem {
	var problems []Problem
	for _, n := range cfg.Networks {
		var found []obstacle
		for _, h := range hops(cfg, n, f, bridgeFilter) {
			if foreign != nil {
				for _, c := range foreign.bases {
					if c.base.hook != h.hook {
						continue
					}
					if end, sure := foreign.fateOf(c, h.packet); end == dropped {
						found = addObstacle(found, obstacle{fmt.Sprintf("chain %s %s", c.table, c.name), sure, []string{h.without}, foreign.remedy(c, n.Bridge)})
					}
				}
			}
			if legacy != nil {
				if end, sure := legacy.fateOf(h.hook, h.packet); end == dropped {
					name := builtIn[h.hook]
					found = addObstacle(found, obstacle{"chain " + name + " of iptables-legacy", sure, []string{h.without}, iptablesRemedy("iptables-legacy", name, n.Bridge)})
				}
			}
		}
		for _, o := range found {
			drops := "drops"
			if !o.sure {
				drops = "may drop"
			}
			problems = append(problems, Problem{
				Network: n.Name, Remedy: o.remedy,
				Summary: fmt.Sprintf("%s %s what it doesn't know: guests would %s", o.chain, drops, strings.Join(o.without, ", and ")),
			})
		}
	}
	return problems
}

// addObstacle adds one, to the one that the same remedy removes if there is one.
func addObstacle(found []obstacle, o obstacle) []obstacle {
	for i := range found {
		if found[i].remedy != o.remedy {
			continue
		}
		found[i].sure = found[i].sure || o.sure
		if !slices.Contains(found[i].without, o.without[0]) {
			found[i].without = append(found[i].without, o.without[0])
		}
		return found
	}
	return append(found, o)
}

// builtIn are the chains of iptables by their hooks.
var builtIn = map[uint32]string{hookInput: "INPUT", hookForward: "FORWARD", hookOutput: "OUTPUT"}

// remedy is the command that lets a bridge's packets pass a chain, in the words of whose chain it is. What it opens to the guests' side
// is still guarded by our own rules.
func (r *ruleset) remedy(c readChain, bridge string) string {
	has := func(prefix string) bool {
		for at := range r.chains {
			if at.table == c.table && strings.HasPrefix(at.name, prefix) {
				return true
			}
		}
		return false
	}
	switch {
	case c.table.name == "firewalld" || has("INPUT_ZONES"):
		return fmt.Sprintf("firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload", bridge)
	case has("ufw-") && c.base.hook == hookForward:
		return fmt.Sprintf("ufw route allow in on %[1]s && ufw route allow out on %[1]s", bridge)
	case has("ufw-") && c.base.hook == hookInput:
		return fmt.Sprintf("ufw allow in on %[1]s to any port 53 && ufw allow in on %[1]s to any port 67 proto udp", bridge)
	case has("ufw-"):
		return fmt.Sprintf("ufw allow out on %s", bridge)
	case has("DOCKER-USER") && c.base.hook == hookForward:
		return fmt.Sprintf("iptables -I DOCKER-USER -i %[1]s -j ACCEPT && iptables -I DOCKER-USER -o %[1]s -j ACCEPT", bridge)
	case c.table == tableID{familyIPv4, "filter"} && c.name == builtIn[c.base.hook]:
		return iptablesRemedy("iptables", c.name, bridge)
	}
	insert := fmt.Sprintf("insert rule %s %s", c.table, c.name)
	switch c.base.hook {
	case hookInput:
		return fmt.Sprintf(`nft '%s iifname "%s" meta l4proto { tcp, udp } th dport { 53, 67 } accept'`, insert, bridge)
	case hookOutput:
		return fmt.Sprintf(`nft '%s oifname "%s" meta l4proto { tcp, udp } th sport { 53, 67 } accept'`, insert, bridge)
	}
	return fmt.Sprintf(`nft '%[1]s iifname "%[2]s" accept; %[1]s oifname "%[2]s" accept'`, insert, bridge)
}

func iptablesRemedy(tool, chain, bridge string) string {
	switch chain {
	case "INPUT":
		return fmt.Sprintf("%[1]s -I INPUT -i %[2]s -p udp -m multiport --dports 53,67 -j ACCEPT && %[1]s -I INPUT -i %[2]s -p tcp --dport 53 -j ACCEPT", tool, bridge)
	case "OUTPUT":
		return fmt.Sprintf("%[1]s -I OUTPUT -o %[2]s -p udp -m multiport --sports 53,67 -j ACCEPT && %[1]s -I OUTPUT -o %[2]s -p tcp --sport 53 -j ACCEPT", tool, bridge)
	}
	return fmt.Sprintf("%[1]s -I FORWARD -i %[2]s -j ACCEPT && %[1]s -I FORWARD -o %[2]s -j ACCEPT", tool, bridge)
}
