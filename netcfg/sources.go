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
// Usually a bridge leads to its own subnets alone. Then the bridge's rules leave other sources untracked (see foreignSources), so that they
// belong to no connection, and the rules for new connections drop them: an established one costs nothing. On a bridge that isn't labnet's own,
// and where the host routes more by it, everything that comes in is looked at before it is tracked, which takes a hook for every packet of the
// host's. The kernel alone knows which way back there is, and a bridge's rules can't ask it.

// looksFirst reports whether the sources of a network are looked at before they are tracked. What labnet itself has on the bridge doesn't count:
// it is the network's, or goes with this very change.
func (f *facts) looksFirst(cfg Config, n Network) bool {
	l, ok := f.link(n.Bridge)
	if n.Adopt || !ok {
		return n.Adopt
	}
	beyond := func(p netip.Prefix) bool {
		return !slices.ContainsFunc(n.reach(), func(own netip.Prefix) bool { return own.Contains(p.Addr()) && own.Bits() <= p.Bits() })
	}
	return f.routed6[l.index] ||
		slices.ContainsFunc(f.routes, func(r route) bool {
			return slices.Contains(r.links, l.index) && r.protocol != unix.RTPROT_KERNEL && r.protocol != routeProtocol && beyond(r.dst)
		}) ||
		slices.ContainsFunc(f.addresses, func(a linkAddress) bool {
			return a.link == l.index && a.prefix.Addr().Is4() && beyond(a.prefix.Masked()) && !f.madeByUs(cfg, n.Bridge, a)
		})
}

// checked lead what opens a connection, or belongs to none, to the check of its source, where that isn't looked at before.
func (s separation) checked(n Network) []rule {
	if s.looksFirst || n.Guard == GuardOff {
		return nil
	}
	return []rule{inet("", jumpTo("source_"+n.Name))}
}

// addSources makes the chain of a network that says what its guests may send from. On an adopted bridge ports of others are no guests for the bridge's rules, so that what those
// do for guests' questions, and about DHCP servers, is done here.
func (t *table) addSources(n Network, s separation) {
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
		for _, subnet := range n.reach() {
			rules = append(rules, inet("", ip4Proto, saddr4(subnet), pass()))
		}
		rules = append(rules,
			// A client that asks for an address may still have one of another network, or none (RFC 2131 section 4.1).
			inet("", ip4Proto, daddr4(limitedBroadcast), udp, sport(68), dport(67), pass()),
			inet("", ip4Proto, daddr4(single(n.Address.Addr())), udp, sport(68), dport(67), pass()),
			inet("", nfproto(unix.NFPROTO_IPV6), saddr6(linkLocal6), ret()),
			inet("", nfproto(unix.NFPROTO_IPV6), saddr6(unspecified6), ret()),
			inet("a source that isn't routed back here", noRouteBack(), counted("spoofed"), drop()))
	}
	if n.Adopt {
		rules = append(rules, inet("", pass()))
	}
	if len(rules) == 0 {
		return
	}
	name := "source_" + n.Name
	t.chains[name] = chain{rules: rules}
	if s.looksFirst {
		t.add("sources", n.Bridge, "goto "+name)
		t.chains["prerouting"] = hooked("filter", hookPrerouting, priorityRaw, inet("", iifnameVmap("sources")))
	}
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

// foreignSources leave untracked what guests send from other addresses, of which they may use what they like among themselves. What reaches
// the host is dropped there, unless it asks for an address.
func (g guestRules) foreignSources() (ip, ip6 []rule) {
	if g.looksFirst || g.n.Guard == GuardOff {
		return nil, nil
	}
	source := part{payload(expr.PayloadBaseNetworkHeader, saddrOffset, 4)}
	for i, p := range g.n.reach() {
		if i > 0 {
			source = append(source, payload(expr.PayloadBaseNetworkHeader, saddrOffset, 4))
		}
		source = append(source, masked(p), ne(p.Masked().Addr().AsSlice()))
	}
	return []rule{frame("not of this network", etherType(unix.ETH_P_IP), source, notrack())},
		[]rule{frame("not of this link", etherType(unix.ETH_P_IPV6), saddr6Not(linkLocal6), saddr6Not(unspecified6), notrack())}
}
