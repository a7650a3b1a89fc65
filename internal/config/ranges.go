package config

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxLeased bounds the addresses of a network: the lease table keeps a slot for each.
const maxLeased = 1 << 20

func (b *builder) rangesOf(p *networkParts) {
	subnet := p.Address.Masked()
	written := p.dhcp.blocks["range"]
	if !p.Address.IsValid() || !p.DHCP.Enabled {
		return
	}
	if len(written) == 0 {
		p.DHCP.Ranges = usable(p.Address)
		if n := countAddresses(p.DHCP.Ranges); n > maxLeased {
			b.error(p.node, p.addressAt, fmt.Sprintf("%s has %d addresses, too many to lease them all", subnet, n),
				fmt.Sprintf("Say which part is for DHCP, at most %d: dhcp { range { start = \"%s\", end = … } }", maxLeased, p.DHCP.Ranges[0].Start))
		}
		return
	}
	type placed struct {
		AddrRange
		n *node
	}
	var good []placed
	for _, n := range written {
		r := AddrRange{get[netip.Addr](n, "start"), get[netip.Addr](n, "end")}
		if n.bad || !b.checkRange(p, n, r) {
			continue
		}
		for _, other := range good {
			if r.Start.Compare(other.End) <= 0 && other.Start.Compare(r.End) <= 0 {
				b.error(n, n.at("start"), fmt.Sprintf("the range %s to %s overlaps another one", r.Start, r.End), "Each address may be in one range only.",
					here(other.n.at("start"), "%s to %s", other.Start, other.End))
				break
			}
		}
		good = append(good, placed{r, n})
		p.DHCP.Ranges = append(p.DHCP.Ranges, r)
	}
	slices.SortFunc(p.DHCP.Ranges, func(x, y AddrRange) int { return x.Start.Compare(y.Start) })
	if n := countAddresses(p.DHCP.Ranges); n > maxLeased {
		b.error(p.dhcp, written[0].head, fmt.Sprintf("the ranges have %d addresses", n), fmt.Sprintf("At most %d are leased in a network.", maxLeased))
	}
}

// checkRange finds what is wrong with one range.
func (b *builder) checkRange(p *networkParts, n *node, r AddrRange) bool {
	subnet := p.Address.Masked()
	ok := true
	for _, end := range []struct {
		name string
		addr netip.Addr
	}{{"start", r.Start}, {"end", r.End}} {
		if !subnet.Contains(end.addr) {
			ok = false
			b.error(n, n.at(end.name), fmt.Sprintf("the range's %s %s is outside the network", end.name, end.addr), addressesOf(p.Address))
		}
	}
	if !ok {
		return false
	}
	if r.End.Less(r.Start) {
		b.error(n, n.at("end"), fmt.Sprintf("the range ends at %s, before its start %s", r.End, r.Start), "Exchange the two.", here(n.at("start"), "the start"))
		return false
	}
	return b.checkSpecial(p, n, r)
}

// checkSpecial finds addresses in a range that no guest can have.
func (b *builder) checkSpecial(p *networkParts, n *node, r AddrRange) bool {
	subnet := p.Address.Masked()
	var what []string
	var related []Related
	at := "start"
	for _, special := range []struct {
		addr netip.Addr
		what string
	}{
		{subnet.Addr(), "the network address"},
		{p.Address.Addr(), "the host's own address"},
		{broadcast(subnet), "the broadcast address"},
	} {
		if special.addr.Less(r.Start) || r.End.Less(special.addr) {
			continue
		}
		what = append(what, fmt.Sprintf("%s (%s)", special.addr, special.what))
		if special.addr == p.Address.Addr() {
			related = append(related, here(p.addressAt, "the host's own address, the guests' gateway"))
		}
		if special.addr == r.End && len(what) == 1 {
			at = "end"
		}
	}
	if len(what) == 0 {
		return true
	}
	b.error(n, n.at(at), fmt.Sprintf("the range %s to %s contains %s", r.Start, r.End, strings.Join(what, " and ")), rangeAdvice(p.Address, r), related...)
	return false
}

// rangeAdvice says what of a range guests can have.
func rangeAdvice(address netip.Prefix, r AddrRange) string {
	var parts []string
	for _, u := range usable(address) {
		if start, end := later(u.Start, r.Start), earlier(u.End, r.End); start.Compare(end) <= 0 {
			parts = append(parts, fmt.Sprintf("%s to %s", start, end))
		}
	}
	switch len(parts) {
	case 0:
		return "No guest can have any of these."
	case 1:
		return "Make it " + parts[0] + "."
	default:
		return "Make two ranges of it: " + strings.Join(parts, ", and ") + "."
	}
}

func later(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return b
	}
	return a
}

func earlier(a, b netip.Addr) netip.Addr {
	if b.Less(a) {
		return b
	}
	return a
}

// addressesOf says which addresses a network's hosts can have.
func addressesOf(p netip.Prefix) string {
	subnet := p.Masked()
	return fmt.Sprintf("%s has the addresses %s to %s.", subnet, subnet.Addr().Next(), broadcast(subnet).Prev())
}

// usable is every address of a subnet but the network's, the broadcast and the gateway's own.
func usable(p netip.Prefix) []AddrRange {
	subnet := p.Masked()
	first, last := subnet.Addr().Next(), broadcast(subnet).Prev()
	var ranges []AddrRange
	if gateway := p.Addr(); first.Less(gateway) {
		ranges = append(ranges, AddrRange{first, gateway.Prev()})
	}
	if gateway := p.Addr(); gateway.Less(last) {
		ranges = append(ranges, AddrRange{gateway.Next(), last})
	}
	return ranges
}

func countAddresses(ranges []AddrRange) int {
	n := 0
	for _, r := range ranges {
		start, end := r.Start.As4(), r.End.As4()
		n += int(binary.BigEndian.Uint32(end[:])-binary.BigEndian.Uint32(start[:])) + 1
	}
	return n
}
