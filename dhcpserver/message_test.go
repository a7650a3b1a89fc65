package dhcpserver

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

func TestParseReadsTheHeader(t *testing.T) {
	m := request{
		kind: typeRequest, xid: 0xdeadbeef, flags: flagBroadcast, ciaddr: "10.0.0.7", giaddr: "10.0.0.254",
		options: []Option{optIP(optRequestedAddr, "10.0.0.8")},
	}.parse(t)
	if m.xid != 0xdeadbeef || m.kind != typeRequest || !m.wantsBroadcast() || !m.relayed() || m.malformed {
		t.Errorf("read as %+v", m)
	}
	if m.ciaddr != netip.MustParseAddr("10.0.0.7") || m.giaddr != netip.MustParseAddr("10.0.0.254") {
		t.Errorf("addresses %v, %v", m.ciaddr, m.giaddr)
	}
	if got := string(m.hardware()); got != testMAC {
		t.Errorf("hardware address %x", got)
	}
	if got := m.address(optRequestedAddr); got != netip.MustParseAddr("10.0.0.8") {
		t.Errorf("requested address %v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	change := func(f func(b []byte)) []byte {
		b := request{kind: typeDiscover}.bytes()
		f(b)
		return b
	}
	for _, tc := range []struct {
		name string
		in   []byte
		want Reason
	}{
		{"nothing", nil, ReasonTooShort},
		{"a header without cookie", make([]byte, 236), ReasonTooShort},
		{"more than any datagram of ours", make([]byte, maxMessage+1), ReasonTooLong},
		{"a reply", change(func(b []byte) { b[0] = opReply }), ReasonNotRequest},
		{"another cookie", change(func(b []byte) { b[offsetCookie]++ }), ReasonBadCookie},
		{"a hardware address longer than its field", change(func(b []byte) { b[2] = 17 }), ReasonBadHeader},
		{"no options", headerOnly(), ReasonNoType},
		{"BOOTP", request{}.bytes(), ReasonNoType},
		{"a type of no length", request{options: []Option{opt(optMessageType)}}.bytes(), ReasonNoType},
		{"a type of two bytes", request{options: []Option{opt(optMessageType, 1, 1)}}.bytes(), ReasonNoType},
		{"a type cut off", append(request{noEnd: true}.bytes(), optMessageType), ReasonNoType},
		{"an OFFER", request{kind: typeOffer}.bytes(), ReasonServerMessage},
		{"an ACK", request{kind: typeAck}.bytes(), ReasonServerMessage},
		{"a NAK", request{kind: typeNak}.bytes(), ReasonServerMessage},
		{"type 0", request{options: []Option{opt(optMessageType, 0)}}.bytes(), ReasonUnknownType},
		{"a leasequery", request{kind: 10}.bytes(), ReasonUnknownType},
		{"a good DISCOVER", request{kind: typeDiscover}.bytes(), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := new(message).parse(tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// headerOnly is a request's header with the cookie and nothing behind.
func headerOnly() []byte { return request{noEnd: true}.bytes() }

func TestOptions(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 40)
	for _, tc := range []struct {
		name      string
		in        request
		code      uint8
		want      string
		absent    bool
		malformed bool
	}{
		{name: "in the options field", in: request{options: []Option{optString(12, "web")}}, code: 12, want: "web"},
		{name: "empty", in: request{options: []Option{opt(12)}}, code: 12, want: ""},
		{name: "absent", in: request{}, code: 12, absent: true},
		{name: "behind padding", in: request{options: []Option{optString(60, "x")}}, code: 60, want: "x"},
		{name: "long ones are joined (RFC 3396)", in: request{options: []Option{{Code: 77, Data: long}}}, code: 77, want: string(long)},
		{
			name: "pieces with others between them", code: 77, want: "abcdef",
			in: request{options: []Option{optString(77, "ab"), optString(12, "x"), optString(77, "cd"), optString(43, "y"), optString(43, "z"), optString(77, "ef")}},
		},
		{
			name: "the pieces of the other", code: 43, want: "yz",
			in: request{options: []Option{optString(77, "ab"), optString(43, "y"), optString(77, "cd"), optString(43, "z")}},
		},
		{name: "overload into file", in: request{options: []Option{opt(optOverload, 1)}, file: []byte("\x0c\x03web\xff")}, code: 12, want: "web"},
		{name: "overload into sname", in: request{options: []Option{opt(optOverload, 2)}, sname: []byte("\x0c\x03web\xff")}, code: 12, want: "web"},
		{
			name: "pieces over all areas, file before sname", code: 77, want: "abc",
			in: request{options: []Option{opt(optOverload, 3), optString(77, "a")}, file: []byte("\x4d\x01b\xff"), sname: []byte("\x4d\x01c\xff")},
		},
		{name: "a file name is no option", in: request{file: []byte("\x0c\x03web\xff")}, code: 12, absent: true},
		{name: "overload of no meaning", in: request{options: []Option{opt(optOverload, 4)}, file: []byte("\x0c\x03web\xff")}, code: 12, absent: true},
		{name: "overload of two bytes", in: request{options: []Option{opt(optOverload, 1, 1)}, file: []byte("\x0c\x03web\xff")}, code: 12, absent: true},
		{
			name: "overload within an overload means nothing", code: 12, absent: true,
			in: request{options: []Option{opt(optOverload, 1)}, file: []byte("\x34\x01\x03\xff"), sname: []byte("\x0c\x03web\xff")},
		},
		{name: "a fixed option twice: the first counts", in: request{options: []Option{optString(50, "aaaa"), optString(50, "bbbb")}}, code: 50, want: "aaaa"},
		{name: "no END", in: request{options: []Option{optString(12, "web")}, noEnd: true}, code: 12, want: "web", malformed: true},
		{name: "an overloaded area without END", in: request{options: []Option{opt(optOverload, 2)}, sname: bytes.Repeat([]byte{12, 0}, 32)}, code: 12, want: "", malformed: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.kind = typeDiscover
			m := tc.in.parse(t)
			got, ok := m.options.get(tc.code)
			if string(got) != tc.want || ok == tc.absent {
				t.Errorf("got %q, %v; want %q, %v", got, ok, tc.want, !tc.absent)
			}
			if m.malformed != tc.malformed {
				t.Errorf("malformed: %v", m.malformed)
			}
		})
	}
}

func TestABadTrailingOptionDoesNotSpoilTheOthers(t *testing.T) {
	for _, tail := range []string{"\x3d", "\x3d\xff", "\x3d\x05abcd", "\x3d\xff\xff\xff\xff"} {
		b := append(request{kind: typeDiscover, options: []Option{optString(12, "web")}, noEnd: true}.bytes(), tail...)
		var m message
		if r := m.parse(b); r != "" {
			t.Fatalf("%q: %s", tail, r)
		}
		if name, _ := m.options.get(12); string(name) != "web" || !m.malformed {
			t.Errorf("%q: name %q, malformed %v", tail, name, m.malformed)
		}
		if _, ok := m.options.get(61); ok {
			t.Errorf("%q: the bad option is there", tail)
		}
	}
}

func TestAMessageIsReadAfreshEachTime(t *testing.T) {
	var m message
	if r := m.parse(request{kind: typeDiscover, options: []Option{optString(77, "a"), optString(77, "b"), optString(12, "web")}}.bytes()); r != "" {
		t.Fatal(r)
	}
	if r := m.parse(request{kind: typeDiscover}.bytes()); r != "" {
		t.Fatal(r)
	}
	for _, code := range []uint8{12, 77} {
		if got, ok := m.options.get(code); ok {
			t.Errorf("option %d of the last message is still there: %q", code, got)
		}
	}
}

// seeds are the shapes of what has broken DHCP servers: lengths of 0 and 255, padding of 0xFF, bytes behind the end,
// nested overloads, names that are empty when cleaned, pieces without end.
func seeds() [][]byte {
	all := [][]byte{
		nil,
		make([]byte, offsetOptions),
		request{kind: typeDiscover}.bytes(),
		request{kind: typeDiscover, noEnd: true}.bytes(),
		append(request{kind: typeDiscover, noEnd: true}.bytes(), optClientID, 255),
		append(request{kind: typeDiscover, noEnd: true}.bytes(), optClientID),
		append(request{kind: typeDiscover}.bytes(), bytes.Repeat([]byte{255}, 100)...),
		append(request{kind: typeDiscover}.bytes(), bytes.Repeat([]byte{82, 255}, 100)...),
		request{kind: typeDiscover, giaddr: "10.0.0.254", options: []Option{opt(optRelayAgent, 1, 255, 0), opt(optRelayAgent)}}.bytes(),
		request{kind: typeDiscover, giaddr: "10.0.0.254", options: []Option{{Code: optRelayAgent, Data: make([]byte, 900)}}}.bytes(),
		request{kind: typeDiscover, options: []Option{{Code: optClientID, Data: make([]byte, 1200)}}}.bytes(),
		request{kind: typeDiscover, options: []Option{{Code: optParameterList, Data: bytes.Repeat([]byte{3, 6, 1, 0, 255}, 120)}}}.bytes(),
		request{kind: typeDiscover, options: []Option{opt(optOverload, 3)}, file: []byte("\x34\x01\x03\x34\x01\x03"), sname: bytes.Repeat([]byte{0xff}, 64)}.bytes(),
		request{kind: typeDiscover, options: []Option{opt(optOverload, 3)}, file: bytes.Repeat([]byte{12, 0}, 64), sname: bytes.Repeat([]byte{12, 255}, 32)}.bytes(),
		request{kind: typeRequest, options: []Option{optIP(optRequestedAddr, "10.0.0.120"), optIP(optServerID, "10.0.0.1"), opt(optMaxMessageSize, 0, 0)}}.bytes(),
		request{kind: typeRequest, options: []Option{optIP(optRequestedAddr, "10.0.0.120"), optIP(optServerID, "10.0.0.1"), opt(optMaxMessageSize, 255, 255)}}.bytes(),
		request{kind: typeRequest, ciaddr: "255.255.255.255"}.bytes(),
		request{kind: typeRequest, options: []Option{opt(optRequestedAddr, 10, 0, 0), opt(optServerID)}}.bytes(),
		request{kind: typeRelease, ciaddr: "10.0.0.120", options: []Option{optIP(optServerID, "10.0.0.1")}}.bytes(),
		request{kind: typeDecline, options: []Option{optIP(optServerID, "10.0.0.1"), optIP(optRequestedAddr, "10.0.0.120")}}.bytes(),
		request{kind: typeInform, ciaddr: "10.0.0.9"}.bytes(),
		request{kind: typeDiscover, noHardware: true}.bytes(),
		request{kind: typeDiscover, mac: strings.Repeat("\xff", 16)}.bytes(),
	}
	for _, name := range []string{"", "\x00", "---", "...", "\x00\x00\x00", "a\nb", "\xff\xfe", strings.Repeat("x", 255), "-", "$(reboot)", "\x1b[2J"} {
		all = append(all, request{kind: typeDiscover, options: []Option{optString(12, name), {Code: 81, Data: append([]byte{4, 0, 0}, name...)}, optString(60, name)}}.bytes())
	}
	return all
}

func FuzzParse(f *testing.F) {
	for _, s := range append(seeds(), richSeeds()...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var m message
		reason := m.parse(b)
		if !bytes.Equal(before, b) {
			t.Fatal("parsing changed the datagram")
		}
		if reason != "" {
			return
		}
		total := 0
		for code := range 256 {
			data, ok := m.options.get(uint8(code))
			if !ok && data != nil {
				t.Fatalf("option %d is absent and has data", code)
			}
			total += len(data)
		}
		if total > len(b) {
			t.Fatalf("options of %d bytes in a datagram of %d", total, len(b))
		}
		_ = requestedName(&m)
		_, _ = m.subOption(agentPort)
		_ = m.link()
	})
}

// FuzzParseAgainstLibrary holds our reader against another one's, for messages that both take: without overload and
// without repeated options, which that one doesn't join as RFC 3396 says.
func FuzzParseAgainstLibrary(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		theirs, err := dhcpv4.FromBytes(b)
		var m message
		if reason := m.parse(b); reason != "" || err != nil {
			return
		}
		if m.malformed || m.options.joined != nil || m.options.overload() != 0 || repeats(b) {
			return
		}
		if got, want := m.xid, [4]byte(theirs.TransactionID); fmt.Sprintf("%08x", got) != fmt.Sprintf("%x", want) {
			t.Errorf("xid %08x, they say %x", got, want)
		}
		if got, want := m.ciaddr.AsSlice(), []byte(theirs.ClientIPAddr.To4()); !bytes.Equal(got, want) {
			t.Errorf("ciaddr %v, they say %v", got, want)
		}
		if got, want := m.giaddr.AsSlice(), []byte(theirs.GatewayIPAddr.To4()); !bytes.Equal(got, want) {
			t.Errorf("giaddr %v, they say %v", got, want)
		}
		if got, want := m.hardware(), []byte(theirs.ClientHWAddr); !bytes.Equal(got, want) {
			t.Errorf("chaddr %x, they say %x", got, want)
		}
		ours := map[uint8]string{}
		for code := range 256 {
			if data, ok := m.options.get(uint8(code)); ok {
				ours[uint8(code)] = string(data)
			}
		}
		other := map[uint8]string{}
		for code, data := range theirs.Options {
			other[code] = string(data)
		}
		if d := cmp.Diff(other, ours); d != "" {
			t.Errorf("options (-theirs +ours):\n%s", d)
		}
	})
}

// repeats says whether an option occurs twice.
func repeats(b []byte) bool {
	var seen [256]bool
	w := walker{raw: b, pos: offsetOptions, end: len(b)}
	for w.next() {
		if seen[w.code] {
			return true
		}
		seen[w.code] = true
	}
	return false
}
