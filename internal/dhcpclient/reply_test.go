package dhcpclient

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

var comparable = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func read(m *dhcpv4.DHCPv4) (reply, error) { return readReply(m.ToBytes(), ownMAC, []byte{1, 2, 3}) }

func TestLeaseIsRead(t *testing.T) {
	r, err := read(message(dhcpv4.MessageTypeAck, address,
		set(3, 192, 0, 2, 1, 192, 0, 2, 2), set(6, 192, 0, 2, 53, 192, 0, 2, 53, 0, 0, 0, 0, 198, 51, 100, 53), set(15, []byte("Example.ORG.\x00")...),
		set(26, 0x05, 0x78), set(58, 0, 0, 0, 100), set(59, 0, 0, 0, 200),
		func(m *dhcpv4.DHCPv4) {
			m.UpdateOption(dhcpv4.OptDomainSearch(&rfc1035label.Labels{Labels: []string{"a.example.org", "b c.example.org", "example.org"}}))
		}))
	if err != nil {
		t.Fatal(err)
	}
	want := Lease{
		Addr: netip.MustParsePrefix("192.0.2.10/24"), Server: ip(server),
		Routes:    []Route{{netip.MustParsePrefix("0.0.0.0/0"), ip(server)}},
		Resolvers: []netip.Addr{ip("192.0.2.53"), ip("198.51.100.53")},
		Domain:    "example.org", Search: []string{"a.example.org", "example.org"}, MTU: 1400,
		Renew: 100 * time.Second, Rebind: 200 * time.Second, Lifetime: 1000 * time.Second,
	}
	if diff := cmp.Diff(want, r.lease, comparable); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimesThatMakeNoSense(t *testing.T) {
	const renew, rebind = 500 * time.Second, 875 * time.Second
	for name, c := range map[string]struct {
		options       []func(*dhcpv4.DHCPv4)
		renew, rebind time.Duration
	}{
		"none given":       {nil, renew, rebind},
		"T1 alone":         {[]func(*dhcpv4.DHCPv4){set(58, 0, 0, 0, 60)}, time.Minute, rebind},
		"T2 alone":         {[]func(*dhcpv4.DHCPv4){set(59, 0, 0, 3, 0)}, renew, 768 * time.Second},
		"T2 before half":   {[]func(*dhcpv4.DHCPv4){set(59, 0, 0, 0, 60)}, renew, rebind},
		"T1 at once":       {[]func(*dhcpv4.DHCPv4){set(58, 0, 0, 0, 1)}, renew, rebind},
		"T1 0":             {[]func(*dhcpv4.DHCPv4){set(58, 0, 0, 0, 0), set(59, 0, 0, 0, 0)}, renew, rebind},
		"T1 after T2":      {[]func(*dhcpv4.DHCPv4){set(58, 0, 0, 0, 100), set(59, 0, 0, 0, 90)}, renew, rebind},
		"T2 after the end": {[]func(*dhcpv4.DHCPv4){set(58, 0, 0, 0, 100), set(59, 255, 255, 255, 255)}, renew, rebind},
		"too short":        {[]func(*dhcpv4.DHCPv4){set(58, 0, 0), set(59, 1)}, renew, rebind},
	} {
		r, err := read(message(dhcpv4.MessageTypeAck, address, c.options...))
		if err != nil || r.lease.Renew != c.renew || r.lease.Rebind != c.rebind {
			t.Errorf("%s: %v and %v, want %v and %v (%v)", name, r.lease.Renew, r.lease.Rebind, c.renew, c.rebind, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	route := func(to, via string) Route {
		r := Route{To: netip.MustParsePrefix(to)}
		if via != "" {
			r.Via = ip(via)
		}
		return r
	}
	all := "0.0.0.0/0"
	for name, c := range map[string]struct {
		mask    byte
		options []func(*dhcpv4.DHCPv4)
		want    []Route
	}{
		"none":                   {24, nil, nil},
		"a router":               {24, []func(*dhcpv4.DHCPv4){set(3, 192, 0, 2, 1)}, []Route{route(all, server)}},
		"a router out of reach":  {24, []func(*dhcpv4.DHCPv4){set(3, 198, 51, 100, 1)}, []Route{route("198.51.100.1/32", ""), route(all, "198.51.100.1")}},
		"a subnet of one":        {32, []func(*dhcpv4.DHCPv4){set(3, 192, 0, 2, 1)}, []Route{route("192.0.2.1/32", ""), route(all, server)}},
		"itself, then nobody":    {24, []func(*dhcpv4.DHCPv4){set(3, 192, 0, 2, 10, 0, 0, 0, 0, 224, 0, 0, 1, 127, 0, 0, 1)}, nil},
		"itself, then a router":  {24, []func(*dhcpv4.DHCPv4){set(3, 192, 0, 2, 10, 192, 0, 2, 1)}, []Route{route(all, server)}},
		"half an address":        {24, []func(*dhcpv4.DHCPv4){set(3, 192, 0)}, nil},
		"classless in its place": {24, []func(*dhcpv4.DHCPv4){set(3, 192, 0, 2, 1), set(121, 8, 10, 192, 0, 2, 2)}, []Route{route("10.0.0.0/8", other)}},
		"classless, both": {24, []func(*dhcpv4.DHCPv4){set(121, 0, 192, 0, 2, 1, 24, 10, 1, 1, 192, 0, 2, 2, 24, 10, 1, 1, 192, 0, 2, 2)}, []Route{
			route(all, server), route("10.1.1.0/24", other),
		}},
		"classless over one on the link": {24, []func(*dhcpv4.DHCPv4){set(121, 24, 198, 51, 100, 0, 0, 0, 0, 0, 198, 51, 100, 1)}, []Route{
			route("198.51.100.0/24", ""), route(all, "198.51.100.1"),
		}},
		"classless, host bits": {24, []func(*dhcpv4.DHCPv4){set(121, 8, 10, 192, 0, 2, 1, 12, 172, 31, 192, 0, 2, 1)}, []Route{
			route("10.0.0.0/8", server), route("172.16.0.0/12", server),
		}},
		"classless, to nowhere":        {24, []func(*dhcpv4.DHCPv4){set(121, 8, 127, 192, 0, 2, 1, 4, 224, 192, 0, 2, 1, 8, 10, 192, 0, 2, 10)}, nil},
		"classless that is no list":    {24, []func(*dhcpv4.DHCPv4){set(3, 192, 0, 2, 1), set(121, 33, 1, 2, 3, 4, 5, 6, 7, 8, 9)}, []Route{route(all, server)}},
		"everything is on the link":    {24, []func(*dhcpv4.DHCPv4){set(121, 0, 0, 0, 0, 0)}, []Route{route(all, "")}},
		"on the link doesn't mean all": {24, []func(*dhcpv4.DHCPv4){set(121, 0, 0, 0, 0, 0, 8, 10, 198, 51, 100, 1)}, []Route{route(all, ""), route("198.51.100.1/32", ""), route("10.0.0.0/8", "198.51.100.1")}},
	} {
		mask := netip.PrefixFrom(ip("255.255.255.255"), int(c.mask)).Masked().Addr().As4()
		r, err := read(message(dhcpv4.MessageTypeAck, address, append(c.options, set(1, mask[:]...))...))
		if diff := cmp.Diff(c.want, r.lease.Routes, comparable); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestAnswersThatLie(t *testing.T) {
	for name, c := range map[string]struct {
		m    *dhcpv4.DHCPv4
		want string // "": it is others'
	}{
		"another's":                {message(dhcpv4.MessageTypeAck, address, func(m *dhcpv4.DHCPv4) { m.ClientHWAddr = otherMAC[:] }), ""},
		"another identifier":       {message(dhcpv4.MessageTypeAck, address, set(61, 9, 9)), ""},
		"a client's":               {message(dhcpv4.MessageTypeAck, address, func(m *dhcpv4.DHCPv4) { m.OpCode = 1 }), ""},
		"no kind":                  {message(dhcpv4.MessageTypeAck, address, set(53)), ""},
		"a DISCOVER":               {message(dhcpv4.MessageTypeDiscover, address), ""},
		"no server":                {message(dhcpv4.MessageTypeAck, address, set(54)), "no server"},
		"a server that is none":    {message(dhcpv4.MessageTypeNak, "", set(54, 224, 0, 0, 1)), "no server"},
		"no lease time":            {message(dhcpv4.MessageTypeAck, address, set(51)), "no lease time"},
		"a lease of nothing":       {message(dhcpv4.MessageTypeAck, address, set(51, 0, 0, 0, 0)), "a lease of 0s"},
		"a lease of a second":      {message(dhcpv4.MessageTypeAck, address, set(51, 0, 0, 0, 1)), "a lease of 1s"},
		"a lease time of 8 bytes":  {message(dhcpv4.MessageTypeAck, address, set(51, 0, 0, 0, 0, 0, 0, 1, 0)), "no lease time"},
		"no address":               {message(dhcpv4.MessageTypeAck, "0.0.0.0"), "can't be a machine's"},
		"a loopback address":       {message(dhcpv4.MessageTypeAck, "127.0.0.1"), "can't be a machine's"},
		"a group":                  {message(dhcpv4.MessageTypeAck, "224.0.0.1"), "can't be a machine's"},
		"everyone":                 {message(dhcpv4.MessageTypeAck, "255.255.255.255"), "can't be a machine's"},
		"the broadcast address":    {message(dhcpv4.MessageTypeAck, "192.0.2.255"), "own or broadcast"},
		"the network's address":    {message(dhcpv4.MessageTypeAck, "192.0.2.0"), "own or broadcast"},
		"a mask with holes":        {message(dhcpv4.MessageTypeAck, address, set(1, 255, 0, 255, 0)), "no subnet mask"},
		"a mask of nothing":        {message(dhcpv4.MessageTypeAck, address, set(1, 0, 0, 0, 0)), "no subnet mask"},
		"a mask of 3 bytes":        {message(dhcpv4.MessageTypeAck, address, set(1, 255, 255, 255)), "mask of 3 bytes"},
		"overload by 2 bytes":      {message(dhcpv4.MessageTypeAck, address, set(52, 1, 1)), "option 52"},
		"overload that isn't read": {message(dhcpv4.MessageTypeAck, address, set(52, 1), func(m *dhcpv4.DHCPv4) { m.BootFileName = strings.Repeat("\xfe", 127) }), "boot file"},
	} {
		_, err := read(c.m)
		if c.want == "" && !errors.Is(err, errNotForUs) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := readReply(message(dhcpv4.MessageTypeAck, address).ToBytes()[:200], ownMAC, nil); !errors.Is(err, errNotForUs) {
		t.Errorf("half a message: %v", err)
	}
}

func TestClassWithoutMask(t *testing.T) {
	for addr, want := range map[string]string{"10.1.2.3": "10.1.2.3/8", "172.16.1.1": "172.16.1.1/16", "192.0.2.10": "192.0.2.10/24"} {
		r, err := read(message(dhcpv4.MessageTypeAck, addr, func(m *dhcpv4.DHCPv4) { m.Options.Del(dhcpv4.OptionSubnetMask) }))
		if err != nil || r.lease.Addr.String() != want {
			t.Errorf("%s: %v (%v), want %s", addr, r.lease.Addr, err, want)
		}
	}
}

func TestOptionsInOtherFields(t *testing.T) {
	m := message(dhcpv4.MessageTypeAck, address, set(52, 3), set(6, 192, 0, 2, 53))
	b := m.ToBytes()
	copy(b[offsetFile:], "\x03\x04\xc0\x00\x02\x01\x06\x04\xc6\x33\x64\x35\xff")
	copy(b[offsetSname:], "\x0f\x0bexample.org\xff")
	r, err := readReply(b, ownMAC, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Option 6 comes in two pieces.
	if l := r.lease; l.Domain != "example.org" || len(l.Routes) != 1 || len(l.Resolvers) != 2 {
		t.Errorf("the lease is %+v", l)
	}
}

func TestDomain(t *testing.T) {
	for in, want := range map[string]string{
		"example.org": "example.org", "EXAMPLE.org.": "example.org", "a_b.example": "a_b.example", "lab": "lab",
		"": "", ".": "", "a..b": "", "-a.org": "", "a b": "", "x\nnameserver 192.0.2.66": "", "x;y": "", "ä.org": "",
		strings.Repeat("a", 64): "", strings.Repeat("a.", 127) + "a": "", strings.Repeat("a.", 126) + "a": strings.Repeat("a.", 126) + "a",
	} {
		if got := domain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFrames(t *testing.T) {
	payload := message(dhcpv4.MessageTypeAck, address).ToBytes()
	toClient := func(change func(frame []byte)) []byte {
		b := appendDatagram(nil, serverMAC, ownMAC, ip(server), ip(address), payload)
		b[35], b[37] = serverPort, clientPort // the sum is the same
		if change != nil {
			change(b)
		}
		return b
	}
	d, ok := readDatagram(append(toClient(nil), 0, 0), false) // with padding
	if !ok || d.from != serverMAC || string(d.payload) != string(payload) {
		t.Fatalf("%v from %v, %d bytes", ok, d.from, len(d.payload))
	}
	if _, ok := readDatagram(toClient(func(b []byte) { b[41]++ }), true); !ok {
		t.Error("a sum that is still to be computed is compared")
	}
	for name, change := range map[string]func([]byte){
		"sum":            func(b []byte) { b[41]++ },
		"payload":        func(b []byte) { b[60]++ },
		"header sum":     func(b []byte) { b[24]++ },
		"not IPv4":       func(b []byte) { b[13] = 6 },
		"version":        func(b []byte) { b[14] = 0x65 },
		"short header":   func(b []byte) { b[14] = 0x44 },
		"long header":    func(b []byte) { b[14] = 0x4f },
		"fragment":       func(b []byte) { b[21]++ },
		"more fragments": func(b []byte) { b[20] = 0x20 },
		"TCP":            func(b []byte) { b[23] = 6 },
		"another port":   func(b []byte) { b[37]++ },
		"too long":       func(b []byte) { b[16]++ },
		"UDP too long":   func(b []byte) { b[38]++ },
		"UDP too short":  func(b []byte) { b[38], b[39] = 0, 7 },
	} {
		if _, ok := readDatagram(toClient(change), name != "sum" && name != "payload"); ok {
			t.Errorf("%s: it is taken", name)
		}
	}
	for n := range headersLen {
		if _, ok := readDatagram(toClient(nil)[:n], true); ok {
			t.Errorf("%d bytes are taken", n)
		}
	}
	if _, ok := readARP(appendProbe(nil, everyone, ip(address))); ok {
		t.Error("everyone speaks ARP")
	}
	if _, ok := readARP(appendProbe(nil, ownMAC, ip(address))[:41]); ok {
		t.Error("half a probe is taken")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"no interface": {},
		"short id":     {Interface: "eth0", ClientID: []byte{1}},
		"long id":      {Interface: "eth0", ClientID: make([]byte, 256)},
		"long name":    {Interface: "eth0", Hostname: strings.Repeat("a", 254)},
		"IPv6":         {Interface: "eth0", Former: ip("2001:db8::1")},
		"held nothing": {Interface: "eth0", Held: true},
	} {
		if err := c.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What comes from the link is survived, and what is taken of it makes sense.
func FuzzReceive(f *testing.F) {
	seed := func(m *dhcpv4.DHCPv4) {
		b := appendDatagram(nil, serverMAC, ownMAC, ip(server), ip(address), m.ToBytes())
		b[35], b[37] = serverPort, clientPort
		f.Add(b)
		f.Add(m.ToBytes())
	}
	seed(message(dhcpv4.MessageTypeOffer, address, set(3, 192, 0, 2, 1), set(6, 192, 0, 2, 53)))
	seed(message(dhcpv4.MessageTypeAck, address, set(121, 0, 192, 0, 2, 1, 24, 10, 1, 1, 198, 51, 100, 1), set(119, []byte("\x03lab\x07example\x00\xc0\x04")...)))
	seed(message(dhcpv4.MessageTypeAck, address, set(52, 3), set(15, []byte("example.org")...), set(26, 2, 64)))
	seed(message(dhcpv4.MessageTypeNak, "", set(56, []byte("wrong network\n")...)))
	f.Add(appendProbe(nil, otherMAC, ip(address)))
	f.Add(appendAnnouncement(nil, otherMAC, ip(address)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		_, _ = readARP(frame)
		payload := frame // few mutations have the right sums
		if d, ok := readDatagram(frame, true); ok {
			payload = d.payload
		}
		r, err := readReply(payload, ownMAC, []byte{1, 2, 3})
		if err != nil || r.kind == dhcpv4.MessageTypeNak {
			return
		}
		l := r.lease
		if !isMachine(l.Addr.Addr()) || l.Addr.Bits() < 1 || !isMachine(l.Server) {
			t.Fatalf("address %v of %v", l.Addr, l.Server)
		}
		if l.Lifetime < minLifetime || l.Renew > l.Rebind || l.Rebind > l.Lifetime || l.Renew < minLifetime/2 {
			t.Fatalf("times %v, %v, %v", l.Renew, l.Rebind, l.Lifetime)
		}
		if l.MTU != 0 && l.MTU < minMTU || len(l.Resolvers) > maxResolvers || len(l.Search) > maxSearch {
			t.Fatalf("lease %+v", l)
		}
		for _, name := range append(l.Search, l.Domain) {
			if strings.ContainsAny(name, " \t\r\n\"'\\;#") {
				t.Fatalf("a name that does harm: %q", name)
			}
		}
		for _, route := range l.Routes {
			if !route.To.IsValid() || route.To != route.To.Masked() || route.Via == l.Addr.Addr() || route.Via.IsValid() && !isMachine(route.Via) {
				t.Fatalf("route %v", route)
			}
		}
	})
}
