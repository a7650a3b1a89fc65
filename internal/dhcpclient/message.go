package dhcpclient

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// parameters is what servers are asked for. Classless routes stand before the router (RFC 3442).
var parameters = []dhcpv4.OptionCode{
	dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
	dhcpv4.OptionDomainName, dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionInterfaceMTU,
	dhcpv4.OptionIPAddressLeaseTime, dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue,
}

// maxMessage is the longest datagram that is taken (option 57): what goes into a frame everywhere.
const maxMessage = 1500

// message begins a message of a kind, with what every kind has.
func (m *machine) message(kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	message := m.bare(kind)
	message.UpdateOption(dhcpv4.OptParameterRequestList(parameters...))
	message.UpdateOption(dhcpv4.OptMaxMessageSize(maxMessage))
	if m.cfg.Hostname != "" {
		message.UpdateOption(dhcpv4.OptHostName(m.cfg.Hostname))
	}
	return message
}

// ending is a DECLINE or a RELEASE, which ask for nothing (RFC 2131 section 4.4.1, table 5).
func (m *machine) ending(kind dhcpv4.MessageType, server netip.Addr) *dhcpv4.DHCPv4 {
	message := m.bare(kind)
	message.UpdateOption(dhcpv4.OptServerIdentifier(server.AsSlice()))
	return message
}

func (m *machine) bare(kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	message := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, TransactionID: m.xid, NumSeconds: m.secs,
		ClientHWAddr: m.own[:], Options: make(dhcpv4.Options),
	}
	message.UpdateOption(dhcpv4.OptMessageType(kind))
	if len(m.cfg.ClientID) > 0 {
		message.UpdateOption(dhcpv4.OptClientIdentifier(m.cfg.ClientID))
	}
	return message
}

// request names the address that is asked for, if there is one.
func request(message *dhcpv4.DHCPv4, addr netip.Addr) {
	if addr.IsValid() {
		message.UpdateOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
	}
}

func (m *machine) send(frame []byte) { m.out = append(m.out, action{frame: frame}) }

func (m *machine) sendToEveryone(message *dhcpv4.DHCPv4, from netip.Addr) {
	m.sendTo(message, from, broadcastAddr, everyone)
}

func (m *machine) sendTo(message *dhcpv4.DHCPv4, from, dest netip.Addr, to mac) {
	m.send(appendDatagram(nil, m.own, to, from, dest, message.ToBytes()))
}

func randomXID() (id dhcpv4.TransactionID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// randomBelow is a jitter, from 0.
func randomBelow(below time.Duration) time.Duration {
	if below <= 0 {
		return 0
	}
	return mathrand.N(below)
}
