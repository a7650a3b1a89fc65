package netcfg

import (
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Hooks and priorities, uapi/linux/netfilter.h and netfilter_ipv4.h, netfilter_bridge.h.
const (
	hookPrerouting  = 0
	hookInput       = 1
	hookForward     = 2
	hookOutput      = 3
	hookPostrouting = 4

	priorityRaw       = -300
	priorityDstNAT    = -100
	priorityFilter    = 0
	prioritySrcNAT    = 100
	priorityBridgePre = -300

	priorityBridgeFilter = -200
)

func hooked(kind string, hook uint32, priority int32, rules ...rule) chain {
	return chain{base: &base{kind: kind, hook: hook, priority: priority, policy: nfAccept}, rules: rules}
}

// closedUplinks are the uplinks that forwarded nothing before us.
const closedUplinks = "closed_uplinks"

// firewall builds our tables. The chains that see a packet first hardly depend on the configuration and only dispatch, but for output,
// which has a rule for each service that is on; what is particular to a network is in chains of its own and in the elements that lead to
// them, so that one network comes and goes without touching the rules of another, but for the answers' chains, and for the second, with
// which the first one's chains begin to tell bridges apart.
func firewall(cfg Config, f *facts, uplinks []string, ports map[string]port) map[tableID]*table {
	if len(cfg.Networks) == 0 {
		return map[tableID]*table{}
	}
	inet := inetBase(cfg)
	for _, name := range uplinks {
		if f.wasClosed(name) {
			inet.add(closedUplinks, name, "")
			if l, ok := f.link(name); ok && l.kind == "bridge" {
				inet.add("bridged_uplinks", name+" . "+name, "")
			}
		}
	}
	l2 := bridgeBase()
	inet.declareShares(f.shares())
	for _, n := range cfg.Networks {
		s := f.separation(cfg, n)
		inet.addNetwork(cfg, n, s)
		inet.addCrossings(cfg, n)
		l2.addGuests(cfg, n, s, f, ports)
	}
	inet.addPublishing(cfg, f)
	inet.fitTCP(cfg, f, ports)
	l2.addHairpins(cfg, f, ports)
	return map[tableID]*table{inetTable: inet, bridgeTable: l2}
}

func (t *table) add(set, element, verdict string) { t.sets[set].elements[element] = verdict }

// lead makes a chain of a network, and the element of a verdict map that leads there.
func (t *table) lead(set, element, name string, rules ...rule) {
	if len(rules) > 0 {
		t.chains[name] = chain{rules: rules}
		t.add(set, element, "goto "+name)
	}
}

func (t *table) declare(key keyType, verdicts, interval bool, names ...string) {
	for _, name := range names {
		t.sets[name] = set{key: key, verdicts: verdicts, interval: interval, elements: map[string]string{}}
	}
}

func inet(comment string, parts ...part) rule { return newRule(familyInet, comment, parts...) }

func inetBase(cfg Config) *table {
	t := newTable()
	for _, name := range []string{"spoofed", "misdirected", "refused_in", "refused_out", "refused_host", "kept_apart", "invalid", "not_forwarded", "masqueraded"} {
		t.counters[name] = true
	}
	t.declare(keyIfname, false, false, "bridges", closedUplinks)
	t.declare(keyIfnames, false, false, "bridged_uplinks", crossings)
	t.declare(keyIfname, true, false, "sources", "from_bridge", "to_bridge", toHost)
	t.declare(keyIPv4, true, false, "gateways")
	t.declare(keyIPv4, true, true, "masquerade4")

	// Everything that the host sends comes by here: the port is what a packet is quickest told apart by.
	t.chains["output"] = hooked("filter", hookOutput, priorityRaw)
	t.chains["input"] = hooked("filter", hookInput, priorityFilter,
		toNetworks(cfg, iifname, iifnameVmap, toHost, "host_"),
		inet("", nfproto(unix.NFPROTO_IPV4), addr4Vmap(daddrOffset, "gateways")))
	t.chains["forward"] = hooked("filter", hookForward, priorityFilter,
		// Most packets: what was let in once goes on. What no longer may, is forgotten by connection tracking when that changes.
		inet("", ctState(established), accept()),
		toNetworks(cfg, iifname, iifnameVmap, "from_bridge", "from_"),
		toNetworks(cfg, oifname, oifnameVmap, "to_bridge", "to_"),
		// Where an uplink is itself a bridge, br_netfilter brings frames here that are only passing through it.
		inet("", ifnamesIn("bridged_uplinks"), accept()),
		// Forwarding is a matter of the interface that a packet comes in by: replies to guests need it on the uplink, which would
		// open the host's other networks to the uplink's.
		inet("not forwarded before labnet either", nfproto(unix.NFPROTO_IPV4), iifnameIn(closedUplinks), counted("not_forwarded"), drop()))
	t.chains["postrouting"] = hooked("nat", hookPostrouting, prioritySrcNAT, slices.Concat(
		quickMasquerade(cfg), []rule{inet("", udp, dport(53), localSource(), jumpTo("questions"))}, toMasquerade(cfg))...)
	t.rememberQuestionsShortly()
	return t
}

// toNetworks leads to a network's chain by the name of its bridge, by a map if there are several: looking into one takes as long as four
// comparisons.
func toNetworks(cfg Config, is, in func(string) part, set, prefix string) rule {
	if len(cfg.Networks) == 1 {
		n := cfg.Networks[0]
		return inet("", is(n.Bridge), leadTo(prefix+n.Name))
	}
	return inet("", in(set))
}

// quickMasquerade is the masquerading of nearly all connections, if there is a single network: the same that its chain would do.
func quickMasquerade(cfg Config) []rule {
	if len(cfg.Networks) != 1 || !cfg.Networks[0].Masquerade {
		return nil
	}
	n := cfg.Networks[0]
	out := part{meta(expr.MetaKeyOIFNAME), ne(ifname(n.Bridge)), ne(ifname("lo"))}
	if n.Uplink != "" {
		out = oifname(n.Uplink)
	}
	return []rule{inet("", ip4Proto, l4proto(unix.IPPROTO_TCP), saddr4(n.Address.Masked()), out, counted("masqueraded"), masqueradePorts(1024, 65535))}
}

// toMasquerade leads to the chains of networks that are masqueraded, by their guests' addresses.
func toMasquerade(cfg Config) []rule {
	if len(cfg.Networks) != 1 {
		return []rule{inet("", nfproto(unix.NFPROTO_IPV4), addr4Vmap(saddrOffset, "masquerade4"))}
	}
	var rules []rule
	if n := cfg.Networks[0]; n.Masquerade {
		for _, subnet := range n.reach() {
			rules = append(rules, inet("", ip4Proto, saddr4(subnet), leadTo("masquerade_"+n.Name)))
		}
	}
	return rules
}

func (t *table) addNetwork(cfg Config, n Network, s separation) {
	t.add("bridges", n.Bridge, "")
	t.addSources(n, s)
	if n.DNS {
		for _, a := range n.addresses() {
			t.answers(53, "dns_answers", a.Addr())
		}
	}
	if n.DHCP {
		t.answers(67, "dhcp_answers", n.Address.Addr())
	}
	for _, a := range n.addresses() {
		t.lead("gateways", a.Addr().String(), "gateway_"+n.Name, gatewayRules(n)...)
	}
	t.lead(toHost, n.Bridge, "host_"+n.Name, hostRules(n, s)...)
	t.lead("from_bridge", n.Bridge, "from_"+n.Name, letPublished(cfg, fromRules(cfg, n, s))...)
	t.lead("to_bridge", n.Bridge, "to_"+n.Name, toRules(n)...)
	if n.Masquerade {
		for _, subnet := range n.reach() {
			t.lead("masquerade4", subnet.String(), "masquerade_"+n.Name, masqueradeRules(cfg, n)...)
		}
	}
}

var (
	ip4Proto         = nfproto(unix.NFPROTO_IPV4)
	udp              = l4proto(unix.IPPROTO_UDP)
	limitedBroadcast = single(netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	multicast4       = netip.PrefixFrom(netip.AddrFrom4([4]byte{224, 0, 0, 0}), 4)
	linkLocal6       = netip.MustParsePrefix("fe80::/10")
	unspecified4     = netip.IPv4Unspecified()
	unspecified6     = netip.MustParsePrefix("::/128")
)

// answers leaves what a gateway sends from a port untracked, wherever it goes: it answers questions that aren't tracked either. One
// comparison for each network is quicker than a look into a set, of which there is one for each answer.
func (t *table) answers(port uint16, name string, gateway netip.Addr) {
	c, exists := t.chains[name]
	c.rules = append(c.rules, inet("", ip4Proto, saddr4(single(gateway)), notrack()))
	t.chains[name] = c
	if exists {
		return
	}
	output := t.chains["output"]
	output.rules = append(output.rules, inet("", udp, sport(port), leadTo(name)))
	t.chains["output"] = output
}

// gatewayRules keep questions out that reach a gateway's address by another way than its bridge.
func gatewayRules(n Network) []rule {
	if !n.DNS && !n.DHCP {
		return nil
	}
	rules := []rule{
		inet("", iifname(n.Bridge), accept()),
		inet("", iifname("lo"), accept()),
	}
	if n.DHCP {
		rules = append(rules, inet("", udp, dport(67), counted("misdirected"), drop()))
	}
	if n.DNS {
		for _, p := range n.DNSClients {
			if p.Addr().Is4() {
				rules = append(rules, inet("may ask too", ip4Proto, saddr4(p), accept()))
			}
		}
		rules = append(rules,
			inet("", udp, dport(53), counted("misdirected"), drop()),
			inet("", l4proto(unix.IPPROTO_TCP), dport(53), counted("misdirected"), drop()))
	}
	return rules
}

const established = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED

// fromRules say where guests may go with a new connection.
func fromRules(cfg Config, n Network, s separation) []rule {
	if cfg.open(n) {
		// Whatever the other rules say, it may go: by the shortest way, if its source and its share are beyond doubt.
		var rules []rule
		for _, subnet := range n.reach() {
			rules = append(rules, inet("", unsuspected(subnet), accept()))
		}
		return slices.Concat(rules, amongGuests(n, s, drawn), s.checked(n), placed(), []rule{inet("", leadTo(drawn))})
	}
	rules := append(amongGuests(n, s, admitted), s.checked(n)...)
	if s.enters {
		rules = append(rules, inet("", ifnamesIn(crossings), leadTo(admitted)))
	}
	if len(cfg.Networks) > 1 {
		rules = append(rules, inet("networks are kept apart", oifnameIn("bridges"), counted("kept_apart"), reject()))
	}
	if n.Isolated {
		return append(rules, inet("nothing leaves", counted("refused_out"), reject()))
	}
	if n.Uplink != "" {
		rules = append(rules, inet("only by its uplink", oifnameNot(n.Uplink), counted("refused_out"), reject()))
	}
	if n.Masquerade {
		rules = append(rules, placed()...)
	}
	return append(rules, inet("", leadTo(admitted)))
}

// open reports whether guests may go everywhere, and are masqueraded.
func (cfg Config) open(n Network) bool {
	return len(cfg.Networks) == 1 && n.Masquerade && n.Uplink == "" && !n.Isolate && !n.Isolated
}

// placed drops what conntrack can't place: it wouldn't be translated, and would show the LAN a guest's own address.
func placed() []rule {
	return []rule{inet("", ctState(expr.CtStateBitINVALID), counted("invalid"), drop())}
}

// toRules say who may reach guests from outside: with masquerade only who is answered or published, else everybody.
func toRules(n Network) []rule {
	var rules []rule
	if n.Uplink != "" {
		rules = append(rules, inet("only by its uplink", iifnameNot(n.Uplink), counted("refused_in"), reject()))
	}
	if n.Isolated {
		return append(rules, inet("nothing comes in", counted("refused_in"), reject()))
	}
	if !n.Masquerade {
		return append(rules, inet("", accept()))
	}
	return append(rules,
		inet("", ctState(expr.CtStateBitINVALID), counted("invalid"), drop()),
		inet("", ctDNAT(), accept()),
		inet("", counted("refused_in"), reject()))
}

// masqueradeRules translate what leaves a network, once for each connection. Multicast and broadcast keep their source.
// Ports stay over 1023, since servers such as NFS trust low ones to a host's root.
func masqueradeRules(cfg Config, n Network) []rule {
	var rules []rule
	switch {
	case n.Uplink != "":
		rules = append(rules, inet("", oifnameNot(n.Uplink), ret()))
	case len(cfg.Networks) > 1:
		rules = append(rules, inet("", oifnameIn("bridges"), ret()))
	default:
		rules = append(rules, inet("", oifname(n.Bridge), ret()))
	}
	if n.Uplink == "" {
		// The host's own questions to its gateway addresses.
		rules = append(rules, inet("", oifname("lo"), ret()))
	}
	return append(rules,
		inet("", l4proto(unix.IPPROTO_TCP), counted("masqueraded"), masqueradePorts(1024, 65535)),
		inet("", ip4Proto, daddr4(multicast4), ret()),
		inet("", ip4Proto, daddr4(limitedBroadcast), ret()),
		inet("", udp, counted("masqueraded"), masqueradePorts(1024, 65535)),
		inet("", counted("masqueraded"), masquerade()))
}
