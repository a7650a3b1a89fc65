package netcfg

import (
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// What guests may send from: their network's addresses, and what the host routes by their bridge. Nothing else may reach connection tracking,
// where it would pass for a packet of another's connection.
//
// Usually a bridge leads to its own subnets alone. Then the bridge's rules drop other sources on their way to the host, and leave untracked those
// that come with a broadcast: they belong to no connection, and the rules for new ones drop them. An established connection costs nothing. On a
// bridge that isn't labnet's own, and where the host has more by it, everything that comes in is looked at before it is tracked, which takes a hook
// for every packet of the host's: the kernel alone knows which way back there is, and a bridge's rules can't ask it.

// looksFirst reports whether the sources of a network are looked at before they are tracked: where something stands on its bridge, as VLANs do, or the
// host routes by it what isn't the network's. What labnet itself has there doesn't count: it is the network's, or goes with this very change.
func (f *facts) looksFirst(cfg Config, n Network) bool {
	l, ok := f.link(n.Bridge)
	if n.Adopt || !ok {
		return n.Adopt
	}
	reach := n.reach()
	for _, a := range f.addresses {
		if a.link == l.index && f.madeByUs(cfg, n.Bridge, a) {
			reach = append(reach, a.prefix.Masked())
		}
	}
	return f.routed6[l.index] ||
		slices.ContainsFunc(f.links, func(upper link) bool { return upper.lower == l.index }) ||
		slices.ContainsFunc(f.routes, func(r route) bool {
			return slices.Contains(r.links, l.index) && r.protocol != routeProtocol &&
				!slices.ContainsFunc(reach, func(own netip.Prefix) bool { return own.Contains(r.dst.Addr()) && own.Bits() <= r.dst.Bits() })
		})
}

// looksLater reports whether the bridge's rules and those for new connections look at the sources of a network.
func (s separation) looksLater(n Network) bool { return !s.looksFirst && n.Guard != GuardOff }

// checked lead what opens a connection, or belongs to none, to the check of its source, where that isn't looked at before.
func (s separation) checked(n Network) []rule {
	if !s.looksLater(n) {
		return nil
	}
	return []rule{inet("", jumpTo("foreign_"+n.Name))}
}

// addSources makes the chain of a network that says what its guests may send from. On an adopted bridge ports of others are no guests for the
// bridge's rules, so that what those do for guests' questions, and about DHCP servers, is done here.
func (t *table) addSources(n Network, s separation) {
	if s.looksLater(n) {
		// Older kernels (5.10) tell the way back only before anything is routed. Here there is none.
		t.chains["foreign_"+n.Name] = chain{rules: append(ownSources(n, ret), inet("a source that isn't routed back here", counted("spoofed"), drop()))}
	}
	if !s.looksFirst {
		return
	}
	var rules []rule
	pass := ret
	if n.Adopt {
		rules = overheard(n, familyInet)
		if asks := untracked(n); len(asks) > 0 {
			name := "asks_" + n.Name
			t.chains[name] = chain{rules: asks}
			pass = func() part { return leadTo(name) }
		}
	}
	if n.Guard != GuardOff {
		rules = slices.Concat(rules, ownSources(n, pass), []rule{inet("a source that isn't routed back here", noRouteBack(), counted("spoofed"), drop())})
	}
	if n.Adopt {
		rules = append(rules, inet("", pass()))
	}
	if len(rules) > 0 {
		t.lead("sources", n.Bridge, "source_"+n.Name, rules...)
		t.chains["prerouting"] = hooked("filter", hookPrerouting, priorityRaw, inet("", iifnameVmap("sources")))
	}
}

// ownSources let pass what guests may send from, whatever the host's routes are.
func ownSources(n Network, pass func() part) []rule {
	var rules []rule
	for _, subnet := range n.reach() {
		rules = append(rules, inet("", ip4Proto, saddr4(subnet), pass()))
	}
	return append(rules,
		// A client that asks for an address may still have one of another network, or none (RFC 2131 section 4.1).
		inet("", ip4Proto, daddr4(limitedBroadcast), udp, sport(68), dport(67), pass()),
		inet("", ip4Proto, daddr4(single(n.Address.Addr())), udp, sport(68), dport(67), pass()),
		inet("", nfproto(unix.NFPROTO_IPV6), saddr6(linkLocal6), ret()),
		inet("", nfproto(unix.NFPROTO_IPV6), saddr6(unspecified6), ret()))
}

// untracked are the rules for what guests ask the host, which isn't tracked: a question and its answer are over at once, and thousands of
// them would fill the table of connections.
func untracked(n Network) []rule {
	var rules []rule
	if n.DNS {
		for _, a := range n.addresses() {
			rules = append(rules, inet("", ip4Proto, daddr4(single(a.Addr())), udp, dport(53), notrack()))
		}
	}
	if n.DHCP {
		for _, to := range []netip.Prefix{single(n.Address.Addr()), limitedBroadcast} {
			rules = append(rules, inet("", ip4Proto, daddr4(to), udp, dport(67), notrack()))
		}
	}
	return rules
}

// foreign leads what guests send from other addresses to the rules for that. Among themselves they may use what they like.
func (g guestRules) foreign() []rule {
	if !g.looksLater(g.n) {
		return nil
	}
	var source part
	for _, p := range g.n.reach() {
		source = append(source, payload(expr.PayloadBaseNetworkHeader, saddrOffset, 4), masked(p), ne(p.Masked().Addr().AsSlice()))
	}
	return []rule{frame("not of this network", etherType(unix.ETH_P_IP), source, g.to("foreign"))}
}

// foreigners are the rules for other addresses. Who asks for an address may still have one (RFC 2131 section 4.1).
func (g guestRules) foreigners() []rule {
	if !g.looksLater(g.n) {
		return nil
	}
	var rules []rule
	if g.n.DHCP {
		for _, to := range []netip.Prefix{limitedBroadcast, single(g.n.Address.Addr())} {
			rules = append(rules, frame("", etherType(unix.ETH_P_IP), daddr4(to), l4proto(unix.IPPROTO_UDP), sport(68), dport(67), g.to("request")))
		}
	}
	return append(rules,
		frame("a source that isn't routed back here", toHostItself(), counted("spoofed"), drop()),
		frame("", notrack()),
		frame("", l4proto(unix.IPPROTO_UDP), g.to("udp")))
}

// foreign6 are the rules for IPv6 sources that the host doesn't route by the bridge.
func (g guestRules) foreign6() []rule {
	if !g.looksLater(g.n) {
		return nil
	}
	source := slices.Concat(etherType(unix.ETH_P_IPV6), saddr6Not(linkLocal6), saddr6Not(unspecified6))
	return []rule{
		frame("a source that isn't routed back here", source, toHostItself(), counted("spoofed"), drop()),
		frame("not of this link", source, notrack()),
	}
}

// toHostItself matches frames to the MAC address of the bridge, or of the port that they come in by: the host takes no others for its own, but
// those to groups.
func toHostItself() part { return part{meta(expr.MetaKeyPKTTYPE), eq([]byte{unix.PACKET_HOST})} }
