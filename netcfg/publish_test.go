package netcfg

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

func publishing(n *Network) {
	n.Publish = []Publish{
		{Name: "fixed", TCP: true, UDP: true, Listen: 1007, Port: 7, Count: 1, Target: netip.MustParseAddr("10.0.0.10")},
		{Name: "range", TCP: true, UDP: true, Listen: 2006, Port: 6, Count: 3, Target: netip.MustParseAddr("10.0.0.11")},
		{Name: "followed", TCP: true, UDP: true, Listen: 3007, Port: 7, Count: 1, Guest: "web"},
		{Name: "one address", TCP: true, UDP: true, Address: netip.MustParseAddr("192.0.2.2"), Listen: 4007, Port: 7, Count: 1, Guest: "web"},
	}
}

// Published ports are reached from everywhere, and nothing else is, whether frames pass the IP rules or not.
func TestPublished(t *testing.T) {
	for _, on := range []int{0, 1} {
		t.Run(fmt.Sprintf("br_netfilter %d", on), func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, on)
			a, b, c := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24"), r.guest(t, "dmz0", "10.0.1.10/24")
			for _, host := range []*nettest.Host{a, b} {
				echo(t, host, "0.0.0.0:7")
			}
			h := r.open(t)
			cfg := networks(with(lab(), publishing), dmz())
			web := GuestName{"lab", "web"}
			h.SetGuests(Guests{Names: map[GuestName]netip.Addr{web: netip.MustParseAddr("10.0.0.11")}})
			apply(t, h, cfg)
			inOrder(t, h, cfg)
			for _, port := range []string{"1007", "2007", "3007", "4007"} {
				uplink, gateway := "192.0.2.2:"+port, "10.0.0.1:"+port
				reaches(t, r.lan, uplink, "192.0.2.1")
				reaches(t, c, uplink, "10.0.1.10")
				reaches(t, r.Host, uplink, "192.0.2.2")
				reaches(t, a, uplink, "10.0.0.1")
				reaches(t, b, uplink, "10.0.0.1")
				if port != "4007" {
					reaches(t, a, gateway, "10.0.0.1")
					reaches(t, r.Host, gateway, "10.0.0.1")
				} else {
					unreachable(t, a, gateway)
				}
				unreachable(t, r.Host, "127.0.0.1:"+port)
			}
			// What isn't published, and what is at another port.
			for _, address := range []string{"192.0.2.2:7", "192.0.2.2:1006", "192.0.2.2:2009", "10.0.0.10:7"} {
				unreachable(t, r.lan, address)
			}

			// The guest moves, and takes with it what had begun.
			const port = 4321
			call1 := func(want string) {
				t.Helper()
				nettest.Eventually(t, patience, func() error {
					_, err := call(t, r.lan, "udp4", "192.0.2.2:3007", port, silence)
					return err
				})
				if out := r.Run(t, "conntrack", "-L", "-p", "udp", "--orig-port-src", fmt.Sprint(port)); !strings.Contains(out, "src="+want+" ") {
					t.Errorf("the connection leads not to %s but: %s", want, out)
				}
			}
			call1("10.0.0.11")
			h.ChangeGuests(GuestChanges{Names: map[GuestName]netip.Addr{web: netip.MustParseAddr("10.0.0.10")}})
			call1("10.0.0.10")
			inOrder(t, h, cfg)
			h.ChangeGuests(GuestChanges{Names: map[GuestName]netip.Addr{web: {}}})
			unreachable(t, r.lan, "192.0.2.2:3007")
			if got, err := call(t, r.lan, "udp4", "192.0.2.2:3007", port, silence); err == nil {
				t.Errorf("a connection goes on to a guest that has no address: %s", got)
			}
			// Without the block, nothing is left of it.
			cfg = networks(lab(), dmz())
			apply(t, h, cfg)
			inOrder(t, h, cfg)
			unreachable(t, r.lan, "192.0.2.2:1007")
			if out := r.Run(t, "sh", "-c", "nft list ruleset; ip -d link show tap0"); strings.Contains(out, "publish") || strings.Contains(out, "hairpin on") {
				t.Errorf("left behind:\n%s", out)
			}
		})
	}
}

