package dhcpserver

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/leases"
)

var testAddr = netip.MustParseAddr("10.0.0.120")

// encode answers q with a reply of a kind from the settings, and checks what holds for every reply.
func encode(t testing.TB, s *settings, q request, kind replyKind) (answer, bool) {
	t.Helper()
	m := q.parse(t)
	r := reply{kind: kind, reason: ReasonNakTaken, yiaddr: testAddr, profile: s.base}
	if kind == replyNak {
		r.profile, r.broadcast = nil, m.relayed()
	}
	b, dropped := s.appendReply(nil, m, r)
	if len(b) < minReply || len(b) > s.maxReply(m) {
		t.Errorf("a reply of %d bytes; at least %d, at most %d", len(b), minReply, s.maxReply(m))
	}
	a := readAnswer(t, b)
	if a.kind != kind.messageType() || !bytes.Equal(a.get(optServerID), s.server.AsSlice()) {
		t.Errorf("type %d of server %v", a.kind, a.get(optServerID))
	}
	if !bytes.Equal(a.raw[1:3], m.raw[1:3]) || a.xid != q.xid || !bytes.Equal(a.raw[offsetGiaddr:offsetSname], m.raw[offsetGiaddr:offsetSname]) {
		t.Errorf("htype, hlen, xid, giaddr, chaddr are not those of the request: %x", a.raw[:offsetSname])
	}
	if a.raw[3] != 0 || a.raw[8] != 0 || a.raw[9] != 0 {
		t.Errorf("hops and secs are not 0: %x", a.raw[:offsetFlags])
	}
	if _, err := dhcpv4.FromBytes(b); err != nil {
		t.Errorf("another implementation can't read it: %v\n%x", err, b)
	}
	return a, dropped
}

func TestReplyHasWhatTheClientAskedFor(t *testing.T) {
	always := func(c *Config) { c.Options = append(c.Options, Option{Code: 26, Data: []byte{5, 0}, Always: true}) }
	fixed := []uint8{53, 54, 51, 58, 59, 1}
	for _, tc := range []struct {
		name string
		in   request
		kind replyKind
		want []uint8
	}{
		{"no list: everything, by code", request{}, replyOffer, append(slices.Clone(fixed), 3, 6, 15, 26, 28, 42, 119)},
		{"in the order of the list", request{options: []Option{opt(55, 119, 6, 15)}}, replyOffer, append(slices.Clone(fixed), 119, 6, 15, 26)},
		{"the mask before the routers", request{options: []Option{opt(55, 3, 1)}}, replyAck, append(slices.Clone(fixed), 3, 26)},
		{"each once", request{options: []Option{opt(55, 6, 6, 6, 3, 6)}}, replyAck, append(slices.Clone(fixed), 6, 3, 26)},
		{"what we don't have", request{options: []Option{opt(55, 2, 66, 67, 255, 0)}}, replyAck, append(slices.Clone(fixed), 26)},
		{"what is ours anyhow, once", request{options: []Option{opt(55, 51, 53, 54, 58, 59, 61, 82, 1)}}, replyAck, append(slices.Clone(fixed), 26)},
		{"an empty list: what is always sent", request{options: []Option{opt(55)}}, replyAck, append(slices.Clone(fixed), 26)},
		{"INFORM: no times", request{options: []Option{opt(55, 6)}}, replyInform, []uint8{53, 54, 1, 6, 26}},
		{"NAK: nothing but why", request{options: []Option{opt(55, 6)}}, replyNak, []uint8{53, 54, 56}},
		{"the client identifier (RFC 6842)", request{options: []Option{opt(55, 6), opt(61, 1, 2, 3)}}, replyOffer, append(slices.Clone(fixed), 6, 26, 61)},
		{"in a NAK too", request{options: []Option{opt(61, 1, 2, 3)}}, replyNak, []uint8{53, 54, 56, 61}},
		{"option 82 last", request{giaddr: "10.0.0.9", options: []Option{opt(82, 1, 1, 7), opt(61, 1), opt(55, 6)}}, replyAck, append(slices.Clone(fixed), 6, 26, 61, 82)},
		{"in a NAK too", request{giaddr: "10.0.0.9", options: []Option{opt(82, 1, 1, 7)}}, replyNak, []uint8{53, 54, 56, 82}},
		{"option 82 of a client's own", request{options: []Option{opt(82, 1, 1, 7), opt(55, 6)}}, replyAck, append(slices.Clone(fixed), 6, 26)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.kind, tc.in.xid = typeRequest, 7
			a, dropped := encode(t, testSettings(t, always), tc.in, tc.kind)
			if d := cmp.Diff(tc.want, a.codes); d != "" {
				t.Errorf("options (-want +got):\n%s", d)
			}
			if dropped {
				t.Error("says that options were dropped")
			}
		})
	}
}

