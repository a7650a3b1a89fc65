package netcfg

import (
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Under a strict guard a guest has what the follower says: its MAC address with the addresses that it was given, and, once the bridge has
// learned it, the port that this MAC address is at. From another port nothing passes with it, DHCP included, so that nobody takes the
// guest's place while its own port is connected. Where a TAP says which MAC address its guest has, nothing needs to be learned.

// The sets of a network under a strict guard.
const (
	boundTo  = "bound_"    // port, MAC address and address: what may send
	stations = "stations_" // port and MAC address
	settled  = "settled_"  // the MAC addresses among them
	roaming  = "roaming_"  // MAC address and address, where no port is known yet
)

// notIPv4 counts what guests under a strict guard say in other protocols.
const notIPv4 = "not_ipv4"

// strictSets declares the sets of a network.
func (t *table) strictSets(n Network, f *facts) {
	t.counters[notIPv4] = true
	for name, key := range map[string]keyType{
		boundTo:  concat(keyIfname, keyEther, keyIPv4),
		stations: concat(keyIfname, keyEther),
		settled:  keyEther,
		roaming:  concat(keyEther, keyIPv4),
	} {
		t.declare(key, false, false, name+n.Name)
		t.follow(f, bridgeTable, name+n.Name)
	}
	t.pinPorts(n)
}

// Where a key's parts are in the registers: a name takes sixteen bytes, a MAC address eight, each from the first that is free.
const (
	afterName    = unix.NFT_REG_2
	afterNameMAC = unix.NFT_REG32_06
	afterMAC     = unix.NFT_REG32_02
)

// field is something in a frame that is loaded into a register.
type field struct {
	base           expr.PayloadBase
	offset, length uint32
}

func (f field) to(register uint32) expr.Any {
	return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: register, Base: f.base, Offset: f.offset, Len: f.length}
}

var (
	frameSource = field{expr.PayloadBaseLLHeader, 6, 6}
	arpMAC      = field{expr.PayloadBaseNetworkHeader, 8, 6}
	arpAddress  = field{expr.PayloadBaseNetworkHeader, 14, 4}
	ip4Source   = field{expr.PayloadBaseNetworkHeader, saddrOffset, 4}
	dhcpChaddr  = field{expr.PayloadBaseTransportHeader, 8 + 28, 6} // RFC 2131 section 2, behind the UDP header
)

func iifTo(register uint32) expr.Any { return &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: register} }

// bound matches what a guest may send from.
func (g guestRules) bound(mac, address field) part {
	return part{iifTo(reg1), mac.to(afterName), address.to(afterNameMAC), lookup(boundTo + g.n.Name)}
}

// roams matches the same of a guest whose port isn't known.
func (g guestRules) roams(mac, address field) part {
	return part{mac.to(reg1), address.to(afterMAC), lookup(roaming + g.n.Name)}
}

// elsewhere matches MAC addresses that are those of another port.
func (g guestRules) elsewhere(mac field) part {
	return part{
		mac.to(reg1), lookup(settled + g.n.Name),
		iifTo(reg1), mac.to(afterName), &expr.Lookup{SourceRegister: reg1, SetName: stations + g.n.Name, Invert: true},
	}
}

// strict are the chains of a network under a strict guard; those that aren't among them are the same as under any other.
func (g guestRules) strict() map[string][]rule {
	ip, arp := etherType(unix.ETH_P_IP), etherType(unix.ETH_P_ARP)
	var routed, routedRoaming []rule
	for _, r := range g.n.Routes {
		routed = append(routed, frame("from behind it", ip, saddr4(r.Subnet), g.routedFrom(r.Via), g.to("known")))
		routedRoaming = append(routedRoaming, frame("from behind it", ip, saddr4(r.Subnet), g.roamingFrom(r.Via), g.to("known")))
	}
	chains := map[string][]rule{
		"": {
			frame("the bridge's own address", etherSource(g.mac), impostor, drop()),
			frame("", ip, g.to("ip")),
			frame("", arp, g.to("arp")),
			frame("no other addresses are leased", counted(notIPv4), drop()),
		},
		"ip": slices.Concat(
			[]rule{frame("", ip, g.bound(frameSource, ip4Source), g.to("known"))},
			routed,
			g.notItsOwn("another guest's MAC address", nil, frameSource),
			[]rule{frame("", ip, g.roams(frameSource, ip4Source), g.to("known"))},
			routedRoaming),
		"known": {frame("", l4proto(unix.IPPROTO_UDP), g.to("udp"))},
		"arp": slices.Concat(
			g.arp(),
			g.notItsOwn("another guest's MAC address", nil, frameSource),
			g.notItsOwn("another guest's MAC address", arp, arpMAC),
			[]rule{
				// Who looks whether an address is free has none yet (RFC 5227 section 2.1.1), and nobody learns anything of him.
				frame("", arp, arpSender(unspecified4), accept()),
				frame("", arp, g.bound(frameSource, arpAddress), g.bound(arpMAC, arpAddress), accept()),
				frame("", arp, g.roams(frameSource, arpAddress), g.roams(arpMAC, arpAddress), accept()),
				frame("an address that it doesn't have", impostor, drop()),
			}),
	}
	if g.n.DHCP {
		// Who asks for an address has none, or one that it isn't to have (RFC 2131 section 4.1).
		chains["ip"] = append(chains["ip"],
			frame("", ip, daddr4(limitedBroadcast), l4proto(unix.IPPROTO_UDP), sport(68), dport(67), g.to("request")),
			frame("", ip, daddr4(single(g.n.Address.Addr())), l4proto(unix.IPPROTO_UDP), sport(68), dport(67), g.to("request")))
		chains["request"] = slices.Concat(
			// A release in another's name would cost him his address.
			g.notItsOwn("DHCP for another guest", l4proto(unix.IPPROTO_UDP), dhcpChaddr),
			[]rule{frame("nor in pieces", ip, fragment(), impostor, drop())},
			g.requests())
	}
	chains["ip"] = append(chains["ip"], frame("an address that it doesn't have", impostor, drop()))
	return chains
}

// fragment matches the pieces of IPv4 packets (RFC 791 section 3.1: more fragments, or an offset).
func fragment() part {
	return part{
		payload(expr.PayloadBaseNetworkHeader, 6, 2),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2, Mask: []byte{0x3f, 0xff}, Xor: []byte{0, 0}},
		ne([]byte{0, 0}),
	}
}
