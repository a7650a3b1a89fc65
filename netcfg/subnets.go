package netcfg

import (
	"fmt"
	"net/netip"
	"slices"
)

// A network has the subnet of its address, where DHCP is, the subnets of its secondary addresses, and what lies behind its guests.

// addresses are the host's on the bridge, the gateway's first.
func (n Network) addresses() []netip.Prefix {
	return slices.Concat([]netip.Prefix{n.Address}, n.Secondary)
}

// subnets are those of the link itself.
func (n Network) subnets() []netip.Prefix {
	var all []netip.Prefix
	for _, a := range n.addresses() {
		all = append(all, a.Masked())
	}
	return all
}

// reach is every subnet whose addresses are the network's: on the link, and behind its guests.
func (n Network) reach() []netip.Prefix {
	all := n.subnets()
	for _, r := range n.Routes {
		all = append(all, r.Subnet)
	}
	return all
}

// isOwn reports whether an address is the host's on the bridge.
func (n Network) isOwn(a netip.Addr) bool {
	return slices.ContainsFunc(n.addresses(), func(p netip.Prefix) bool { return p.Addr() == a })
}

// onLink reports whether a guest of the network can have an address.
func (n Network) onLink(a netip.Addr) bool {
	return !n.isOwn(a) && slices.ContainsFunc(n.subnets(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// completeSubnets says what secondary addresses and routes no host could have.
func (n Network) completeSubnets() error {
	for _, p := range n.Secondary {
		if !p.IsValid() || !p.Addr().Is4() || p.Bits() < 1 {
			return fmt.Errorf("the secondary address %s must be IPv4 with a prefix length", p)
		}
	}
	for _, r := range n.Routes {
		switch {
		case !r.Subnet.IsValid() || !r.Subnet.Addr().Is4() || r.Subnet.Bits() < 1 || r.Subnet != r.Subnet.Masked():
			return fmt.Errorf("the route to %s must be to an IPv4 subnet", r.Subnet)
		case !n.onLink(r.Via):
			return fmt.Errorf("the route to %s is by %s, which is no guest", r.Subnet, r.Via)
		}
	}
	all := n.reach()
	for i, p := range all {
		for _, q := range all[:i] {
			if p.Overlaps(q) {
				return fmt.Errorf("its subnets %s and %s overlap", q, p)
			}
		}
	}
	return nil
}

// overlap returns subnets of two networks that have addresses in common.
func (n Network) overlap(other Network) (own, others netip.Prefix, found bool) {
	for _, p := range n.reach() {
		for _, q := range other.reach() {
			if p.Overlaps(q) {
				return p, q, true
			}
		}
	}
	return own, others, false
}
