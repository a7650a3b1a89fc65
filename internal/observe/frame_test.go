package observe

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var (
	macA = [6]byte{0x52, 0x54, 0, 0, 0, 0xa}
	macB = [6]byte{0x52, 0x54, 0, 0, 0, 0xb}

	options4 = []cmp.Option{cmp.AllowUnexported(sighting{}), cmpopts.EquateComparable(netip.Addr{})}
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// arp is the frame of a request by which from says that it has addr.
func arp(from, sender [6]byte, addr string) []byte {
	b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, from[:]...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	b = append(append(b, sender[:]...), ip(addr).AsSlice()...)
	return append(b, make([]byte, 6+4+18)...) // the target, and padding
}

// udp is the frame of a datagram without checksums.
func udp(port uint16, payload []byte) []byte {
	b := make([]byte, ethernetLen+ipv4Len+udpLen, 600)
	b[12], b[14], b[23] = 8, 0x45, protocolUDP
	binary.BigEndian.PutUint16(b[16:], uint16(ipv4Len+udpLen+len(payload)))
	binary.BigEndian.PutUint16(b[36:], port)
	binary.BigEndian.PutUint16(b[38:], uint16(udpLen+len(payload)))
	return append(b, payload...)
}

func message(op dhcpv4.OpcodeType, kind dhcpv4.MessageType, mac [6]byte, more ...dhcpv4.Option) []byte {
	m := &dhcpv4.DHCPv4{
		OpCode: op, HWType: 1, TransactionID: [4]byte{0, 0, 0, 7}, ClientHWAddr: mac[:], YourIPAddr: []byte{192, 0, 2, 10}, Options: dhcpv4.Options{},
	}
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	for _, o := range more {
		m.UpdateOption(o)
	}
	return m.ToBytes()
}

var (
	requestOfA = udp(serverPort, message(1, dhcpv4.MessageTypeRequest, macA, dhcpv4.OptHostName("web\n1")))
	ackForA    = udp(clientPort, message(2, dhcpv4.MessageTypeAck, macA, dhcpv4.OptIPAddressLeaseTime(time.Hour)))
)

func TestRead(t *testing.T) {
	used := sighting{kind: uses, mac: macA, addr: ip("192.0.2.10")}
	for name, c := range map[string]struct {
		frame []byte
		want  sighting // the zero value: it tells nothing
	}{
		"ARP":                    {arp(macA, macA, "192.0.2.10"), used},
		"ARP for another":        {arp(macB, macA, "192.0.2.10"), sighting{}},
		"probe":                  {arp(macA, macA, "0.0.0.0"), sighting{}},
		"ARP of everybody":       {arp(macA, macA, "255.255.255.255"), sighting{}},
		"ARP of a group":         {arp([6]byte{1, 2, 3, 4, 5, 6}, [6]byte{1, 2, 3, 4, 5, 6}, "192.0.2.10"), sighting{}},
		"half ARP":               {arp(macA, macA, "192.0.2.10")[:41], sighting{}},
		"REQUEST":                {requestOfA, sighting{kind: asks, mac: macA, xid: 7, hostname: "web\n1"}},
		"ACK":                    {ackForA, sighting{kind: given, mac: macA, xid: 7, addr: ip("192.0.2.10"), lifetime: time.Hour}},
		"ACK without end":        {udp(clientPort, message(2, dhcpv4.MessageTypeAck, macA, dhcpv4.OptGeneric(dhcpv4.OptionIPAddressLeaseTime, []byte{255, 255, 255, 255}))), sighting{kind: given, mac: macA, xid: 7, addr: ip("192.0.2.10")}},
		"OFFER":                  {udp(clientPort, message(2, dhcpv4.MessageTypeOffer, macA)), sighting{}},
		"DISCOVER":               {udp(serverPort, message(1, dhcpv4.MessageTypeDiscover, macA)), sighting{}},
		"ACK to a server":        {udp(serverPort, message(2, dhcpv4.MessageTypeAck, macA)), sighting{}},
		"REQUEST to a client":    {udp(clientPort, message(1, dhcpv4.MessageTypeRequest, macA)), sighting{}},
		"another port":           {udp(53, message(1, dhcpv4.MessageTypeRequest, macA)), sighting{}},
		"short":                  {requestOfA[:ethernetLen+ipv4Len+udpLen+100], sighting{}},
		"nothing":                {nil, sighting{}},
		"IPv6":                   {append([]byte(nil), append(make([]byte, 12), 0x86, 0xdd)...), sighting{}},
		"an option without end":  {udp(serverPort, append(message(1, dhcpv4.MessageTypeRequest, macA)[:offsetOptions], 53, 1, 3, 12, 200, 'a')), sighting{kind: asks, mac: macA, xid: 7}},
		"an option without size": {udp(serverPort, append(message(1, dhcpv4.MessageTypeRequest, macA)[:offsetOptions], 0, 0, 53, 1, 3, 12)), sighting{kind: asks, mac: macA, xid: 7}},
	} {
		got, ok := read(c.frame)
		if ok != (c.want != sighting{}) {
			t.Errorf("%s: %v", name, ok)
		}
		if diff := cmp.Diff(c.want, got, options4...); ok && diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Any bytes are survived, and what they tell makes sense.
func FuzzRead(f *testing.F) {
	f.Add(arp(macA, macA, "192.0.2.10"))
	f.Add(requestOfA)
	f.Add(ackForA)
	f.Add(udp(clientPort, message(2, dhcpv4.MessageTypeAck, macA, dhcpv4.OptIPAddressLeaseTime(0))))
	f.Fuzz(func(t *testing.T, frame []byte) {
		s, ok := read(frame)
		if !ok {
			return
		}
		if s.kind != asks && !isMachine(s.mac, s.addr) || s.mac[0]&1 != 0 || len(s.hostname) > 255 || s.lifetime < 0 {
			t.Fatalf("read %+v", s)
		}
	})
}