// What somebody else does to the sets is repaired, and what the daemon says meanwhile arrives.
func TestFollowedSetsAreKept(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "ip", "tuntap", "add", "tap0", "mode", "tap")
	h := r.open(t)
	cfg := configs()["published"]
	card := MAC{2, 0xaa, 0, 0, 0, 0x0a}
	first, second := Binding{"lab", card, netip.MustParseAddr("10.0.0.10")}, Binding{"lab", card, netip.MustParseAddr("10.0.0.12")}
	web := GuestName{"lab", "web"}
	h.SetGuests(Guests{Bindings: map[Binding]bool{first: true}, Names: map[GuestName]netip.Addr{web: first.Addr}})
	apply(t, h, cfg)
	keep(t, h)
	has := func(kind, family, set string, want ...string) error {
		out := r.Run(t, "nft", "list", kind, family, "labnet", set)
		for _, w := range want {
			if text, no := strings.CutPrefix(w, "!"); strings.Contains(out, text) == no {
				return fmt.Errorf("%s: %q in\n%s", set, w, out)
			}
		}
		return nil
	}
	eventually := func(kind, family, set string, want ...string) {
		t.Helper()
		nettest.Eventually(t, patience, func() error { return has(kind, family, set, want...) })
	}
	eventually("set", "bridge", "roaming_lab", "10.0.0.10")
	r.Run(t, "nft", "flush set bridge labnet roaming_lab; flush map inet labnet published_leased")
	eventually("set", "bridge", "roaming_lab", "10.0.0.10")
	eventually("map", "inet", "published_leased", "tcp . 8002 : 10.0.0.10 . 82", "udp . 8000 : 10.0.0.10 . 80")
	// A change that no longer fits what is there.
	r.Run(t, "nft", "flush set bridge labnet roaming_lab; add element bridge labnet roaming_lab { 02:aa:00:00:00:0b . 10.0.0.13 }")
	h.ChangeGuests(GuestChanges{Add: []Binding{second}, Remove: []Binding{first}, Names: map[GuestName]netip.Addr{web: second.Addr}})
	eventually("set", "bridge", "roaming_lab", "10.0.0.12", "!10.0.0.10", "!10.0.0.13")
	eventually("map", "inet", "published_at_leased", "192.0.2.2 . udp . 53 : 10.0.0.12 . 53")
	r.Run(t, "nft", "flush", "ruleset")
	nettest.Eventually(t, patience, func() error {
		if _, err := r.Try("nft", "list", "set", "bridge", "labnet", "roaming_lab"); err != nil {
			return err
		}
		return has("set", "bridge", "roaming_lab", "10.0.0.12", "!10.0.0.10")
	})
	// Another process that knows no guests adopts the tables, and forgets them.
	other := r.open(t)
	inOrder(t, other, cfg)
}

func TestMovedConnections(t *testing.T) {
	a := netip.MustParseAddr
	host := map[netip.Addr]bool{a("192.0.2.2"): true, a("10.0.0.1"): true, a("127.0.0.1"): true}
	moved := movedPorts{}
	moved.note(setElements{table: inetTable, name: published, del: map[string]string{"tcp . 80": "10.0.0.9 . 8080", "udp . 53": "10.0.0.9 . 53"}, add: map[string]string{"tcp . 80": "10.0.0.10 . 8080"}})
	moved.note(setElements{table: inetTable, name: publishedAtLeased, add: map[string]string{"192.0.2.2 . udp . 53": "10.0.0.11 . 53"}})
	moved.note(setElements{table: bridgeTable, name: "guests", add: map[string]string{"tap0": "goto guest_lab"}})
	if len(moved) != 3 {
		t.Errorf("moved: %v", moved)
	}
	const tcp, udp = 6, 17
	for _, c := range []struct {
		name  string
		proto byte
		dst   string
		to    string
		want  bool
	}{
		{"to where the guest was", tcp, "192.0.2.2:80", "10.0.0.9:8080", true},
		{"to where it is", tcp, "192.0.2.2:80", "10.0.0.10:8080", false},
		{"to the host itself", tcp, "10.0.0.1:80", "10.0.0.1:80", true},
		{"by the loopback", tcp, "127.0.0.1:80", "127.0.0.1:80", false},
		{"through the host", tcp, "198.51.100.1:80", "198.51.100.1:80", false},
		{"another port", tcp, "192.0.2.2:81", "10.0.0.9:8080", false},
		{"another protocol", udp, "192.0.2.2:80", "10.0.0.9:8080", false},
		{"no longer published there", udp, "10.0.0.1:53", "10.0.0.9:53", true},
		{"not published there, and not translated", udp, "10.0.0.1:53", "10.0.0.1:53", false},
		{"published at that address", udp, "192.0.2.2:53", "10.0.0.11:53", false},
		{"published at that address since", udp, "192.0.2.2:53", "10.0.0.9:53", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst, to := netip.MustParseAddrPort(c.dst), netip.MustParseAddrPort(c.to)
			got := moved.ended(connection{proto: c.proto, dst: dst.Addr(), dport: dst.Port(), replySrc: to.Addr(), replySport: to.Port()}, host)
			if got != c.want {
				t.Errorf("ended: %v", got)
			}
		})
	}
}
