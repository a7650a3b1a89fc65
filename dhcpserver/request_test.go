package dhcpserver

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"labnet/leases"
)

// request is a client's message, for tests to make.
type request struct {
	kind           messageType
	xid            uint32
	flags          uint16
	hops           uint8
	secs           uint16
	htype          uint8 // 0: Ethernet
	noHardware     bool
	mac            string // six bytes
	ciaddr, giaddr string
	options        []Option // after option 53
	sname, file    []byte
	noEnd          bool
	op             uint8 // 0: a request
	badCookie      bool
}

const testMAC = "\x52\x54\x00\x12\x34\x56"

func (q request) bytes() []byte {
	b := make([]byte, offsetOptions)
	b[0], b[1], b[2], b[3] = opRequest, hwEthernet, 6, q.hops
	if q.htype != 0 {
		b[1] = q.htype
	}
	mac := q.mac
	if mac == "" {
		mac = testMAC
	}
	b[2] = byte(len(mac))
	copy(b[offsetChaddr:], mac)
	if q.noHardware {
		b[2] = 0
	}
	if q.op != 0 {
		b[0] = q.op
	}
	binary.BigEndian.PutUint32(b[4:], q.xid)
	binary.BigEndian.PutUint16(b[8:], q.secs)
	binary.BigEndian.PutUint16(b[offsetFlags:], q.flags)
	for off, text := range map[int]string{offsetCiaddr: q.ciaddr, offsetGiaddr: q.giaddr} {
		if text != "" {
			copy(b[off:], ip4(text))
		}
	}
	copy(b[offsetSname:offsetFile], q.sname)
	copy(b[offsetFile:offsetCookie], q.file)
	if !q.badCookie {
		copy(b[offsetCookie:], cookie[:])
	}
	if q.kind != 0 {
		b = append(b, optMessageType, 1, byte(q.kind))
	}
	for _, o := range q.options {
		b = appendOption(b, o.Code, o.Data)
	}
	if !q.noEnd {
		b = append(b, optEnd)
	}
	return b
}

func (q request) parse(t testing.TB) *message {
	t.Helper()
	m := new(message)
	if r := m.parse(q.bytes()); r != "" {
		t.Fatalf("the test's own message is refused: %s", r)
	}
	return m
}

func ip4(text string) []byte { return netip.MustParseAddr(text).AsSlice() }

func opt(code uint8, data ...byte) Option { return Option{Code: code, Data: data} }

func optIP(code uint8, addrs ...string) Option {
	o := Option{Code: code}
	for _, a := range addrs {
		o.Data = append(o.Data, ip4(a)...)
	}
	return o
}

func optString(code uint8, text string) Option { return Option{Code: code, Data: []byte(text)} }

// testConfig is the configuration of a lab as the daemon makes it.
func testConfig() Config {
	return Config{
		Network:       "lab",
		Interface:     "br0",
		Address:       netip.MustParsePrefix("10.0.0.1/24"),
		LeaseTime:     time.Hour,
		Authoritative: true,
		MTU:           1500,
		Options: []Option{
			optIP(3, "10.0.0.1"),
			optIP(6, "10.0.0.1"),
			optString(15, "lab.example.org"),
			optIP(28, "10.0.0.255"),
			optIP(42, "10.0.0.1"),
			{Code: 119, Data: []byte("\x03lab\x07example\x03org\x00")},
		},
	}
}

func testSettings(t testing.TB, change ...func(*Config)) *settings {
	t.Helper()
	cfg := testConfig()
	for _, f := range change {
		f(&cfg)
	}
	s, err := compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testNetwork is the lease table's part of testConfig.
func testNetwork() leases.Network {
	return leases.Network{
		Name:    "lab",
		Subnet:  netip.MustParsePrefix("10.0.0.0/24"),
		Gateway: netip.MustParseAddr("10.0.0.1"),
		Ranges:  []leases.Range{{Start: netip.MustParseAddr("10.0.0.100"), End: netip.MustParseAddr("10.0.0.199")}},
		Reservations: []leases.Reservation{
			{Name: "db", HWAddr: "\x52\x54\x00\x00\x00\xdb", Addr: netip.MustParseAddr("10.0.0.50")},
		},
	}
}

// answer is a reply taken apart.
type answer struct {
	kind    messageType
	raw     []byte
	yiaddr  netip.Addr
	ciaddr  netip.Addr
	flags   uint16
	xid     uint32
	codes   []uint8 // of the options field, in order
	options optionIndex
}

func readAnswer(t testing.TB, b []byte) answer {
	t.Helper()
	if len(b) < offsetOptions || b[0] != opReply || [4]byte(b[offsetCookie:]) != cookie {
		t.Fatalf("not a reply: %x", b)
	}
	a := answer{
		raw:    slices.Clone(b),
		yiaddr: netip.AddrFrom4([4]byte(b[offsetYiaddr:])),
		ciaddr: netip.AddrFrom4([4]byte(b[offsetCiaddr:])),
		flags:  binary.BigEndian.Uint16(b[offsetFlags:]),
		xid:    binary.BigEndian.Uint32(b[4:]),
	}
	if !a.options.read(a.raw) {
		t.Fatalf("the options of the reply don't end well: %x", b)
	}
	kind, _ := a.options.get(optMessageType)
	if len(kind) != 1 {
		t.Fatalf("the reply has no type: %x", b)
	}
	a.kind = messageType(kind[0])
	w := walker{raw: a.raw, pos: offsetOptions, end: len(a.raw)}
	for w.next() {
		a.codes = append(a.codes, w.code)
	}
	return a
}

func (a answer) get(code uint8) []byte {
	data, _ := a.options.get(code)
	return data
}

func (a answer) seconds(code uint8) uint32 {
	data := a.get(code)
	if len(data) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(data)
}
