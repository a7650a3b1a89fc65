package dhcpserver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/leases"
)

// FuzzServe sends any bytes the whole way without sockets: whatever comes, no panic, and every reply is well-formed.
func FuzzServe(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, false, uint32(0))
		f.Add(s, true, uint32(0x0a000078))
	}
	table := newTable(f, leases.NewMemory(), nil)
	runTable(f, table)
	s := testSettings(f, manyOptions, func(c *Config) {
		c.Hosts = []HostOptions{{Host: "db", LeaseTime: time.Minute, Options: []Option{optString(15, "db.example.org")}}}
	})
	f.Fuzz(func(t *testing.T, b []byte, broadcast bool, from uint32) {
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
		if a := to.to.Addr(); !a.IsValid() || a != broadcastAddr && !s.isHost(a) {
			t.Fatalf("a reply to %v, which isn't on the link", a)
		}
		packet, _ := s.appendReply(make([]byte, headersLen), &m, out.say(&m))
		finishFrame(packet, to, [6]byte{}, s.server)
		if n := len(packet) - headersLen; n < minReply || n > s.maxReply(&m) {
			t.Fatalf("a reply of %d bytes, at most %d are allowed", n, s.maxReply(&m))
		}
		readAnswer(t, packet[headersLen:])
		if _, err := dhcpv4.FromBytes(packet[headersLen:]); err != nil {
			t.Fatalf("another implementation can't read the reply: %v", err)
		}
		if h := readFrame(packet); h.bad != "" {
			t.Fatalf("a broken frame: %s", h.bad)
		}
	})
}