func TestReplyHeader(t *testing.T) {
	s := testSettings(t)
	in := request{kind: typeRequest, xid: 1, hops: 3, secs: 9, flags: 0x8001, ciaddr: "10.0.0.120"}
	for _, tc := range []struct {
		kind           replyKind
		giaddr         string
		yiaddr, ciaddr string
		flags          uint16
	}{
		{replyOffer, "", "10.0.0.120", "0.0.0.0", 0x8001},
		{replyAck, "", "10.0.0.120", "10.0.0.120", 0x8001},
		{replyInform, "", "0.0.0.0", "10.0.0.120", 0x8001},
		{replyNak, "", "0.0.0.0", "0.0.0.0", 0x8001},
		{replyNak, "10.0.0.9", "0.0.0.0", "0.0.0.0", 0x8001},
	} {
		in.giaddr = tc.giaddr
		a, _ := encode(t, s, in, tc.kind)
		if a.yiaddr.String() != tc.yiaddr || a.ciaddr.String() != tc.ciaddr || a.flags != tc.flags {
			t.Errorf("%s: yiaddr %v, ciaddr %v, flags %#x", tc.kind, a.yiaddr, a.ciaddr, a.flags)
		}
	}
	a, _ := encode(t, s, request{kind: typeRequest, giaddr: "10.0.0.9"}, replyNak)
	if a.flags != flagBroadcast {
		t.Errorf("a NAK for a relay must have the broadcast flag: %#x", a.flags)
	}
}

func TestClientIdentifierAndOption82ComeBackByteForByte(t *testing.T) {
	id := bytes.Repeat([]byte{0xff, 0, 1}, 100)
	agent := bytes.Repeat([]byte{1, 4, 'a', 'b', 0, 255}, 60)
	a, dropped := encode(t, testSettings(t), request{
		kind: typeRequest, giaddr: "10.0.0.9",
		options: []Option{{Code: optClientID, Data: id}, {Code: optRelayAgent, Data: agent}, opt(optMaxMessageSize, 0x05, 0xdc)},
	}, replyAck)
	if !bytes.Equal(a.get(optClientID), id) {
		t.Errorf("client identifier %x", a.get(optClientID))
	}
	if !bytes.Equal(a.get(optRelayAgent), agent) || a.codes[len(a.codes)-1] != optRelayAgent {
		t.Errorf("option 82 %x, order %v", a.get(optRelayAgent), a.codes)
	}
	if dropped {
		t.Error("options were dropped")
	}
}

func TestTimes(t *testing.T) {
	for _, tc := range []struct {
		lease time.Duration
		want  uint32
	}{
		{time.Second, 1},
		{10 * time.Second, 10},
		{time.Hour, 3600},
		{24 * time.Hour, 86400},
		{200 * 365 * 24 * time.Hour, 0xfffffffe}, // longer than 32 bits of seconds, but not without end
	} {
		s := testSettings(t, func(c *Config) { c.LeaseTime = tc.lease })
		different := map[uint32]bool{}
		for xid := range uint32(50) {
			a, _ := encode(t, s, request{kind: typeRequest, xid: xid * 7919}, replyAck)
			lease, t1, t2 := a.seconds(51), a.seconds(58), a.seconds(59)
			if lease != tc.want {
				t.Fatalf("%v: lease time %d", tc.lease, lease)
			}
			within := func(v uint32, of float64) bool {
				middle := of * float64(lease)
				return float64(v) >= max(1, middle*0.949-1) && float64(v) <= max(1, middle*1.051)
			}
			if !within(t1, 0.5) || !within(t2, 0.875) || t1 > t2 || t2 > lease {
				t.Fatalf("%v: T1 %d, T2 %d of %d", tc.lease, t1, t2, lease)
			}
			different[t1] = true
		}
		if tc.lease >= time.Hour && len(different) < 10 {
			t.Errorf("%v: of 50 clients' T1 only %d differ", tc.lease, len(different))
		}
	}
}

