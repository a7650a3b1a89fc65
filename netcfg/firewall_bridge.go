package netcfg

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The bridge table guards what guests of one bridge do to one another and to their gateway, frame by frame. It goes by the
// names of the ports, which are entered before they are attached: matching the bridge itself (ibrname) takes a kernel option
// that not all have.
//
// Most of what guests send is TCP, or UDP over IPv4 to high ports, in which little is to be guarded: it leaves by the first rules.

// guestPorts leads from a port to the rules of its network. Where someone put a port on our bridge that isn't known yet, or while labnet isn't there
// to see it, what it sends to the host is told by the bridge's MAC address, in bridgeMACs.
const (
	guestPorts = "guests"
	bridgeMACs = "bridges"
)

// What one virtual machine may say to DHCP servers, in messages a second. A machine says a handful a day, so this is far from what
// any needs, and as far below what the server takes: a few machines that flood it can't keep the others from it.
const (
	dhcpRates = "dhcp_rates"
	dhcpRate  = 1000
	dhcpBurst = 2000
)

func bridgeBase() *table {
	t := newTable()
	t.counters["impostor"] = true
	t.counters["rogue"] = true
	t.counters["flood"] = true
	t.counters["spoofed"] = true
	t.declare(keyIfname, true, false, guestPorts)
	t.declare(keyEther, true, false, bridgeMACs)
	t.sets[dhcpRates] = set{key: keyIfname, dynamic: true, elements: map[string]string{}}
	t.chains["prerouting"] = hooked("filter", hookPrerouting, priorityBridgePre, frame("", iifnameVmap(guestPorts)), frame("", etherDestinationVmap(bridgeMACs)))
	return t
}

// addGuests makes the rules of a network's guests. By its protocol a frame goes to a chain that has the rules of that protocol alone.
func (t *table) addGuests(cfg Config, n Network, s separation, f *facts, ports map[string]port) {
	g := guestRules{n: n, separation: s}
	chains := map[string][]rule{
		"":        g.frames(),
		"ip":      g.ip(),
		"foreign": g.foreigners(),
		"udp":     g.udp(),
		"offer":   g.offers(),
		"request": g.requests(),
		"arp":     g.arp(),
		"ip6":     g.ip6(),
	}
	switch {
	case n.Guard == GuardStrict:
		delete(chains, "ip6")
		delete(chains, "foreign")
		maps.Copy(chains, g.strict())
		t.strictSets(n, f)
	case len(cfg.Networks) == 1:
		// Even before it is looked up which network a port is of.
		first := t.chains["prerouting"]
		first.rules = append(g.harmless(), first.rules...)
		t.chains["prerouting"] = first
	default:
		chains[""] = append(g.harmless(), chains[""]...)
	}
	for name, rules := range chains {
		if len(rules) > 0 {
			t.chains[g.chain(name)] = chain{rules: rules}
		}
	}
	if !n.Adopt {
		t.add(bridgeMACs, g.mac, "goto "+g.chain(""))
	}
	for name, p := range ports {
		if p.bridge == n.Bridge {
			t.add(guestPorts, name, "goto "+g.chain(""))
		}
	}
}

// lastGuarded is the last port to which datagrams over IPv4 are guarded.
const lastGuarded = 68

// harmless lets pass most frames, of which the other chains would look at no more than what is looked at here.
func (g guestRules) harmless() []rule {
	var own part
	from := "of IPv4, not from the bridge"
	if g.n.Guard != GuardOff {
		// Its other addresses are of other subnets.
		gateway, subnet := g.n.Address.Addr(), g.n.Address.Masked()
		own = append(own, payload(expr.PayloadBaseNetworkHeader, saddrOffset, 4), ne(gateway.AsSlice()), masked(subnet), eq(subnet.Addr().AsSlice()))
		from = fmt.Sprintf("from %s, not as %s nor from the bridge", subnet, gateway)
	}
	own = append(own, etherSourceNot(g.mac)...)
	return []rule{
		// nft can't write these as it does others, for want of the type of the frame: so the comment does.
		frame("TCP "+from, usualIP(unix.IPPROTO_TCP), own, accept()),
		frame(fmt.Sprintf("UDP over port %d %s", lastGuarded, from), usualIP(unix.IPPROTO_UDP), dportOver(lastGuarded), own, accept()),
	}
}

// usualIP matches a protocol over IPv4 with a header of twenty bytes (RFC 791 section 3.1: version and length, protocol). Reading the header itself
// takes half as long as asking for the type of the frame and of the packet. Nothing else that is guarded begins so: not IPv6, nor ARP over Ethernet,
// nor a tag of VLAN 0, nor SNAP.
func usualIP(protocol byte) part {
	return part{
		payload(expr.PayloadBaseNetworkHeader, 0, 1), eq([]byte{0x45}),
		payload(expr.PayloadBaseNetworkHeader, 9, 1), eq([]byte{protocol}),
	}
}

// guestRules are the chains of a network in the bridge table, each of which knows what led to it.
type guestRules struct {
	n Network
	separation
}

