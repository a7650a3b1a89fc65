package dhcpserver

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDestination(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.33:1067")
	all := destination{to: netip.MustParseAddrPort("255.255.255.255:68"), framed: true, mac: broadcastMAC}
	frame := destination{to: netip.MustParseAddrPort("10.0.0.120:68"), framed: true, mac: [6]byte([]byte(testMAC))}
	to := func(text string) destination { return destination{to: netip.MustParseAddrPort(text)} }
	relay := func(text string) destination { return destination{to: netip.MustParseAddrPort(text), relay: true} }
	framed := func(text string) destination {
		return destination{to: netip.MustParseAddrPort(text), framed: true, mac: [6]byte([]byte(testMAC))}
	}
	for _, tc := range []struct {
		name string
		in   request
		kind replyKind
		want destination
	}{
		{"D1 a relay", request{giaddr: "10.0.0.9"}, replyOffer, relay("10.0.0.9:67")},
		{"D1 before all others", request{giaddr: "10.0.0.9", ciaddr: "10.0.0.5", flags: flagBroadcast}, replyAck, relay("10.0.0.9:67")},
		{"D1 a NAK", request{giaddr: "10.0.0.9"}, replyNak, relay("10.0.0.9:67")},
		{"D1 an INFORM", request{giaddr: "10.0.0.9", ciaddr: "10.0.0.5"}, replyInform, relay("10.0.0.9:67")},
		{"D1 to the relay's port (RFC 8357)", request{giaddr: "10.0.0.9", options: []Option{opt(82, 1, 1, 7, 19, 0)}}, replyOffer, relay("10.0.0.9:1067")},
		{"D1 sub-option 19 within another", request{giaddr: "10.0.0.9", options: []Option{opt(82, 1, 2, 19, 0)}}, replyOffer, relay("10.0.0.9:67")},
		{"D1 a broken option 82", request{giaddr: "10.0.0.9", options: []Option{opt(82, 1, 9, 19, 0)}}, replyOffer, relay("10.0.0.9:67")},
		{"D2 a NAK", request{}, replyNak, all},
		{"D2 a NAK for one that has an address", request{ciaddr: "10.0.0.5"}, replyNak, all},
		{"D3 a renewal", request{ciaddr: "10.0.0.120"}, replyAck, to("10.0.0.120:68")},
		{"D3 in spite of the flag", request{ciaddr: "10.0.0.120", flags: flagBroadcast}, replyAck, to("10.0.0.120:68")},
		{"D3 not to another address than the one that is given", request{ciaddr: "192.0.2.5"}, replyAck, frame},
		{"D3 not for an OFFER", request{ciaddr: "10.0.0.5"}, replyOffer, frame},
		{"D3 not for a DISCOVER that is acknowledged at once", request{kind: typeDiscover, ciaddr: "10.0.0.120"}, replyAck, frame},
		{"D3 an INFORM, to the address but without ARP", request{ciaddr: "10.0.0.5"}, replyInform, framed("10.0.0.5:68")},
		{"D3 an INFORM of no Ethernet station", request{ciaddr: "10.0.0.5", htype: 32}, replyInform, to("10.0.0.5:68")},
		{"an INFORM without ciaddr: to where it came from", request{}, replyInform, framed("10.0.0.33:68")},
		{"D4", request{flags: flagBroadcast}, replyOffer, all},
		{"D4 for an ACK", request{flags: flagBroadcast}, replyAck, all},
		{"D4 other bits are no broadcast flag", request{flags: 0x7fff}, replyOffer, frame},
		{"D4 not Ethernet", request{htype: 32}, replyOffer, all},
		{"D4 not six bytes", request{mac: "\x52\x54\x00\x12\x34\x56\x78\x9a"}, replyOffer, all},
		{"D4 no address", request{noHardware: true}, replyOffer, all},
		{"D4 a group address", request{mac: "\x01\x00\x5e\x00\x00\x01"}, replyOffer, all},
		{"D4 a zero address", request{mac: "\x00\x00\x00\x00\x00\x00"}, replyOffer, all},
		{"D5 an OFFER", request{}, replyOffer, frame},
		{"D5 an ACK", request{}, replyAck, frame},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.in.kind == 0 {
				tc.in.kind = map[replyKind]messageType{replyOffer: typeDiscover, replyInform: typeInform, replyAck: typeRequest, replyNak: typeRequest}[tc.kind]
			}
			got := destinationOf(tc.in.parse(t), tc.kind, testAddr, from)
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(destination{}), cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestFrameChecksums(t *testing.T) {
	to := destination{to: netip.MustParseAddrPort("10.0.0.120:68"), framed: true, mac: [6]byte([]byte(testMAC))}
	for n := range 70 {
		b := make([]byte, headersLen+n)
		for i := range b {
			b[i] = byte(i*7 + n) // what stood in the buffer before must not matter
		}
		finishFrame(b, to, [6]byte{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("10.0.0.1"))
		if got := slowSum(b[14:34]); got != 0xffff {
			t.Fatalf("%d bytes: the header sums to %#x", n, got)
		}
		udp := b[34:]
		pseudo := append(append([]byte{}, b[26:34]...), 0, 17, udp[4], udp[5])
		if got := slowSum(append(pseudo, udp...)); got != 0xffff {
			t.Fatalf("%d bytes: the datagram sums to %#x", n, got)
		}
		if binary.BigEndian.Uint16(b[16:]) != uint16(28+n) || binary.BigEndian.Uint16(udp[4:]) != uint16(8+n) {
			t.Fatalf("%d bytes: lengths %x", n, b[:headersLen])
		}
	}
}

// TestAChecksumIsNeverZero finds a message whose sum is 0, which would mean that it has none.
func TestAChecksumIsNeverZero(t *testing.T) {
	to := destination{to: netip.MustParseAddrPort("10.0.0.120:68")}
	b := make([]byte, headersLen+2)
	for v := range 1 << 16 {
		binary.BigEndian.PutUint16(b[headersLen:], uint16(v))
		finishFrame(b, to, [6]byte{}, netip.MustParseAddr("10.0.0.1"))
		if binary.BigEndian.Uint16(b[40:]) == 0 {
			t.Fatalf("payload %#x has checksum 0", v)
		}
	}
}

// slowSum is the ones' complement sum as RFC 1071 says it, to hold the fast one against.
func slowSum(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(append([]byte{}, b...), 0)
	}
	total := uint32(0)
	for i := 0; i < len(b); i += 2 {
		total += uint32(b[i])<<8 | uint32(b[i+1])
		total = total&0xffff + total>>16
	}
	return uint16(total)
}
