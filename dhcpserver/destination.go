package dhcpserver

import "net/netip"

const (
	serverPort = 67
	clientPort = 68
)

var (
	broadcastAddr = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	broadcastMAC  = [6]byte{255, 255, 255, 255, 255, 255}
)

// destination is where a reply goes. A framed one is a whole Ethernet frame to mac, for clients that have no address
// to be asked for by ARP; any other is routed by the kernel.
type destination struct {
	to     netip.AddrPort
	framed bool
	relay  bool
	mac    [6]byte
}

// destinationOf says where a reply of this kind to m goes (RFC 2131 section 4.1). from is the datagram's source, yiaddr
// the address that is given.
func destinationOf(m *message, kind replyKind, yiaddr netip.Addr, from netip.AddrPort) destination {
	toAll := destination{to: netip.AddrPortFrom(broadcastAddr, clientPort), framed: true, mac: broadcastMAC}
	switch {
	case m.relayed(): // D1
		port := uint16(serverPort)
		if _, ok := m.subOption(agentPort); ok {
			port = from.Port()
		}
		return destination{to: netip.AddrPortFrom(m.giaddr, port), relay: true}
	case kind == replyNak: // D2
		return toAll
	case kind == replyInform:
		// Framed, if it can be: nothing is known of this address. The kernel would queue the replies to one that no machine
		// has while it asks for it by ARP, until the socket has no room for the ACKs of others.
		addr := m.ciaddr
		if addr.IsUnspecified() {
			addr = from.Addr()
		}
		d := destination{to: netip.AddrPortFrom(addr, clientPort)}
		if m.hasUnicastEthernet() {
			d.framed, d.mac = true, [6]byte(m.hardware())
		}
		return d
	case kind == replyAck && m.kind != typeDiscover && m.ciaddr == yiaddr:
		// D3. Another ciaddr than the address that is acknowledged is an error of the client's, and perhaps not on our link.
		return destination{to: netip.AddrPortFrom(m.ciaddr, clientPort)}
	case m.wantsBroadcast() || !m.hasUnicastEthernet(): // D4
		return toAll
	default: // D5
		return destination{to: netip.AddrPortFrom(yiaddr, clientPort), framed: true, mac: [6]byte(m.hardware())}
	}
}

// hasUnicastEthernet says whether chaddr is the address of one Ethernet station.
func (m *message) hasUnicastEthernet() bool {
	hw := m.hardware()
	return m.htype == hwEthernet && len(hw) == 6 && hw[0]&1 == 0 && [6]byte(hw) != [6]byte{}
}
