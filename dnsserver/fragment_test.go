package dnsserver

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// Only the first piece of an answer proves that it is the upstream's; the others are anybody's. So it is asked for over TCP. Here the
// kernel takes the answer to pieces and puts it together again, since the link's MTU is small.
func TestFragments(t *testing.T) {
	nettest.NeedRoot(t)
	for _, family := range []struct{ name, ours, theirs, server, text string }{
		{"IPv4", "192.0.2.1/24", "192.0.2.53/24", "192.0.2.53:53", "192.0.2.1"},
		{"IPv6", "2001:db8::1/64", "2001:db8::53/64", "[2001:db8::53]:53", "2001:db8::1"},
	} {
		t.Run(family.name, func(t *testing.T) {
			lan := nettest.NewHost(t, "lan")
			router(t, "ip", "link", "add", "dns-frag", "type", "veth", "peer", "name", "eth0", "netns", lan.Name)
			t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "dns-frag").Run() })
			router(t, "ip", "address", "add", family.ours, "dev", "dns-frag", "nodad")
			router(t, "ip", "link", "set", "dns-frag", "up")
			lan.Run(t, "ip", "address", "add", family.theirs, "dev", "eth0", "nodad")
			lan.Run(t, "ip", "link", "set", "eth0", "mtu", "1280", "up")
			var udp net.PacketConn
			var listener net.Listener
			lan.Do(t, func() {
				var err error
				if udp, err = net.ListenPacket("udp", family.server); err == nil {
					listener, err = net.Listen("tcp", family.server)
				}
				if err != nil {
					t.Error(err)
				}
			})
			if listener == nil {
				t.FailNow()
			}
			up := runUpstream(t, udp, listener, func(x exchange) {
				n := strings.ToLower(x.query.Question[0].Name)
				if !x.tcp && strings.HasPrefix(n, "big") {
					// Somebody's, in the last piece.
					x.answer(dns.RcodeSuccess, x.query.Question[0].Name+` 300 TXT "forged"`, fmt.Sprintf(`+x. 1 TXT %s`, strings.Repeat(` "`+strings.Repeat("x", 250)+`"`, 5)))
					return
				}
				x.answer(dns.RcodeSuccess, x.query.Question[0].Name+` 300 TXT "true"`)
			})
			var log journal
			s := startLogging(t, withUpstreams(t, up.addr), testLeases(), log.logger())
			for i, n := range []string{"small.example.org.", "big1.example.org.", "big2.example.org.", "big3.example.org."} {
				if got, want := brief(ask(t, "udp", s.at, n, dns.TypeTXT)), "NOERROR: "+n+` 300 TXT "true"`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if got := s.Stats()["reply_fragmented"]; got != uint64(i) || up.streams.Load() != int64(i) {
					t.Errorf("%s: %d answers in pieces, %d questions over TCP, want %d", n, got, up.streams.Load(), i)
				}
			}
			if n := log.count("come in fragments"); n != 1 {
				t.Errorf("%d lines tell of it", n)
			}
		})
	}
}
