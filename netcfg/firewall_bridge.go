package netcfg

import "golang.org/x/sys/unix"

// The bridge table guards what guests of one bridge do to one another and to their gateway, frame by frame. It goes by the
// names of the ports, which are entered before they are attached: matching the bridge itself (ibrname) takes a kernel option
// that not all have.

// guestPorts leads from a port to the rules of its network.
const guestPorts = "guests"

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
	t.declare(keyIfname, true, false, guestPorts)
	t.sets[dhcpRates] = set{key: keyIfname, dynamic: true, elements: map[string]string{}}
	t.chains["prerouting"] = hooked("filter", hookPrerouting, priorityBridgePre,
		newRule(familyBridge, "", iifnameVmap(guestPorts)))
	return t
}

func (t *table) addGuests(n Network, mac string, ports map[string]port) {
	frame := func(comment string, parts ...part) rule { return newRule(familyBridge, comment, parts...) }
	gateway := n.Address.Addr()
	impostor, rogue := counted("impostor"), counted("rogue")

	rules := []rule{
		// The kernel has taken one tag off by now, and receivers take off as many of VLAN 0 as there are (IEEE 802.1Q section 6.9,
		// a priority alone): behind the second, and behind the LLC header of RFC 1042, nothing of what follows would match.
		frame("nothing hides behind tags", etherType(unix.ETH_P_8021Q), vlanID(0), impostor, drop()),
		frame("nothing hides behind tags", etherType(unix.ETH_P_8021AD), vlanID(0), impostor, drop()),
		frame("nor behind LLC (RFC 1042)", etherType(unix.ETH_P_802_2), llc(0x000000), impostor, drop()),
		frame("nor behind LLC (IEEE 802.1H)", etherType(unix.ETH_P_802_2), llc(0x0000f8), impostor, drop()),
		frame("the bridge's own address", etherSource(mac), impostor, drop()),
		frame("the gateway's address is not for guests", etherType(unix.ETH_P_ARP), arpSender(gateway), impostor, drop()),
		frame("nor is the bridge's", etherType(unix.ETH_P_ARP), arpSenderMAC(mac), impostor, drop()),
	}
	if n.Guard != GuardOff {
		rules = append(rules, frame("answers that claim to be the gateway's", etherType(unix.ETH_P_IP), saddr4(single(gateway)), impostor, drop()))
	}
	rules = append(rules,
		// Clients go by their own port alone: an offer from any other than a server's is as good to them.
		frame("no DHCP server but the host's", etherType(unix.ETH_P_IP), l4proto(unix.IPPROTO_UDP), dport(68), rogue, drop()),
		frame("no DHCPv6 server", etherType(unix.ETH_P_IPV6), l4proto(unix.IPPROTO_UDP), dport(546), rogue, drop()),
		frame("no router advertisements (RFC 4861 section 4.2)", etherType(unix.ETH_P_IPV6), l4proto(unix.IPPROTO_ICMPV6), icmp6Type(134), rogue, drop()))
	if n.DHCP {
		// A TAP device is one machine. Behind a veth may be a host of containers, behind a network card a rack or a relay: they are
		// not limited. The kind is asked of each packet, since a link may come back as another.
		rules = append(rules, frame("DHCP of one machine", iifkind("tun"), etherType(unix.ETH_P_IP), l4proto(unix.IPPROTO_UDP), dport(67),
			overRate(dhcpRates, dhcpRate, dhcpBurst), counted("flood"), drop()))
	}
	t.chains["guest_"+n.Name] = chain{rules: rules}
	for name, p := range ports {
		if p.bridge == n.Bridge {
			t.add(guestPorts, name, "goto guest_"+n.Name)
		}
	}
}
