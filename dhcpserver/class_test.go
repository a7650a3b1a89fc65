package dhcpserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestClassMatches(t *testing.T) {
	vendor := func(text string) Option { return optString(optVendorClass, text) }
	user := func(text string) Option { return optString(optUserClass, text) }
	arch := func(b ...byte) Option { return opt(optArchitecture, b...) }
	for _, tc := range []struct {
		name string
		in   Class
		q    request
		want bool
	}{
		{"the vendor class, exactly", Class{VendorClasses: []string{"phone"}}, with(request{}, vendor("phone")), true},
		{"… with a zero behind it", Class{VendorClasses: []string{"phone"}}, with(request{}, vendor("phone\x00")), true},
		{"… not the beginning", Class{VendorClasses: []string{"phone"}}, with(request{}, vendor("phone7")), false},
		{"… not in other letter case", Class{VendorClasses: []string{"phone"}}, with(request{}, vendor("Phone")), false},
		{"… not without one", Class{VendorClasses: []string{"*"}}, request{}, false},
		{"a beginning of it", Class{VendorClasses: []string{"PXEClient*"}}, with(request{}, vendor("PXEClient:Arch:00007")), true},
		{"… that is all of it", Class{VendorClasses: []string{"PXEClient*"}}, with(request{}, vendor("PXEClient")), true},
		{"… that is longer", Class{VendorClasses: []string{"PXEClient*"}}, with(request{}, vendor("PXEClien")), false},
		{"any", Class{VendorClasses: []string{"*"}}, with(request{}, vendor("")), true},
		{"one of two", Class{VendorClasses: []string{"a", "b"}}, with(request{}, vendor("b")), true},
		{"the user class, bare as iPXE says it", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("iPXE")), true},
		{"… as RFC 3004 has it", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("\x04iPXE")), true},
		{"… the second of two", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("\x03lab\x04iPXE")), true},
		{"… neither of two", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("\x03lab\x05iPXE2")), false},
		{"… in pieces that don't fit", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("\x04iPXE\x09x")), false},
		{"… by its beginning", Class{UserClasses: []string{"iP*"}}, with(request{}, user("\x04iPXE")), true},
		{"… bare, with a zero as Windows sends", Class{UserClasses: []string{"lab"}}, with(request{}, user("lab\x00")), true},
		{"… bare, though it could be instances", Class{UserClasses: []string{"\x01a*"}}, with(request{}, user("\x01a")), true},
		{"… empty", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("")), false},
		{"… of length zero", Class{UserClasses: []string{"iPXE"}}, with(request{}, user("\x00")), false},
		{"the architecture", Class{Architectures: []uint16{7}}, with(request{}, arch(0, 7)), true},
		{"… one of several that are sent", Class{Architectures: []uint16{7}}, with(request{}, arch(0, 6, 0, 7)), true},
		{"… one of several that are wanted", Class{Architectures: []uint16{9, 7}}, with(request{}, arch(0, 7)), true},
		{"… another", Class{Architectures: []uint16{7}}, with(request{}, arch(7, 0)), false},
		{"… half of one", Class{Architectures: []uint16{7}}, with(request{}, arch(0)), false},
		{"… none, though it is number 0", Class{Architectures: []uint16{0}}, request{}, false},
		{"the maker of the card", Class{MACPrefixes: []string{"\x52\x54\x00"}}, request{}, true},
		{"… all of the address", Class{MACPrefixes: []string{testMAC}}, request{}, true},
		{"… another maker", Class{MACPrefixes: []string{"\x52\x54\x01"}}, request{}, false},
		{"… one of two", Class{MACPrefixes: []string{"\x00", "\x52"}}, request{}, true},
		{"… no Ethernet", Class{MACPrefixes: []string{"\x52"}}, request{htype: 32}, false},
		{"… no address", Class{MACPrefixes: []string{"\x52"}}, request{noHardware: true}, false},
		{"everything that is given", Class{VendorClasses: []string{"a"}, MACPrefixes: []string{"\x52"}}, with(request{}, vendor("a")), true},
		{"… not a part of it", Class{VendorClasses: []string{"a"}, MACPrefixes: []string{"\x53"}}, with(request{}, vendor("a")), false},
		{"… nor the other part", Class{VendorClasses: []string{"a"}, Architectures: []uint16{0}}, with(request{}, vendor("a")), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := newClass(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			tc.q.kind = typeDiscover
			if got := c.matches(tc.q.parse(t)); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// layered is a network with two classes and a host that all say something of their own, and of each other's.
func layered(c *Config) {
	c.Options = append(c.Options, optString(17, "network"), optString(40, "network"), optString(64, "network"))
	c.Classes = append(c.Classes, []Class{
		{
			Name: "a", VendorClasses: []string{"a*"}, LeaseTime: 2 * time.Hour, Boot: Boot{File: "a.0", ServerName: "boot"},
			Options: []Option{optString(17, "a"), optString(40, "a"), optString(64, "a")},
		},
		{
			Name: "ab", VendorClasses: []string{"ab", "b"}, LeaseTime: 3 * time.Hour, Boot: Boot{File: "ab.0"},
			Options: []Option{optString(40, "ab"), optString(64, "ab"), opt(119)},
		},
	}...)
	c.Hosts = []HostOptions{{Host: "db", LeaseTime: 4 * time.Hour, Options: []Option{optString(64, "db")}}}
}

func TestLaterClassesAndTheHostCount(t *testing.T) {
	s := testSettings(t, layered)
	for _, tc := range []struct{ vendor, host, want string }{
		{"", "", "1h0m0s network network network, search true, boots  from "},
		{"a", "", "2h0m0s a a a, search true, boots a.0 from boot"},
		{"b", "", "3h0m0s network ab ab, search false, boots ab.0 from "},
		{"ab", "", "3h0m0s a ab ab, search false, boots ab.0 from boot"},
		{"", "db", "4h0m0s network network db, search true, boots  from "},
		{"ab", "db", "4h0m0s a ab db, search false, boots ab.0 from boot"},
		{"ab", "unheard-of", "3h0m0s a ab ab, search false, boots ab.0 from boot"},
	} {
		q := request{kind: typeDiscover}
		if tc.vendor != "" {
			q = with(q, optString(optVendorClass, tc.vendor))
		}
		p := s.profileFor(q.parse(t), tc.host)
		text := func(code uint8) string { return string(p.options[p.index[code]-1].wire[2:]) }
		got := fmt.Sprintf("%v %s %s %s, search %v, boots %s from %s", p.leaseTime, text(17), text(40), text(64), p.has(119), p.boot.file, p.boot.sname)
		if got != tc.want {
			t.Errorf("vendor %q, host %q:\n got %s\nwant %s", tc.vendor, tc.host, got, tc.want)
		}
		if again := s.profileFor(q.parse(t), tc.host); again != p {
			t.Errorf("vendor %q, host %q: made again", tc.vendor, tc.host)
		}
	}
}

// TestInventedCombinationsOfClassesAreBounded: guests choose what they match.
func TestInventedCombinationsOfClassesAreBounded(t *testing.T) {
	s := testSettings(t, func(c *Config) {
		for i := range maxClasses {
			c.Classes = append(c.Classes, Class{Name: fmt.Sprint(i), Architectures: []uint16{uint16(i)}, LeaseTime: time.Duration(i+1) * time.Minute})
		}
	})
	for i := range 3 * maxClassed {
		q := request{kind: typeDiscover, options: []Option{opt(optArchitecture, 0, byte(i%64), 0, byte(i/64), 0, 63)}}
		if got := s.profileFor(q.parse(t), fmt.Sprint("host-", i)); got.leaseTime != 64*time.Minute {
			t.Fatalf("lease time %v", got.leaseTime)
		}
		if n := len(s.cache.byKey); n > maxClassed {
			t.Fatalf("%d profiles are kept", n)
		}
	}
}

func TestClassesCostNoAllocation(t *testing.T) {
	s := testSettings(t, layered)
	q := with(typicalDiscover(), opt(optArchitecture, 0, 7), optString(optFQDN, "\x05\x00\x00\x05guest"))
	q.options[2] = optString(optVendorClass, "ab")
	data := q.bytes()
	var m message
	buf := make([]byte, 0, 2048)
	got := testing.AllocsPerRun(100, func() {
		if r := m.parse(data); r != "" {
			t.Fatal(r)
		}
		buf, _ = s.appendReply(buf[:0], &m, reply{kind: replyOffer, yiaddr: testAddr, profile: s.profileFor(&m, "db"), name: "guest"})
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestCompileRefusesClassesRelaysAndBootFiles(t *testing.T) {
	good := Class{Name: "a", VendorClasses: []string{"a"}}
	classes := func(change func(*Class)) func(*Config) {
		return func(c *Config) {
			bad := good
			change(&bad)
			c.Classes = []Class{bad}
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"a class without condition", classes(func(c *Class) { c.VendorClasses = nil }), `class "a": matches by nothing`},
		{"an empty MAC prefix", classes(func(c *Class) { c.MACPrefixes = []string{""} }), "MAC prefix of 0 bytes"},
		{"a long MAC prefix", classes(func(c *Class) { c.MACPrefixes = []string{"1234567"} }), "MAC prefix of 7 bytes"},
		{"a class's lease time", classes(func(c *Class) { c.LeaseTime = time.Millisecond }), "at least a second"},
		{"a class's option", classes(func(c *Class) { c.Options = []Option{opt(81, 0, 0, 0)} }), `class "a": option 81`},
		{"a class's boot file", classes(func(c *Class) { c.Boot.File = strings.Repeat("x", 256) }), "at most 255"},
		{"65 classes", func(c *Config) {
			for range 65 {
				c.Classes = append(c.Classes, good)
			}
		}, "65 classes"},
		{"a zero byte in a boot file", func(c *Config) { c.Boot.File = "a\x00b" }, "zero bytes"},
		{"an IPv6 next server", func(c *Config) { c.Boot.NextServer = addrOf("2001:db8::1") }, "must be an IPv4"},
		{"a host's boot file", func(c *Config) { c.Hosts = []HostOptions{{Host: "db", Boot: Boot{ServerName: "\x00"}}} }, `host "db"`},
		{"ourselves as relay", func(c *Config) { c.Relays = []netip.Addr{addrOf(server)} }, "relay 10.0.0.1"},
		{"nobody as relay", func(c *Config) { c.Relays = []netip.Addr{addrOf("0.0.0.0")} }, "relay 0.0.0.0"},
		{"everyone as relay", func(c *Config) { c.Relays = []netip.Addr{broadcastAddr} }, "relay 255"},
		{"an IPv6 relay", func(c *Config) { c.Relays = []netip.Addr{addrOf("2001:db8::1")} }, "relay 2001"},
		{"a domain with a long label", func(c *Config) { c.Domain = strings.Repeat("x", 64) + ".org" }, "1 to 63 bytes"},
		{"a domain with its last dot", func(c *Config) { c.Domain = "example.org." }, "1 to 63 bytes"},
		{"the echo of a subnet selection", func(c *Config) { c.Options = []Option{opt(118, 1, 2, 3, 4)} }, "option 118"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := testConfig()
			tc.change(&cfg)
			if _, err := compile(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something with %q", err, tc.want)
			}
		})
	}
}

// TestReconfigureClassesRelaysAndRapidCommit sees what is changed take effect with the next message.
func TestReconfigureClassesRelaysAndRapidCommit(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	q := with(discover(macA, "10.0.0.120"), opt(optRapidCommit), optString(optVendorClass, "phone"))
	p.answered(q, typeOffer, ReasonOfferRequested)
	relayed := q
	relayed.giaddr = "10.0.0.9"
	p.answeredFrom(relayed, "10.0.0.9", typeOffer, ReasonOfferHold)

	cfg := testConfig()
	cfg.RapidCommit = true
	cfg.Relays = []netip.Addr{addrOf("10.0.0.8")}
	cfg.Classes = []Class{{Name: "phones", VendorClasses: []string{"phone"}, LeaseTime: 10 * time.Minute}}
	if err := l.server.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	if a := p.answered(q, typeAck, ReasonAckRapid); a.seconds(51) != 600 {
		t.Errorf("lease time %d", a.seconds(51))
	}
	if text := l.log.String(); !strings.Contains(text, "reason=ack_rapid_commit class=phones") {
		t.Errorf("the log doesn't name the class:\n%s", text)
	}
	p.silentFrom(relayed, "10.0.0.9", ReasonForeignRelay)
	relayed.giaddr = "10.0.0.8"
	p.answeredFrom(relayed, "10.0.0.8", typeAck, ReasonAckRapid)
}
