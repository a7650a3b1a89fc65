package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

func addressesArgument() argument {
	return argument{
		name: "addresses", kind: listOf(interfaceAddress()), fallback: "[]", example: `["10.5.0.1/24", "10.6.0.1/24"]`,
		doc: "further addresses of the host on the bridge, each with a subnet of its own, for guests that set their addresses themselves: DHCP leases those of `address` alone",
	}
}

// secondaryAt is a secondary address and where it stands.
type secondaryAt struct {
	netip.Prefix
	at hcl.Range
}

// addressesOf finds what is wrong with secondary addresses in themselves.
func (b *builder) addressesOf(p *networkParts) {
	n := p.node
	if p.Mode == "bridged" {
		return
	}
	for _, e := range n.elems("addresses") {
		s := secondaryAt{e.v.(netip.Prefix), e.at}
		if !privateSubnet(s.Prefix) {
			b.warn(n, e.at, fmt.Sprintf("%s is not a private network", s.Masked()),
				"The real hosts with these addresses can't be reached from here. Private are 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918).")
		}
		if p.Address.IsValid() && p.Address.Overlaps(s.Prefix) {
			b.error(n, e.at, fmt.Sprintf("%s overlaps the network's own %s", s.Masked(), p.Address.Masked()), "Each address has a subnet of its own.", here(p.addressAt, "the network's address"))
			continue
		}
		if i := slices.IndexFunc(p.secondary, func(o secondaryAt) bool { return o.Overlaps(s.Prefix) }); i >= 0 {
			b.error(n, e.at, fmt.Sprintf("%s overlaps %s", s.Masked(), p.secondary[i].Masked()), "Each address has a subnet of its own.", here(p.secondary[i].at, "the other one"))
			continue
		}
		p.secondary = append(p.secondary, s)
		p.Secondary = append(p.Secondary, s.Prefix)
	}
}

// placed is a subnet of a network and where it comes from.
type placed struct {
	netip.Prefix
	at   hcl.Range
	what string
}

// placedSubnets are the subnets that must not be another network's.
func (p *networkParts) placedSubnets() []placed {
	var all []placed
	if p.Address.IsValid() {
		all = append(all, placed{p.Address.Masked(), p.addressAt, ""})
	}
	for _, s := range p.secondary {
		all = append(all, placed{s.Masked(), s.at, "secondary"})
	}
	return all
}

// betweenSubnets finds subnets of p, but for its first one, that overlap one of q's, and q's beside its first that overlap p's.
func (b *builder) betweenSubnets(p, q *networkParts) {
	for _, s := range p.placedSubnets() {
		for _, o := range q.placedSubnets() {
			if s.what == "" && o.what == "" || !s.Overlaps(o.Prefix) {
				continue
			}
			b.error(p.node, s.at, fmt.Sprintf("%s overlaps %s of network %q", s.Prefix, o.Prefix, q.Name), "Networks have no addresses in common.", here(o.at, "network %q", q.Name))
		}
	}
}

// ownIn returns the host's address in whose subnet a is, and where it stands: the network's first one if a is in none.
func (p *networkParts) ownIn(a netip.Addr) (netip.Prefix, hcl.Range) {
	for _, s := range p.secondary {
		if s.Contains(a) {
			return s.Prefix, s.at
		}
	}
	return p.Address, p.addressAt
}

// checkSecondaryHost finds a host that DHCP would have to give an address that it doesn't lease.
func (b *builder) checkSecondaryHost(p *networkParts, n *node, h Host) {
	if own, _ := p.ownIn(h.Address); own == p.Address {
		return
	}
	for _, name := range []string{"client_id", "hostname"} {
		if n.has(name) {
			b.error(n, n.at(name), fmt.Sprintf("%s is an address of a secondary subnet, which DHCP doesn't lease", h.Address),
				"The guest sets it itself: leave "+name+" out. A mac may stand, for a TAP device and for guard = \"strict\".", here(n.at("address"), "the address"))
		}
	}
}

// Addresses are the host's addresses on the bridge, the gateway's first.
func (n *Network) Addresses() []netip.Prefix {
	return append([]netip.Prefix{n.Address}, n.Secondary...)
}
