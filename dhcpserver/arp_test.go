package dhcpserver

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"labnet/leases"
)

var ourMAC = [6]byte{0x52, 0x54, 0, 0xff, 0, 1}

// arpFrame is an ARP packet of mac, which says that it has addr.
func arpFrame(operation uint16, mac string, addr, target string) []byte {
	b := appendProbe(nil, [6]byte([]byte(mac)), broadcastMAC, addrOf(target))
	binary.BigEndian.PutUint16(b[offsetARPOperation:], operation)
	copy(b[offsetARPSenderIP:], addrOf(addr).AsSlice())
	return b
}

// change returns b with one byte changed.
func change(b []byte, at int, to byte) []byte {
	c := bytes.Clone(b)
	c[at] = to
	return c
}

func TestReadARP(t *testing.T) {
	request := arpFrame(arpRequest, macA, "10.0.0.9", "10.0.0.1")
	for _, tc := range []struct {
		name   string
		in     []byte
		ok     bool
		answer bool
	}{
		{"a request names its sender", request, true, false},
		{"an announcement", arpFrame(arpRequest, macA, "10.0.0.9", "10.0.0.9"), true, false},
		{"a reply", arpFrame(arpReply, macA, "10.0.0.9", "10.0.0.1"), true, false},
		{"the reply to a probe", arpFrame(arpReply, macA, "10.0.0.9", "0.0.0.0"), true, true},
		{"padded to the shortest Ethernet frame", append(bytes.Clone(request), make([]byte, 18)...), true, false},
		{"a probe names nobody", appendProbe(nil, ourMAC, broadcastMAC, addrOf("10.0.0.9")), false, false},
		{"RARP", arpFrame(3, macA, "10.0.0.9", "10.0.0.1"), false, false},
		{"a group's hardware address", arpFrame(arpReply, "\x01\x00\x5e\x00\x00\x01", "10.0.0.9", "10.0.0.1"), false, false},
		{"no hardware address", arpFrame(arpReply, "\x00\x00\x00\x00\x00\x00", "10.0.0.9", "10.0.0.1"), false, false},
		{"another protocol", change(request, 13, 0), false, false},
		{"not Ethernet", change(request, 15, 6), false, false},
		{"not IPv4", change(request, 17, 1), false, false},
		{"a long hardware address", change(request, 18, 8), false, false},
		{"a long protocol address", change(request, 19, 16), false, false},
		{"cut off", request[:arpLen-1], false, false},
		{"nothing", nil, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := readARP(tc.in)
			if ok != tc.ok || got.answer != tc.answer && ok {
				t.Fatalf("got %+v, %v", got, ok)
			}
			if ok && (string(got.mac[:]) != macA || got.addr != addrOf("10.0.0.9") || got.to != broadcastMAC) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// offerFrame is a server's OFFER as it is on the wire.
func offerFrame(serverID, source string, mac [6]byte, change ...func(payload []byte)) []byte {
	payload := request{kind: typeOffer, mac: macA, options: []Option{optIP(optServerID, serverID)}}.bytes()
	payload[0] = opReply
	copy(payload[offsetYiaddr:], addrOf("10.0.0.77").AsSlice())
	for _, f := range change {
		f(payload)
	}
	b := append(make([]byte, headersLen), payload...)
	finishFrame(b, destination{to: netip.AddrPortFrom(broadcastAddr, clientPort), mac: broadcastMAC}, mac, addrOf(source))
	return b
}

// relayedBy sets giaddr.
func relayedBy(a string) func([]byte) {
	return func(b []byte) { copy(b[offsetGiaddr:], addrOf(a).AsSlice()) }
}

func TestReadServerMessage(t *testing.T) {
	good := offerFrame("10.0.0.66", "10.0.0.67", [6]byte{2, 2})
	var x serverMessage
	if !x.read(good) || x.server != addrOf("10.0.0.66") || x.source != addrOf("10.0.0.67") || x.mac != [6]byte{2, 2} ||
		x.yiaddr != addrOf("10.0.0.77") || string(x.client) != macA {
		t.Fatalf("read %+v", x)
	}
	without := offerFrame("10.0.0.66", "10.0.0.67", [6]byte{2, 2}, func(b []byte) {
		b[bytes.Index(b, []byte{optServerID, 4, 10})] = 200
	})
	if !x.read(without) || x.server != addrOf("10.0.0.67") {
		t.Errorf("without a server identifier: %v", x.server)
	}
	for _, tc := range []struct {
		name string
		in   []byte
	}{
		{"nothing", nil},
		{"headers alone", good[:headersLen]},
		{"cut off", good[:len(good)-20]},
		{"a client's message", offerFrame("10.0.0.66", "10.0.0.67", [6]byte{2}, func(b []byte) { b[0] = opRequest })},
		{"another type", offerFrame("10.0.0.66", "10.0.0.67", [6]byte{2}, func(b []byte) { b[offsetOptions+2] = byte(typeInform) })},
		{"another cookie", offerFrame("10.0.0.66", "10.0.0.67", [6]byte{2}, func(b []byte) { b[offsetCookie]++ })},
		{"a long hardware address", offerFrame("10.0.0.66", "10.0.0.67", [6]byte{2}, func(b []byte) { b[2] = 17 })},
		{"TCP", change(good, ethernetHeaderLen+9, 6)},
		{"IPv6", change(good, ethernetHeaderLen, 0x65)},
		{"a header length of nothing", change(good, ethernetHeaderLen, 0x40)},
		{"a header longer than the packet", change(good[:headersLen+20], ethernetHeaderLen, 0x4f)},
		{"a fragment", change(good, ethernetHeaderLen+7, 9)},
		{"the first fragment", change(good, ethernetHeaderLen+6, 0x20)},
		{"other ports", change(good, ethernetHeaderLen+ipv4HeaderLen+1, 53)},
		{"a UDP length beyond the packet", change(good, ethernetHeaderLen+ipv4HeaderLen+4, 0xff)},
		{"a UDP length of nothing", change(change(good, ethernetHeaderLen+ipv4HeaderLen+4, 0), ethernetHeaderLen+ipv4HeaderLen+5, 0)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if x.read(tc.in) {
				t.Errorf("read as %+v", x)
			}
		})
	}
}

func TestWhoSpeaksForUs(t *testing.T) {
	s := &Server{sockets: &sockets{}}
	s.settings.Store(testSettings(t))
	s.sockets.link.Store(&linkState{mac: ourMAC})
	for _, tc := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"we", offerFrame(server, server, ourMAC), true},
		{"another server", offerFrame("10.0.0.66", "10.0.0.66", [6]byte{2}), false},
		{"a relay that hands on what we say", offerFrame(server, "10.0.0.9", [6]byte{2}, relayedBy("10.0.0.9")), true},
		{"a relay that names itself", offerFrame("10.0.0.9", "10.0.0.9", [6]byte{2}, relayedBy("10.0.0.9")), true},
		{"a relay that hands on what another server says", offerFrame("192.0.2.1", "10.0.0.9", [6]byte{2}, relayedBy("10.0.0.9")), false},
		{"a machine that pretends to be us", offerFrame(server, server, [6]byte{2}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var x serverMessage
			if !x.read(tc.in) {
				t.Fatal("not read")
			}
			if got := s.speaksForUs(&x); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestFilter runs the kernel's filter: what is ours to hear passes, and nothing else.
func TestFilter(t *testing.T) {
	vm := func(raw []unix.SockFilter) *bpf.VM {
		var in []bpf.RawInstruction
		for _, f := range raw {
			in = append(in, bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K})
		}
		program, ok := bpf.Disassemble(in)
		if !ok {
			t.Fatal("not a program")
		}
		machine, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		return machine
	}
	arp := vm(arpFilter)
	for _, tc := range []struct {
		name   string
		filter *bpf.VM
		in     []byte
		want   int
	}{
		{"an ARP request", arp, arpFrame(arpRequest, macA, "10.0.0.9", "10.0.0.1"), arpLen},
		{"a padded ARP reply", arp, append(arpFrame(arpReply, macA, "10.0.0.9", "10.0.0.1"), make([]byte, 18)...), arpLen + 18},
		{"ARP for something else", arp, change(arpFrame(arpRequest, macA, "10.0.0.9", "10.0.0.1"), 17, 1), 0},
		{"ARP of other lengths", arp, change(arpFrame(arpRequest, macA, "10.0.0.9", "10.0.0.1"), 19, 16), 0},
		{"ARP cut off", arp, make([]byte, 15), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.filter.Run(tc.in)
			if err != nil || min(got, len(tc.in)) != tc.want {
				t.Errorf("%d bytes pass, want %d, %v", got, tc.want, err)
			}
		})
	}
}

// TestRoguesAreBounded: a guest that invents servers fills neither the memory nor the log.
func TestRoguesAreBounded(t *testing.T) {
	var r rogues
	now := time.Now()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	warned := 0
	for i := range 1000 {
		if r.note(RogueServer{Server: at(i)}, now.Add(time.Duration(i)*time.Millisecond)) {
			warned++
		}
	}
	if len(r.known) != maxRogues || warned != maxRogueAlarms {
		t.Errorf("%d are known, %d were warned of", len(r.known), warned)
	}
	// One that is there isn't drowned by them.
	real := netip.MustParseAddr("10.0.9.9")
	if !r.note(RogueServer{Server: real, Source: real, HWAddr: leases.HWAddr(macA)}, now) {
		t.Error("nobody is warned of a server that was heard")
	}
	for i := range 200 {
		r.note(RogueServer{Server: at(2000 + i)}, now.Add(time.Second))
	}
	if r.known[real] == nil {
		t.Error("it is forgotten for those that were only named")
	}
	later := now.Add(warnInterval + time.Minute)
	for i := range 200 { // the one that is looked at is among the last
		r.note(RogueServer{Server: at(800 + i)}, now.Add(2*time.Second))
	}
	for i, want := range []bool{true, false} {
		seen := RogueServer{Server: at(999), HWAddr: leases.HWAddr(macB)}
		if i == 1 {
			seen.HWAddr = "" // a client names it
		}
		if got := r.note(seen, later); got != want {
			t.Errorf("warning %d: %v", i, got)
		}
	}
	if x := r.known[at(999)]; x.Times != 3 || x.HWAddr != macB {
		t.Errorf("known of it: %+v", x)
	}
}

// FuzzHeardFrames reads any bytes as frames that are heard: no panic, and nothing read that isn't there.
func FuzzHeardFrames(f *testing.F) {
	for _, b := range [][]byte{
		nil,
		arpFrame(arpRequest, macA, "10.0.0.9", "10.0.0.1"),
		arpFrame(arpReply, macA, "10.0.0.9", "0.0.0.0"),
		appendProbe(nil, ourMAC, broadcastMAC, addrOf("10.0.0.9")),
		offerFrame("10.0.0.66", "10.0.0.66", [6]byte{2}),
		offerFrame(server, "10.0.0.9", [6]byte{2}, relayedBy("10.0.0.9")),
		offerFrame("10.0.0.66", "10.0.0.66", [6]byte{2})[:300],
		change(offerFrame("10.0.0.66", "10.0.0.66", [6]byte{2}), ethernetHeaderLen, 0x4f),
		bytes.Repeat([]byte{0xff}, 400),
	} {
		f.Add(b)
	}
	for _, payload := range seeds() {
		b := append(make([]byte, headersLen), payload...)
		finishFrame(b, destination{to: netip.AddrPortFrom(broadcastAddr, clientPort)}, [6]byte{2}, addrOf("10.0.0.66"))
		if len(payload) > 0 {
			b[headersLen] = opReply
		}
		f.Add(b)
	}
	p := newProber(func(netip.Addr, [6]byte) error { return nil })
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		if s, ok := readARP(b); ok {
			if !bytes.Contains(b, s.mac[:]) || !bytes.Contains(b, s.addr.AsSlice()) {
				t.Fatalf("read what isn't there: %+v", s)
			}
			p.hear(s, true, time.Now())
			if got := p.lastUser(s.addr); got != leases.HWAddr(s.mac[:]) {
				t.Fatalf("heard %x, remembered %x", s.mac, got)
			}
		}
		var x serverMessage
		if x.read(b) {
			if !x.server.Is4() || !x.source.Is4() || len(x.client) > 16 || !bytes.Contains(b, x.client) {
				t.Fatalf("read %+v", x)
			}
		}
		if !bytes.Equal(before, b) {
			t.Fatal("reading changed the frame")
		}
	})
}
