package dnsserver

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// RebindPolicy is which addresses names of the outside may not point to: a page of theirs, in a guest's browser, would be on good terms with what is there.
type RebindPolicy uint8

const (
	RebindOwn     RebindPolicy = iota // our networks, loopback, link-local and unspecified ones
	RebindPrivate                     // these and every other private one
	RebindOff                         // any
)

// Rebind is the protection against rebinding.
type Rebind struct {
	Policy RebindPolicy
	Own    []netip.Prefix // our networks that aren't among Config.Networks, if any
	Allow  []string       // domains that may point anywhere, with everything below them
}

// standing is how far a name may point inside. The larger, the less.
type standing uint8

const (
	exempt    standing = iota // ours, or the configuration lets it point anywhere
	neighbour                 // its upstreams are configured for it, or it is the LAN's own: to private addresses and our networks
	stranger                  // not even there
)

// rebinding is a Rebind, compiled. Immutable.
type rebinding struct {
	policy RebindPolicy
	own    []netip.Prefix
	allow  map[name]bool
}

func newRebinding(cfg *Config) (rebinding, error) {
	r := rebinding{policy: cfg.Rebind.Policy, allow: map[name]bool{}}
	for i := range cfg.Networks {
		for _, address := range cfg.Networks[i].addresses() {
			r.own = append(r.own, netip.PrefixFrom(address.Addr().Unmap(), address.Bits()).Masked())
		}
	}
	r.own = append(r.own, cfg.Rebind.Own...)
	for _, d := range cfg.Rebind.Allow {
		n, err := parseName(d)
		if err != nil {
			return r, fmt.Errorf("domains that may point inside: %w", err)
		}
		r.allow[n] = true
	}
	return r, nil
}

// inside tells whether a name of that standing, which isn't exempt, may not point to an address.
func (r *rebinding) inside(addr netip.Addr, who standing) bool {
	addr = addr.Unmap()
	if r.forbids(addr, who) {
		return true
	}
	within, ok := embedded(addr)
	return ok && r.forbids(within, who)
}

var (
	thisHost4 = netip.MustParsePrefix("0.0.0.0/8") // RFC 1122 section 3.2.1.3: this host
	siteLocal = netip.MustParsePrefix("fec0::/10") // RFC 3879: no longer in use, and routed nowhere
)

func (r *rebinding) forbids(addr netip.Addr, who standing) bool {
	switch {
	case addr.IsLoopback(), addr.IsUnspecified(), addr.IsLinkLocalUnicast(), thisHost4.Contains(addr):
		return true
	case who < stranger:
		return false
	case r.policy == RebindPrivate && (private(addr) || siteLocal.Contains(addr)):
		return true
	}
	return slices.ContainsFunc(r.own, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// The IPv6 addresses by which IPv4 ones are reached.
var (
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 section 2.5.5.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052 section 2.1
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056 section 2
)

// embedded returns the IPv4 address within an IPv6 one. Mapped ones are IPv4 addresses already.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	bytes := addr.As16()
	switch {
	case compatible.Contains(addr), nat64.Contains(addr), localNAT64.Contains(addr):
		return netip.AddrFrom4([4]byte(bytes[12:])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(bytes[2:])), true
	}
	return netip.Addr{}, false
}

// addressesIn are the addresses that a record leads to.
func addressesIn(rr dns.RR) []net.IP {
	switch rr := rr.(type) {
	case *dns.A:
		return []net.IP{rr.A}
	case *dns.AAAA:
		return []net.IP{rr.AAAA}
	case *dns.HTTPS:
		return hints(&rr.SVCB)
	case *dns.SVCB:
		return hints(rr)
	}
	return nil
}

// hints are the addresses of a service binding, RFC 9460 section 7.3.
func hints(rr *dns.SVCB) []net.IP {
	var all []net.IP
	for _, v := range rr.Value {
		switch v := v.(type) {
		case *dns.SVCBIPv4Hint:
			all = append(all, v.Hint...)
		case *dns.SVCBIPv6Hint:
			all = append(all, v.Hint...)
		}
	}
	return all
}

// pointsInside returns an address that a record leads to, and that a name of that standing may not.
func (r *rebinding) pointsInside(rr dns.RR, who standing) (netip.Addr, bool) {
	for _, ip := range addressesIn(rr) {
		if addr, ok := netip.AddrFromSlice(ip); ok && r.inside(addr, who) {
			return addr.Unmap(), true
		}
	}
	return netip.Addr{}, false
}

// withhold returns records without those that lead where a name of that standing may not, and one of the addresses; an invalid one if all may stay.
func (r *rebinding) withhold(records []dns.RR, who standing) (rest []dns.RR, addr netip.Addr) {
	if r.policy == RebindOff || who == exempt {
		return records, addr
	}
	for i, rr := range records {
		at, inside := r.pointsInside(rr, who)
		switch {
		case inside && !addr.IsValid():
			rest, addr = slices.Clone(records[:i]), at
		case !inside && addr.IsValid():
			rest = append(rest, rr)
		}
	}
	if !addr.IsValid() {
		return records, addr
	}
	return rest, addr
}

// standingOf returns that of an answer: of the names whose records it has, the one that may least.
func (snap *snapshot) standingOf(a *asked, records []dns.RR) standing {
	who := snap.standingOfName(a.name, a)
	for _, rr := range records {
		if n, err := parseName(rr.Header().Name); err == nil {
			who = max(who, snap.standingOfName(n, a))
		}
	}
	return who
}

func (snap *snapshot) standingOfName(n name, a *asked) standing {
	for above := n; ; above = above.parent() {
		if snap.rebind.allow[above] {
			return exempt
		}
		if above == root {
			break
		}
	}
	if a.lan || a.group.domains {
		return neighbour
	}
	return stranger
}