func frame(comment string, parts ...part) rule { return newRule(familyBridge, comment, parts...) }

var (
	impostor = counted("impostor")
	rogue    = counted("rogue")
)

// chain is the name of one of the chains: a network's own name has no dot, so it is no other network's.
func (g guestRules) chain(name string) string {
	if name == "" {
		return "guest_" + g.n.Name
	}
	return "guest_" + g.n.Name + "." + name
}

func (g guestRules) to(name string) part { return leadTo(g.chain(name)) }

func (g guestRules) frames() []rule {
	return []rule{
		frame("the bridge's own address", etherSource(g.mac), impostor, drop()),
		frame("", etherType(unix.ETH_P_IP), g.to("ip")),
		frame("", etherType(unix.ETH_P_ARP), g.to("arp")),
		frame("", etherType(unix.ETH_P_IPV6), g.to("ip6")),
		// The kernel has taken one tag off by now, and receivers take off as many of VLAN 0 as there are (IEEE 802.1Q section 6.9,
		// a priority alone): behind the second, and behind the LLC header of RFC 1042, nothing of the other rules would match.
		frame("nothing hides behind tags", etherType(unix.ETH_P_8021Q), vlanID(0), impostor, drop()),
		frame("nothing hides behind tags", etherType(unix.ETH_P_8021AD), vlanID(0), impostor, drop()),
		frame("nor behind LLC (RFC 1042)", etherType(unix.ETH_P_802_2), llc(0x000000), impostor, drop()),
		frame("nor behind LLC (IEEE 802.1H)", etherType(unix.ETH_P_802_2), llc(0x0000f8), impostor, drop()),
	}
}

func (g guestRules) arp() []rule {
	var rules []rule
	for _, a := range g.n.addresses() {
		rules = append(rules, frame("the gateway's address is not for guests", etherType(unix.ETH_P_ARP), arpSender(a.Addr()), impostor, drop()))
	}
	return append(rules, frame("nor is the bridge's", etherType(unix.ETH_P_ARP), arpSenderMAC(g.mac), impostor, drop()))
}

func (g guestRules) ip() []rule {
	var rules []rule
	if g.n.Guard != GuardOff {
		for _, a := range g.n.addresses() {
			rules = append(rules, frame("answers that claim to be the gateway's",
				etherType(unix.ETH_P_IP), saddr4(single(a.Addr())), impostor, drop()))
		}
	}
	return slices.Concat(rules, g.foreign(), []rule{frame("", l4proto(unix.IPPROTO_UDP), g.to("udp"))})
}

// udp are the rules for datagrams to low ports. What guests ask the host isn't tracked, see untracked; here it costs no other packet anything,
// and the IP rules leave the answers untracked. Pieces of a question stay tracked,
// or the first, which alone has the port, would never be put together with the others.
func (g guestRules) udp() []rule {
	rules := []rule{frame("", l4proto(unix.IPPROTO_UDP), dport(68), g.to("offer"))}
	if g.n.DNS {
		rules = append(rules, frame("", l4proto(unix.IPPROTO_UDP), dport(53), etherType(unix.ETH_P_IP), fragment(), accept()))
		for _, a := range g.n.addresses() {
			rules = append(rules, frame("", etherType(unix.ETH_P_IP), daddr4(single(a.Addr())), l4proto(unix.IPPROTO_UDP), dport(53), notrack(), accept()))
		}
	}
	if g.n.DHCP {
		rules = append(rules, frame("", l4proto(unix.IPPROTO_UDP), dport(67), g.to("request")))
	}
	return rules
}

// Clients go by their own port alone: an offer from any other than a server's is as good to them.
func (g guestRules) offers() []rule {
	return append(overheard(g.n, familyBridge), frame("no DHCP server but the host's", rogue, drop()))
}

func (g guestRules) requests() []rule {
	if !g.n.DHCP {
		return nil
	}
	// A TAP device is one machine. Behind a veth may be a host of containers, behind a network card a rack or a relay: they are
	// not limited. The kind is asked of each packet, since a link may come back as another.
	rules := []rule{frame("DHCP of one machine", iifkind("tun"), overRate(dhcpRates, dhcpRate, dhcpBurst), counted("flood"), drop())}
	rules = append(rules, frame("", etherType(unix.ETH_P_IP), fragment(), accept()))
	for _, to := range []netip.Prefix{limitedBroadcast, single(g.n.Address.Addr())} {
		rules = append(rules, frame("", etherType(unix.ETH_P_IP), daddr4(to), notrack(), accept()))
	}
	return rules
}

func (g guestRules) ip6() []rule {
	return append(g.foreign6(),
		frame("no DHCPv6 server", etherType(unix.ETH_P_IPV6), l4proto(unix.IPPROTO_UDP), dport(546), rogue, drop()),
		frame("no router advertisements (RFC 4861 section 4.2)", etherType(unix.ETH_P_IPV6), l4proto(unix.IPPROTO_ICMPV6), icmp6Type(134), rogue, drop()))
}
