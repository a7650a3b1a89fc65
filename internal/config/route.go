package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Route is a subnet behind a guest.
type Route struct {
	Subnet netip.Prefix
	Via    netip.Addr // the guest's, on the link
}

// routeFile is the beginning of what the examples are tried out in.
const routeFile = "network \"lab\" {\naddress = \"10.0.0.1/24\"\nhost \"router\" {\naddress = \"10.0.0.2\"\n}\n"

func routeBlock() *block {
	return &block{
		name: "route", many: true, needs: []string{"via"},
		label: &label{doc: "The name is the subnet.", example: "10.1.0.0/16"},
		doc: "A subnet that lies behind a guest which routes: the host sends there what is for it, takes what comes from it as the network's own, masquerades it, and answers " +
			"its DNS questions. Guests are told by DHCP (option 121), where they may reach one another.",
		args: []argument{{
			name: "via", kind: text(), required: true, example: `"10.0.0.2"`,
			doc:  "the guest: its address, which should be a `host` block's so that it stays, or the name or an alias of a `host` block with an address",
			file: routeFile + "route \"10.1.0.0/16\" {\n…\n}\n}",
		}},
	}
}

// topRouteBlock is routeBlock for the top level of a file.
func topRouteBlock() *block {
	top := routeBlock()
	top.doc += " At the top level, for a file that is dropped into the directory, `network` says where it belongs."
	top.args[0].file = routeFile + "}\nroute \"10.1.0.0/16\" {\nnetwork = \"lab\"\n…\n}"
	top.args = append([]argument{{
		name: "network", kind: label63(), required: true, example: `"lab"`,
		doc:  "the network that the guest belongs to",
		file: routeFile + "}\nroute \"10.1.0.0/16\" {\nvia = \"router\"\n…\n}",
	}}, top.args...)
	top.needs = append([]string{"network"}, top.needs...)
	return top
}

// routesOfAll reads the route blocks of all networks, when their subnets and hosts are known.
func (b *builder) routesOfAll(root *node) {
	strays := b.strays(root, "route")
	var taken []placed
	for _, p := range b.networks {
		if p.Mode != "bridged" {
			taken = append(taken, p.placedSubnets()...)
		}
	}
	for _, p := range b.networks {
		if p.Mode == "bridged" {
			for _, n := range strays[p.Name] { // those of the network itself are refused already
				b.error(n, n.head, `a bridged network has no "route"`, "Routes behind guests are for the LAN's router.")
			}
			continue
		}
		for _, n := range append(slices.Clone(p.node.blocks["route"]), strays[p.Name]...) {
			r, ok := b.route(p, n)
			if !ok {
				continue
			}
			if i := slices.IndexFunc(taken, func(o placed) bool { return o.Overlaps(r.Subnet) }); i >= 0 {
				b.error(n, n.name, fmt.Sprintf("%s overlaps %s", r.Subnet, taken[i].Prefix), "Each address can be in one place only.", here(taken[i].at, "%s", taken[i].Prefix))
				continue
			}
			taken = append(taken, placed{r.Subnet, n.name, "route"})
			p.Routes = append(p.Routes, r)
		}
	}
}

// route reads one block, and reports whether it is whole.
func (b *builder) route(p *networkParts, n *node) (r Route, ok bool) {
	subnet, err := parsePrefix(n.label)
	switch {
	case err != nil:
		b.fault(n, n.name, err)
		return r, false
	case subnet.Bits() == 0:
		b.error(n, n.name, "the default route can't lead to a guest", "The host's own way out stays as it is. Name the subnet that is behind the guest.")
		return r, false
	case subnet != subnet.Masked():
		b.error(n, n.name, fmt.Sprintf("%s is an address in %s", subnet, subnet.Masked()), fmt.Sprintf("Write route %q.", subnet.Masked()))
		return r, false
	case n.bad || !p.Address.IsValid():
		return r, false
	}
	r.Subnet = subnet
	r.Via, ok = b.routeVia(p, n)
	if ok && p.Bridge.IsolateGuests {
		b.warn(n, n.head, fmt.Sprintf("guests of network %q don't reach %s", p.Name, subnet), "isolate_guests keeps them from the guest that it is behind. The host reaches it, and it the outside.",
			here(p.bridge.at("isolate_guests"), "isolate_guests"))
	}
	return r, ok
}

// routeVia finds the guest that a subnet is behind.
func (b *builder) routeVia(p *networkParts, n *node) (via netip.Addr, ok bool) {
	name, at := lower(get[string](n, "via")), n.at("via")
	via, err := netip.ParseAddr(name)
	if err != nil {
		return b.routeHost(p, n, name, at)
	}
	own, ownAt := p.ownIn(via)
	switch {
	case !own.Contains(via):
		b.error(n, at, fmt.Sprintf("the address %s is outside the network", via), addressesOf(own), here(ownAt, "network %q", p.Name))
	case via == own.Addr():
		b.error(n, at, fmt.Sprintf("%s is the host's own address", via), "A route block leads to what is behind a guest.", here(ownAt, "the gateway"))
	case via == own.Masked().Addr() || via == broadcast(own.Masked()):
		b.error(n, at, fmt.Sprintf("%s is no guest's address in %s", via, own.Masked()), addressesOf(own))
	default:
		leased := slices.ContainsFunc(p.DHCP.Ranges, func(r AddrRange) bool { return !via.Less(r.Start) && !r.End.Less(via) })
		if leased && !slices.ContainsFunc(p.Hosts, func(h Host) bool { return h.Address == via }) {
			b.warn(n, at, fmt.Sprintf("any guest may lease %s", via), "Write a host block with this address for the guest that routes.")
		}
		return via, true
	}
	return via, false
}

// routeHost finds a guest by its name.
func (b *builder) routeHost(p *networkParts, n *node, name string, at hcl.Range) (via netip.Addr, ok bool) {
	var known []string
	for i, h := range p.Hosts {
		if h.Name != name && !slices.Contains(h.Aliases, name) {
			known = append(append(known, h.Name), h.Aliases...)
			continue
		}
		if !h.Address.IsValid() {
			b.error(n, at, fmt.Sprintf("host %q has no fixed address", h.Name), "A route needs one: write the address into the host block.", here(p.hosts[i].name, "host %q", h.Name))
			return via, false
		}
		return h.Address, true
	}
	b.error(n, at, fmt.Sprintf("there is no host %q in network %q", name, p.Name), didYouMean(name, known))
	return via, false
}
