package config

import (
	"fmt"
	"slices"
)

// Arguments about what is kept apart: networks from one another and from the outside, guests from one another and from the host.

func hostAccessArgument() argument {
	return argument{
		name: "host_access", kind: oneOf("all", "services"), fallback: `"all"`, example: `"services"`,
		doc: "what guests reach of this host, on whichever of its addresses: `all` its ports, as far as its own firewall lets them, or " +
			"`services` DHCP, DNS and ICMP alone",
	}
}

func allowFromArgument() argument {
	return argument{
		name: "allow_from", kind: listOf(hostLabel()), fallback: "[]", example: `["ci", "office"]`,
		doc: "other networks whose guests may open connections to guests of this one; answers go back, nothing else does",
	}
}

func isolateGuestsArgument() argument {
	return argument{
		name: "isolate_guests", kind: boolean(), fallback: "false", example: "true",
		doc: "whether guests are kept from one another: they reach the gateway, and what lies behind it",
	}
}

func adoptArgument() argument {
	return argument{
		name: "adopt", kind: boolean(), fallback: "false", example: "true",
		doc: "whether the bridge is one that is there already and stays someone else's: it gets the address, the guests' ports and the rules, and `labnet down` " +
			"takes these alone away. Its MTU and its other ports stay as they are",
	}
}

// separationOf reads what keeps a network apart, and refuses a way out of an isolated one.
func (b *builder) separationOf(p *networkParts) {
	p.HostAccess = get[string](p.node, "host_access")
	p.AllowFrom = list[string](p.node, "allow_from")
	p.Bridge.IsolateGuests = get[bool](p.bridge, "isolate_guests")
	p.Bridge.Adopt = get[bool](p.bridge, "adopt")
	if p.Mode != "isolated" {
		return
	}
	p.Uplink = Uplink{}
	for _, u := range p.node.blocks["uplink"] {
		b.error(u, u.head, fmt.Sprintf("the network %q is isolated and has an uplink", p.Name),
			`Nothing leaves an isolated network. Take the block out, or write mode = "routed".`, here(p.node.at("mode"), "the mode"))
	}
}

// checkAllowed finds networks in allow_from that aren't there, or are the network itself.
func (b *builder) checkAllowed() {
	var names []string
	for _, p := range b.networks {
		names = append(names, p.Name)
	}
	for _, p := range b.networks {
		seen := map[string]bool{}
		for _, e := range p.node.elems("allow_from") {
			name := e.v.(string)
			switch {
			case name == p.Name:
				b.error(p.node, e.at, fmt.Sprintf("the network %q allows itself", name),
					"Guests of one network reach each other, unless isolate_guests is true. Name other networks.")
			case !slices.Contains(names, name):
				others := slices.DeleteFunc(slices.Clone(names), func(other string) bool { return other == p.Name })
				b.error(p.node, e.at, fmt.Sprintf("there is no network %q", name), didYouMean(name, others))
			case seen[name]:
				b.error(p.node, e.at, fmt.Sprintf("the network %q stands twice", name), "Once is enough.")
			}
			seen[name] = true
		}
	}
}