func TestOfferAndAckOfAnExchangeHaveTheSameTimes(t *testing.T) {
	s := testSettings(t)
	offer, _ := encode(t, s, request{kind: typeDiscover, xid: 99}, replyOffer)
	ack, _ := encode(t, s, request{kind: typeRequest, xid: 99}, replyAck)
	for _, code := range []uint8{51, 58, 59} {
		if offer.seconds(code) != ack.seconds(code) {
			t.Errorf("option %d: %d offered, %d acknowledged", code, offer.seconds(code), ack.seconds(code))
		}
	}
}

func TestALeaseWithoutEnd(t *testing.T) {
	s := testSettings(t, func(c *Config) { c.LeaseTime = leases.Infinite })
	a, _ := encode(t, s, request{kind: typeRequest}, replyAck)
	if a.seconds(51) != 0xffffffff || a.get(58) != nil || a.get(59) != nil {
		t.Errorf("times %d, %d, %d", a.seconds(51), a.seconds(58), a.seconds(59))
	}
}

func TestShortenTimes(t *testing.T) {
	for _, tc := range []struct {
		name        string
		given, left time.Duration
		want        uint32
		renewal     bool
	}{
		{"what is left is less", time.Hour, 10 * time.Minute, 600, true},
		{"what is left is more", time.Hour, 2 * time.Hour, 3600, true},
		{"of one without end something is left", leases.Infinite, time.Minute, 60, false},
		{"both without end", leases.Infinite, leases.Infinite, 0xffffffff, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, func(c *Config) { c.LeaseTime = tc.given })
			m := request{kind: typeRequest, xid: 3}.parse(t)
			b, _ := s.appendReply(nil, m, reply{kind: replyAck, yiaddr: testAddr, profile: s.base})
			shortenTimes(b, seconds(tc.left), jitterSeed(m))
			a := readAnswer(t, b)
			if a.seconds(51) != tc.want {
				t.Errorf("lease time %d", a.seconds(51))
			}
			if t1, t2 := a.seconds(58), a.seconds(59); (t1 != 0) != tc.renewal || t1 > t2 || t2 > tc.want {
				t.Errorf("T1 %d, T2 %d", t1, t2)
			}
		})
	}
}

// manyOptions is a configuration whose options don't fit into 576 bytes.
func manyOptions(c *Config) {
	c.Options = append(c.Options,
		Option{Code: 43, Data: bytes.Repeat([]byte{1}, 150)}, // only the options field has room
		Option{Code: 66, Data: bytes.Repeat([]byte{2}, 60)},
		Option{Code: 67, Data: bytes.Repeat([]byte{3}, 90)},
		Option{Code: 40, Data: bytes.Repeat([]byte{4}, 40)},
	)
}

func TestOverload(t *testing.T) {
	s := testSettings(t, manyOptions)
	a, dropped := encode(t, s, request{
		kind: typeRequest, giaddr: "10.0.0.9",
		options: []Option{opt(61, 1, 2, 3), opt(82, 1, 1, 9), opt(55, 3, 6, 15, 66, 67, 40, 43, 28, 42, 119)},
	}, replyAck)
	if dropped {
		t.Error("options were dropped that would have found room")
	}
	if over := a.get(optOverload); len(over) != 1 || over[0] == 0 {
		t.Fatalf("no overload: %x", over)
	}
	for code, n := range map[uint8]int{3: 4, 6: 4, 15: 15, 43: 150, 66: 60, 67: 90, 40: 40, 28: 4, 42: 4, 119: 17, 61: 3, 82: 3, 51: 4, 1: 4} {
		if got := len(a.get(code)); got != n {
			t.Errorf("option %d has %d bytes, want %d", code, got, n)
		}
	}
	if last := a.codes[len(a.codes)-1]; last != optRelayAgent {
		t.Errorf("the last option is %d", last)
	}
	theirs, err := dhcpv4.FromBytes(a.raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := theirs.Options.Get(dhcpv4.OptionVendorSpecificInformation); len(got) != 150 {
		t.Errorf("the others read option 43 with %d bytes", len(got))
	}
}

func TestABiggerMessageSizeNeedsNoOverload(t *testing.T) {
	for _, tc := range []struct {
		name     string
		size     []byte
		mtu      int
		want     int
		overload bool
	}{
		{"option 57 large enough", []byte{0x05, 0xdc}, 1500, 1472, false},
		{"more than the MTU", []byte{0xff, 0xff}, 1500, 1472, false},
		{"a link that can't", []byte{0x05, 0xdc}, 600, 572, true},
		{"less than the minimum doesn't count", []byte{0, 100}, 1500, 548, true},
		{"none", nil, 1500, 548, true},
		{"of a wrong length", []byte{9}, 1500, 548, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, manyOptions, func(c *Config) { c.MTU = tc.mtu })
			q := request{kind: typeRequest}
			if tc.size != nil {
				q.options = append(q.options, Option{Code: optMaxMessageSize, Data: tc.size})
			}
			if got := s.maxReply(q.parse(t)); got != tc.want {
				t.Errorf("at most %d bytes, want %d", got, tc.want)
			}
			a, _ := encode(t, s, q, replyAck)
			if got := a.get(optOverload) != nil; got != tc.overload {
				t.Errorf("overload: %v", got)
			}
		})
	}
}

