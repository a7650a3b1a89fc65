package dhcpserver

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/leases"
)

// FuzzServe sends any bytes the whole way without sockets: whatever comes, no panic, and every reply is well-formed. rich
// chooses a configuration with classes, boot files, relays, rapid commit and names.
func FuzzServe(f *testing.F) {
	for _, s := range append(seeds(), richSeeds()...) {
		f.Add(s, false, uint32(0), false)
		f.Add(s, true, uint32(0x0a000078), true)
	}
	type world struct {
		*settings
		table *leases.Table
	}
	worlds := map[bool]world{
		false: {testSettings(f, manyOptions, func(c *Config) {
			c.Hosts = []HostOptions{{Host: "db", LeaseTime: time.Minute, Options: []Option{optString(15, "db.example.org")}}}
		}), newTable(f, leases.NewMemory(), nil)},
		true: {testSettings(f, manyOptions, chainLoading, layered, rapid, namesRelay, func(c *Config) {
			c.Boot = Boot{File: "pxelinux.0", ServerName: strings.Repeat("b", 63), NextServer: addrOf("192.0.2.5")}
			c.Domain = "lab.example.org"
			c.Options = append(c.Options, optString(optClasslessRoutes, "\x10\x0a\x01\x0a\x00\x00\x0a"))
		}), newTable(f, leases.NewMemory(), nil)},
	}
	for _, w := range worlds {
		runTable(f, w.table)
	}
	f.Fuzz(func(t *testing.T, b []byte, broadcast bool, from uint32, rich bool) {
		s, table := worlds[rich].settings, worlds[rich].table
		d := decider{table: table, newcomers: 1, cloned: func(leases.Client, leases.Lease) {}}
		var m message
		if m.parse(b) != "" {
			return
		}
		source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(from >> 24), byte(from >> 16), byte(from >> 8), byte(from)}), clientPort)
		out := d.decide(s, &m, s.classify(&m, source, broadcast), time.Now())
		if newCounters()[out.reason] == nil {
			t.Fatalf("a reason that isn't in the set: %q", out.reason)
		}
		if out.pending {
			table.Submit([]leases.Change{out.change}, func(error) {})
		}
		if out.reply == replyNone {
			return
		}
		to := destinationOf(&m, out.reply, out.addr, source)
		_, relay := s.relays[to.to.Addr()]
		if a := to.to.Addr(); !a.IsValid() || a != broadcastAddr && !s.isHost(a) && !relay {
			t.Fatalf("a reply to %v, which is neither on the link nor a relay", a)
		}
		packet, _ := s.appendReply(make([]byte, headersLen), &m, out.say(&m))
		finishFrame(packet, to, [6]byte{}, s.server)
		if n := len(packet) - headersLen; n < minReply || n > s.maxReply(&m) {
			t.Fatalf("a reply of %d bytes, at most %d are allowed", n, s.maxReply(&m))
		}
		a := readAnswer(t, packet[headersLen:])
		checkFuzzed(t, s, &m, &out, &a)
		if _, err := dhcpv4.FromBytes(packet[headersLen:]); err != nil {
			t.Fatalf("another implementation can't read the reply: %v", err)
		}
		if h := readFrame(packet); h.bad != "" {
			t.Fatalf("a broken frame: %s", h.bad)
		}
	})
}

// checkFuzzed holds what is always so of the parts of a reply that depend on the message.
func checkFuzzed(t *testing.T, s *settings, m *message, out *decision, a *answer) {
	t.Helper()
	if a.get(optOverload) == nil && (a.raw[offsetFile-1] != 0 || a.raw[offsetCookie-1] != 0) {
		t.Fatalf("sname or file is not ended: %x", a.raw[offsetSname:offsetCookie])
	}
	if out.reply == replyNak && booted(a) != `0.0.0.0 "" "", "" "" ""` {
		t.Fatalf("a NAK says %s", booted(a))
	}
	if _, ok := a.options.get(optRapidCommit); ok != (out.reply == replyAck && m.kind == typeDiscover) {
		t.Fatalf("option 80: %v in type %d", ok, a.kind)
	}
	if id := a.get(optServerID); len(id) != 4 || !m.relayed() && string(id) != string(s.server.AsSlice()) {
		t.Fatalf("server identifier %v", id)
	}
	if fqdn, ok := a.options.get(optFQDN); ok {
		if len(fqdn) < 3 || fqdn[0]&^(fqdnServer|fqdnOverride|fqdnEncoded|fqdnNone) != 0 || fqdn[0]&fqdnServer != 0 == (fqdn[0]&fqdnNone != 0) {
			t.Fatalf("option 81: %x", fqdn)
		}
		if asked, ok := m.options.get(optFQDN); !ok || (asked[0]^fqdn[0])&fqdnEncoded != 0 || (asked[0]^fqdn[0])&fqdnServer != 0 != (fqdn[0]&fqdnOverride != 0) {
			t.Fatalf("option 81: %x in answer to %x", fqdn, asked)
		}
	}
	for _, code := range []uint8{optRelayAgent, optSubnetSelection} {
		if _, ok := a.options.get(code); ok && !m.relayed() {
			t.Fatalf("option %d without a relay", code)
		}
	}
}

// richSeeds are messages of boot ROMs and relays, and of clients that ask for rapid commit or say their whole name.
func richSeeds() [][]byte {
	elsewhere := selecting(macA, "10.0.0.120")
	elsewhere.ciaddr = "192.0.2.92"
	all := [][]byte{elsewhere.bytes()}
	for _, q := range []request{discover(macA, ""), rapidDiscover(macA, "10.0.0.120"), selecting(macA, "10.0.0.120"), renew(macA, "10.0.0.120")} {
		for _, vendor := range []string{vendorPXE, vendorHTTP} {
			all = append(all, pxe(q, vendor, 7, "").bytes(), pxe(q, vendor, 16, "iPXE").bytes(), pxe(q, vendor, 0, "\x03lab\x04iPXE").bytes())
		}
		for _, data := range []string{"\x05\x00\x00\x05guest\x03lab\x00", "\x01\x00\x00guest", "\x08\x00\x00", "\x00", "\x0f\xff\xff\xff\x00"} {
			all = append(all, with(q, optString(optFQDN, data), opt(optParameterList, 12, 81, 121, 249, 66, 67)).bytes())
		}
		all = append(all,
			by("10.0.0.9", q, append(linkSelection("10.0.0.0"), override("10.0.0.9")...)...).bytes(),
			by("192.0.2.7", with(q, optIP(optSubnetSelection, "10.0.0.0")), agentPort, 0, agentFlags, 1, agentUnicast).bytes(),
			by("192.0.2.7", q, agentLink, 4, 10, 0, 0).bytes(),
			by("10.0.0.9", with(q, opt(optUserClass, 0), opt(optArchitecture, 0), opt(optSubnetSelection, 10))).bytes(),
			with(q, optString(optVendorClass, "ab"), optString(optUserClass, "\x00\x00"), Option{Code: optMachineID, Data: make([]byte, 300)}, opt(optMaxMessageSize, 2, 64)).bytes(),
		)
	}
	return all
}
