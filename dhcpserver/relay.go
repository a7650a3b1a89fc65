package dhcpserver

import (
	"fmt"
	"net/netip"
)

// Sub-options of option 82.
const (
	agentLink     = 5  // link selection (RFC 3527)
	agentFlags    = 10 // RFC 5010
	agentServerID = 11 // server identifier override (RFC 5107)
	agentPort     = 19 // replies go to the port that the relay sent from (RFC 8357)
)

// agentUnicast is the bit of agentFlags that says that the client had sent its message to the relay alone.
const agentUnicast = 0x80

// subOption returns the data of a sub-option of option 82, and whether it is there. What a client itself says there
// counts for nothing: only a relay's message has it.
func (m *message) subOption(code uint8) ([]byte, bool) {
	if !m.relayed() {
		return nil, false
	}
	data, _ := m.options.get(optRelayAgent)
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		if data[0] == code {
			return data[2 : 2+int(data[1])], true
		}
		data = data[2+int(data[1]):]
	}
	return nil, false
}

// subAddress reads a sub-option that holds an address; it is invalid where there is none.
func (m *message) subAddress(code uint8) netip.Addr {
	data, ok := m.subOption(code)
	if !ok || len(data) != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(data))
}

// checkRelay says why the message of a relay is dropped, or "": the relay must be one that is named or, if none is, a host
// of our subnet; and it must ask for our subnet.
func (s *settings) checkRelay(m *message) Reason {
	known := s.isHost(m.giaddr)
	if len(s.relays) > 0 {
		_, known = s.relays[m.giaddr]
	}
	switch {
	case !known:
		return ReasonForeignRelay
	case !s.subnet.Contains(m.link()):
		return ReasonForeignSubnet
	default:
		return ""
	}
}

// link is an address of the subnet that a relay asks for: by link selection (RFC 3527), which goes before the subnet
// selection of the client (RFC 3011), else where the relay is.
func (m *message) link() netip.Addr {
	if a := m.subAddress(agentLink); a.IsValid() {
		return a
	}
	if a := m.address(optSubnetSelection); a.IsValid() {
		return a
	}
	return m.giaddr
}

// serverID is our server identifier in the reply to m: our address, or what the relay puts in its place so that the
// client's unicast messages come by it too (RFC 5107 section 4).
func (s *settings) serverID(m *message) netip.Addr {
	if a := m.subAddress(agentServerID); a.IsValid() && !a.IsUnspecified() {
		return a
	}
	return s.server
}

// namesUs says whether the server identifier of m is ours.
func (s *settings) namesUs(m *message) bool {
	id := m.address(optServerID)
	return id.IsValid() && (id == s.server || id == s.serverID(m))
}

// toAll says whether the client sent its message to everyone. One by a relay counts as that unless the relay knows better
// (RFC 5010).
func toAll(m *message, broadcast bool) bool {
	if !m.relayed() {
		return broadcast
	}
	flags, _ := m.subOption(agentFlags)
	return len(flags) == 0 || flags[0]&agentUnicast == 0
}

// newRelays checks and prepares the relays that are named.
func newRelays(relays []netip.Addr, server netip.Addr) (map[netip.Addr]struct{}, error) {
	out := make(map[netip.Addr]struct{}, len(relays))
	for _, a := range relays {
		if !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == server || a == broadcastAddr {
			return nil, fmt.Errorf("relay %v: must be the IPv4 address of another host", a)
		}
		out[a] = struct{}{}
	}
	return out, nil
}