func TestWhatFitsNowhereIsDroppedAndSaid(t *testing.T) {
	s := testSettings(t, func(c *Config) {
		c.Options = append(c.Options, Option{Code: 43, Data: make([]byte, 700)})
	})
	a, dropped := encode(t, s, request{kind: typeRequest, options: []Option{opt(55, 43, 3, 6)}}, replyAck)
	if !dropped || a.get(43) != nil {
		t.Errorf("dropped %v, option 43 has %d bytes", dropped, len(a.get(43)))
	}
	if len(a.get(3)) != 4 || len(a.get(6)) != 4 {
		t.Error("what would fit isn't there")
	}
	for _, kind := range []replyKind{replyAck, replyNak} {
		a, dropped = encode(t, s, request{
			kind: typeRequest, giaddr: "10.0.0.9",
			options: []Option{{Code: 61, Data: make([]byte, 400)}, {Code: 82, Data: make([]byte, 200)}},
		}, kind)
		if !dropped || a.get(61) != nil || len(a.get(82)) != 200 {
			t.Errorf("%v: an identifier that leaves no room for option 82: dropped %v, %d, %d", kind, dropped, len(a.get(61)), len(a.get(82)))
		}
	}
}

func TestLongOptionsAreSplit(t *testing.T) {
	long := bytes.Repeat([]byte("route"), 120)
	s := testSettings(t, func(c *Config) { c.Options = []Option{{Code: 121, Data: long}} })
	a, _ := encode(t, s, request{kind: typeRequest, options: []Option{opt(optMaxMessageSize, 0x05, 0xdc)}}, replyAck)
	if !bytes.Equal(a.get(121), long) {
		t.Errorf("option 121 comes back with %d bytes of %d", len(a.get(121)), len(long))
	}
	if n := len(slices.DeleteFunc(slices.Clone(a.codes), func(c uint8) bool { return c != 121 })); n != 3 {
		t.Errorf("in %d pieces, want 3", n)
	}
}

// TestReplyReadByLibrary compares every field of a reply as another implementation reads it.
func TestReplyReadByLibrary(t *testing.T) {
	s := testSettings(t)
	m := request{kind: typeRequest, xid: 0x01020304, flags: flagBroadcast, options: []Option{opt(61, 1, 9, 9), opt(55, 1, 3, 6, 15, 119)}}.parse(t)
	b, _ := s.appendReply(nil, m, reply{kind: replyAck, yiaddr: testAddr, profile: s.base})
	p, err := dhcpv4.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"type": p.MessageType().String(), "xid": p.TransactionID.String(), "flags": p.FlagsToString(), "yiaddr": p.YourIPAddr.String(),
		"mask": p.SubnetMask().String(), "router": p.Router()[0].String(), "dns": p.DNS()[0].String(), "domain": p.DomainName(),
		"search": p.DomainSearch().String(), "lease": p.IPAddressLeaseTime(0).String(), "server": p.ServerIdentifier().String(),
		"chaddr": p.ClientHWAddr.String(), "id": string(p.Options.Get(dhcpv4.OptionClientIdentifier)),
	}
	want := map[string]string{
		"type": "ACK", "xid": "0x01020304", "flags": "Broadcast", "yiaddr": "10.0.0.120", "mask": "ffffff00", "router": "10.0.0.1",
		"dns": "10.0.0.1", "domain": "lab.example.org", "search": "[lab.example.org]", "lease": "1h0m0s", "server": "10.0.0.1",
		"chaddr": "52:54:00:12:34:56", "id": "\x01\x09\x09",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
