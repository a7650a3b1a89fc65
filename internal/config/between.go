package config

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// between finds what is wrong between networks: overlapping subnets, bridges, domains and patterns used twice.
func (b *builder) between() {
	for i, p := range b.networks {
		for _, q := range b.networks[:i] {
			if p.Address.IsValid() && q.Address.IsValid() && p.Address.Overlaps(q.Address) {
				b.error(p.node, p.addressAt, fmt.Sprintf("the networks %q and %q overlap", q.Name, p.Name),
					fmt.Sprintf("%s and %s have addresses in common. %s", q.Address.Masked(), p.Address.Masked(), b.freeSubnet(p.Address)),
					here(q.addressAt, "network %q", q.Name))
				break
			}
		}
		for _, q := range b.networks[:i] {
			b.betweenSubnets(p, q)
		}
		for _, q := range b.networks[:i] {
			if p.Bridge.Name != "" && p.Bridge.Name == q.Bridge.Name {
				b.error(p.bridge, p.ifaceAt, fmt.Sprintf("the bridge %q is used by two networks", p.Bridge.Name), "Each network has a bridge of its own.",
					here(q.ifaceAt, "network %q", q.Name))
				break
			}
		}
		for _, q := range b.networks[:i] {
			if p.DNS.Domain != "" && p.DNS.Domain == q.DNS.Domain && p.Name != q.Name {
				b.error(p.dns, p.domainAt, fmt.Sprintf("the domain %q belongs to two networks", p.DNS.Domain), "A name must say which network it is in.",
					here(q.domainAt, "network %q", q.Name))
				break
			}
		}
	}
	b.checkAllowed()
	b.checkQueryFiles()
	b.oneBridged()
	b.checkLinks()
}

// freeSubnet suggests a subnet of the same size that no network of the file has.
func (b *builder) freeSubnet(like netip.Prefix) string {
	for third := range 256 {
		candidate, err := netip.AddrFrom4([4]byte{10, byte(third), 0, 1}).Prefix(max(like.Bits(), 16))
		if err != nil {
			return ""
		}
		if !slices.ContainsFunc(b.networks, func(p *networkParts) bool {
			return slices.ContainsFunc(p.placedSubnets(), func(s placed) bool { return s.Overlaps(candidate) })
		}) {
			return fmt.Sprintf("Free is, for instance, \"%s/%d\".", candidate.Addr().Next(), candidate.Bits())
		}
	}
	return ""
}

// checkLinks finds interfaces that would have to be two things at once.
func (b *builder) checkLinks() {
	patterns := map[string]claim{}
	for _, p := range b.networks {
		for _, q := range b.networks {
			if p.Uplink.Interface == q.Bridge.Name && p.Uplink.Interface != "" && (q.Mode != "bridged" || p == q) {
				b.error(p.uplink, p.uplink.at("interface"), fmt.Sprintf("the uplink %q is the bridge of a network", q.Bridge.Name),
					`An uplink is an interface towards the outside; "auto" follows the default route.`, here(q.ifaceAt, "network %q", q.Name))
			}
		}
		for _, e := range p.bridge.elems("attach") {
			pattern := e.v.(string)
			if earlier, ok := patterns[pattern]; ok {
				b.error(p.bridge, e.at, fmt.Sprintf("the pattern %q stands twice", pattern), "A link can be a port of one bridge only.", here(earlier.at, "%s has it already", earlier.owner))
				continue
			}
			patterns[pattern] = claim{fmt.Sprintf("network %q", p.Name), e.at}
			b.checkPattern(p, pattern, e.at)
		}
	}
}

func (b *builder) checkPattern(p *networkParts, pattern string, at hcl.Range) {
	if strings.Trim(pattern, "*") == "" {
		b.warn(p.bridge, at, fmt.Sprintf("the pattern %q takes every link that is free", pattern), `Network cards without an address too. Name the guests' links, e.g. "tap*" or "vnet*".`)
	}
	for _, q := range b.networks {
		for _, other := range []struct {
			name, what string
			at         hcl.Range
		}{
			{q.Bridge.Name, "the bridge", q.ifaceAt},
			{q.Uplink.Interface, "the uplink", q.uplink.at("interface")},
		} {
			if other.name == "auto" {
				continue
			}
			if matched, _ := path.Match(pattern, other.name); matched && strings.Trim(pattern, "*") != "" {
				b.error(p.bridge, at, fmt.Sprintf("the pattern %q matches %s of network %q", pattern, other.what, q.Name),
					fmt.Sprintf("%q can't be a port. Choose a pattern that matches guests' links only.", other.name), here(other.at, "%q", other.name))
			}
		}
	}
}
