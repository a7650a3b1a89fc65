package dhcpserver

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"labnet/leases"
)

// BenchmarkCodec is parsing and encoding alone: no allocation.
func BenchmarkCodec(b *testing.B) {
	s := testSettings(b)
	q := typicalDiscover()
	data := q.bytes()
	var m message
	to := destination{to: netip.MustParseAddrPort("10.0.0.120:68")}
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if r := m.parse(data); r != "" {
			b.Fatal(r)
		}
		buf, _ = s.appendReply(buf[:headersLen], &m, reply{kind: replyOffer, yiaddr: testAddr, profile: s.base})
		finishFrame(buf, to, [6]byte{}, s.server)
	}
}

// BenchmarkClasses is the same with classes of which several match, and with option 81: no allocation either.
func BenchmarkClasses(b *testing.B) {
	s := testSettings(b, chainLoading, layered)
	q := pxe(discover(macA, ""), vendorPXE, 7, "iPXE")
	data := with(q, optString(optFQDN, "\x05\x00\x00\x05guest")).bytes()
	var m message
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if r := m.parse(data); r != "" {
			b.Fatal(r)
		}
		buf, _ = s.appendReply(buf[:headersLen], &m, reply{kind: replyOffer, yiaddr: testAddr, profile: s.profileFor(&m, "db"), name: "guest"})
	}
}

// BenchmarkDiscover is parse, decide and encode of a DISCOVER of one of a thousand clients that are known.
func BenchmarkDiscover(b *testing.B) {
	benchmarkMessages(b, func(i int) request {
		q := typicalDiscover()
		q.mac = benchMAC(i % 1000)
		return q
	})
}

// BenchmarkRequest is the same of a REQUEST, without the commit.
func BenchmarkRequest(b *testing.B) {
	benchmarkMessages(b, func(i int) request {
		q := typicalDiscover()
		q.mac = benchMAC(i % 1000)
		q.kind = typeRequest
		q.options = append(q.options, optIP(optServerID, server), optIP(optRequestedAddr, benchAddr(i%1000).String()))
		return q
	})
}

// BenchmarkGarbage is the cheapest of all: a datagram that is no message.
func BenchmarkGarbage(b *testing.B) {
	data := request{kind: typeOffer}.bytes()
	var m message
	b.ReportAllocs()
	for b.Loop() {
		if m.parse(data) != ReasonServerMessage {
			b.Fatal("accepted")
		}
	}
}

// typicalDiscover is about what dhclient sends.
func typicalDiscover() request {
	return request{kind: typeDiscover, xid: 1, options: []Option{
		opt(optClientID, 1, 0x52, 0x54, 0, 1, 2, 3), optString(optHostName, "guest"), optString(optVendorClass, "debian"),
		opt(optParameterList, 1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42),
	}}
}

func benchMAC(i int) string {
	return string(binary.BigEndian.AppendUint32([]byte{0x52, 0x54}, uint32(i)))
}

func benchAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(4 + i/250), byte(1 + i%250)})
}

func benchmarkMessages(b *testing.B, build func(i int) request) {
	big := func(n *leases.Network) {
		n.Reservations = nil
		n.Subnet = netip.MustParsePrefix("10.0.0.0/16")
		n.Ranges = []leases.Range{{Start: netip.MustParseAddr("10.0.4.0"), End: netip.MustParseAddr("10.0.250.0")}}
	}
	table := newTable(b, leases.NewMemory(), big)
	runTable(b, table)
	s := testSettings(b, func(c *Config) {
		c.Address = netip.MustParsePrefix("10.0.0.1/16")
		c.Identity = IdentityMAC
	})
	d := decider{table: table, newcomers: 1 << 30, cloned: func(leases.Client, leases.Lease) {}}
	messages := make([][]byte, 1000)
	for i := range messages {
		messages[i] = build(i).bytes()
		c := leases.Client{ID: leases.ClientIDFromHardware(1, []byte(benchMAC(i))), HWType: 1, HWAddr: leases.HWAddr(benchMAC(i))}
		change, err := table.Bind("lab", c, benchAddr(i), time.Hour, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		table.Submit([]leases.Change{change}, func(err error) { done <- err })
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	var m message
	buf := make([]byte, 0, 2048)
	changes := make([]leases.Change, 0, batchSize)
	from := netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort)
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := m.parse(messages[i%1000]); r != "" {
			b.Fatal(r)
		}
		out := d.decide(s, &m, s.classify(&m, from, true), now)
		if out.reply != replyOffer && out.reply != replyAck {
			b.Fatalf("%d: %s", i, out.reason)
		}
		to := destinationOf(&m, out.reply, out.addr, from)
		buf, _ = s.appendReply(buf[:headersLen], &m, out.say(&m))
		finishFrame(buf, to, [6]byte{}, s.server)
		if out.pending {
			if changes = append(changes, out.change); len(changes) == batchSize {
				table.Submit(changes, func(error) {})
				changes = changes[:0]
			}
		}
	}
	table.Submit(changes, func(error) {})
}
