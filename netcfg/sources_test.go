package netcfg

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// Nobody speaks for others from a guest's port, not even in a connection that tracking knows: of the host, of its own network or of another.
func TestSources(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{
		{"one network", networks(lab())},
		{"several", networks(lab(), dmz())},
		{"with subnets behind guests", networks(with(lab(), func(n *Network) {
			n.Routes = []Route{{Subnet: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.2")}}
		}))},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			guest, other := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "dmz0", "10.0.1.10/24")
			h := r.open(t)
			apply(t, h, c.cfg)
			inOrder(t, h, c.cfg)
			echo(t, r.lan, "192.0.2.1:7")
			reaches(t, guest, "192.0.2.1:7", "192.0.2.2")
			for _, from := range []*nettest.Host{r.Host, guest} {
				nettest.Eventually(t, patience, func() error {
					_, err := call(t, from, "udp4", "192.0.2.1:7", 40000, silence)
					return err
				})
			}
			r.Run(t, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.br0.rp_filter=0")
			forgeries := []struct {
				by           *nettest.Host
				from, to     string
				family, name string
			}{
				{guest, "198.51.100.7:40000", "192.0.2.1:40000", "bridge", "spoofed"},
				{guest, "192.0.2.1:7", "192.0.2.2:40000", "bridge", "spoofed"}, // into the host's own connection
				{guest, "10.0.0.1:40000", "192.0.2.2:40000", "bridge", "impostor"},
			}
			if len(c.cfg.Networks) > 1 {
				forgeries = append(forgeries, forgeries[0])
				forgeries[3].by, forgeries[3].from, forgeries[3].to = other, "10.0.0.10:40000", "192.0.2.1:7"
			}
			for _, f := range forgeries {
				f.by.Run(t, "ip", "address", "replace", netip.MustParseAddrPort(f.from).Addr().String()+"/32", "dev", "eth0")
				nettest.Eventually(t, patience, func() error { // once its port is on the bridge
					before := counter(t, r, f.family, f.name)
					say(t, f.by, f.from, f.to)
					if counter(t, r, f.family, f.name) == before {
						return fmt.Errorf("what %s says as %s to %s isn't counted as %s", f.by.Name, f.from, f.to, f.name)
					}
					return nil
				})
				f.by.Run(t, "ip", "address", "delete", netip.MustParseAddrPort(f.from).Addr().String()+"/32", "dev", "eth0")
			}
		})
	}
}

// say sends a datagram.
func say(t *testing.T, host *nettest.Host, from, to string) {
	t.Helper()
	var err error
	host.Do(t, func() {
		var conn *net.UDPConn
		conn, err = net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		if err == nil {
			_, err = conn.Write([]byte("hello"))
			_ = conn.Close()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What guests ask the host is left untracked, unless it comes in pieces, which have to be put together; it arrives either way, and so from
// the ports of an adopted bridge that aren't guests.
func TestQuestionsAreUntracked(t *testing.T) {
	for _, called := range []int{0, 1} {
		for _, adopted := range []bool{false, true} {
			t.Run(fmt.Sprintf("bridge-nf-call-iptables %d, adopted %t", called, adopted), func(t *testing.T) {
				r := newRouter(t)
				bridgeNetfilter(t, r, called)
				n := lab()
				a := r.guest(t, "tap0", "10.0.0.10/24")
				if adopted {
					n.Adopt, n.Attach = true, []string{"none*"}
					r.Run(t, "sh", "-c", "ip link add br0 type bridge; ip link set br0 up; ip link set tap0 master br0 up")
				}
				apply(t, r.open(t), networks(n))
				echo(t, r.Host, "10.0.0.1:53")
				ask := func(length int) (err error) {
					var conn net.Conn
					a.Do(t, func() { conn, err = net.Dial("udp4", "10.0.0.1:53") })
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = conn.Close() }()
					_, err = exchange(conn, strings.Repeat("?", length), silence)
					return err
				}
				nettest.Eventually(t, patience, func() error { return ask(20) })
				if n := tracked(t, r, "-p", "udp", "-s", "10.0.0.10"); n != 0 {
					t.Errorf("%d questions are tracked", n)
				}
				if err := ask(4000); err != nil {
					t.Errorf("a question in pieces: %v", err)
				}
			})
		}
	}
}

// What someone routes by our bridge is let be, as soon as it is: whoever is behind a guest is answered, and nobody else may speak for him.
func TestRoutesByHand(t *testing.T) {
	r := newRouter(t)
	guest := r.guest(t, "tap0", "10.0.0.10/24")
	h := r.open(t)
	apply(t, h, networks(lab()))
	keep(t, h)
	r.lan.Run(t, "ip", "route", "add", "10.8.0.0/16", "via", "192.0.2.2")
	echo(t, r.lan, "192.0.2.1:7")
	reaches(t, guest, "192.0.2.1:7", "192.0.2.2")
	guest.Run(t, "ip", "address", "add", "10.8.0.5/32", "dev", "eth0")
	behind := func() error {
		var conn net.Conn
		var err error
		guest.Do(t, func() {
			conn, err = (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(10, 8, 0, 5)}}).Dial("udp4", "192.0.2.1:7")
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, err = exchange(conn, "hello", silence)
		return err
	}
	if behind() == nil {
		t.Error("a source that isn't routed back is answered")
	}
	r.Run(t, "ip", "route", "add", "10.8.0.0/16", "via", "10.0.0.10")
	nettest.Eventually(t, patience, behind)
	spoofed := counter(t, r, "inet", "spoofed")
	guest.Run(t, "ip", "address", "add", "192.0.2.1/32", "dev", "eth0")
	r.Run(t, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.br0.rp_filter=0")
	say(t, guest, "192.0.2.1:9", "192.0.2.2:9")
	if n := counter(t, r, "inet", "spoofed"); n != spoofed+1 {
		t.Errorf("%d packets from an address of the LAN's are dropped, want 1", n-spoofed)
	}
	guest.Run(t, "ip", "address", "delete", "192.0.2.1/32", "dev", "eth0")
	r.Run(t, "ip", "route", "delete", "10.8.0.0/16")
	nettest.Eventually(t, patience, func() error {
		if behind() == nil {
			return errors.New("what was behind the guest is still answered")
		}
		return nil
	})
	reaches(t, guest, "192.0.2.1:7", "192.0.2.2")

	// And so with IPv6, of which the host is nothing that labnet made.
	guest.Run(t, "sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_dad=0")
	guest.Run(t, "ip", "address", "add", "fd00::5/64", "dev", "eth0")
	r.Run(t, "ip", "address", "add", "fd00::1/64", "dev", "br0", "nodad")
	nettest.Eventually(t, patience, func() error {
		_, err := guest.Try("ping", "-c1", "-W1", "fd00::1")
		return err
	})
}

// Among themselves guests may use whichever addresses they like, whether or not the host shows its rules what a bridge passes.
func TestOtherSubnetsAmongGuests(t *testing.T) {
	for _, called := range []int{0, 1} {
		t.Run(fmt.Sprintf("bridge-nf-call-iptables %d", called), func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, called)
			a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
			apply(t, r.open(t), networks(lab()))
			a.Run(t, "ip", "address", "add", "192.168.77.1/24", "dev", "eth0")
			b.Run(t, "ip", "address", "add", "192.168.77.2/24", "dev", "eth0")
			echo(t, b, "192.168.77.2:7")
			for _, network := range []string{"udp4", "tcp4"} {
				nettest.Eventually(t, patience, func() error {
					_, err := call(t, a, network, "192.168.77.2:7", 0, silence)
					return err
				})
			}
		})
	}
}

// Nothing comes of a packet in another's name, not even an error to him: the host doesn't route it. rp_filter, which most distributions turn on,
// would hide that.
func TestNoErrorsForSpoofers(t *testing.T) {
	for name, c := range map[string]struct {
		prepare string
		ping    []string
		isolate bool
	}{
		"time exceeded":          {"true", []string{"-t1", "203.0.113.5"}, false},
		"fragmentation needed":   {"ip link set eth0 mtu 1300", []string{"-Mdo", "-s1400", "203.0.113.5"}, false},
		"unreachable":            {"ip route add unreachable 203.0.113.0/24", []string{"203.0.113.5"}, false},
		"a guest that is apart":  {"true", []string{"10.0.0.11"}, true},
		"a guest by the gateway": {"true", []string{"10.0.0.11"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t)
			a := r.guest(t, "tap0", "10.0.0.10/24")
			b := r.guest(t, "tap1", "10.0.0.11/24")
			apply(t, r.open(t), networks(with(lab(), func(n *Network) { n.Isolate = c.isolate })))
			echo(t, r.lan, "192.0.2.1:7")
			reaches(t, a, "192.0.2.1:7", "192.0.2.2")
			r.Run(t, "sh", "-ec", "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.br0.rp_filter=0; "+c.prepare)
			for _, h := range []*nettest.Host{r.lan, b} {
				h.Run(t, "nft", "add table inet seen; add counter inet seen any; add chain inet seen c { type filter hook prerouting priority -300; }; add rule inet seen c meta l4proto icmp ip saddr != 10.0.0.10 counter name any")
			}
			a.Run(t, "sh", "-ec", "ip address add 192.0.2.1/32 dev lo; ip route add 10.0.0.11/32 via 10.0.0.1")
			before := counter(t, r, "bridge", "spoofed")
			_, _ = a.Try(append([]string{"ping", "-c1", "-W1", "-I", "192.0.2.1"}, c.ping...)...)
			if counter(t, r, "bridge", "spoofed") == before {
				t.Error("nothing was dropped")
			}
			for _, h := range []*nettest.Host{r.lan, b} {
				if out := h.Run(t, "nft", "list", "counter", "inet", "seen", "any"); !strings.Contains(out, "packets 0 ") {
					t.Errorf("%s got something of it:\n%s", h.Name, out)
				}
			}
		})
	}
}

// What someone has made on our bridge works as if labnet weren't there.
func TestOthersOnTheBridge(t *testing.T) {
	for name, c := range map[string]struct{ host, guest string }{
		"macvlan": {"ip link add link br0 name on0 type macvlan mode bridge; ip address add 10.50.0.1/24 dev on0; sysctl -qw net.ipv4.conf.br0.arp_ignore=1", "ip address add 10.50.0.10/24 dev eth0"},
		"peer":    {"ip address add 10.0.0.1 peer 10.50.0.10/32 dev br0; ip link add on0 type bridge", "ip address add 10.50.0.10/32 dev eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 0)
			guest := r.guest(t, "tap0", "10.0.0.10/24")
			h := r.open(t)
			apply(t, h, networks(with(lab(), func(n *Network) { n.Services = true })))
			keep(t, h)
			echo(t, r.lan, "192.0.2.1:7")
			reaches(t, guest, "192.0.2.1:7", "192.0.2.2")
			r.Run(t, "sh", "-ec", c.host+"; ip link set on0 up; nft 'add table inet op; add chain inet op in { type filter hook input priority 10; }; add rule inet op in ip saddr 10.50.0.10 ct state != established drop'")
			guest.Run(t, "sh", "-ec", c.guest)
			echo(t, guest, "10.50.0.10:7")
			nettest.Eventually(t, patience, func() error {
				_, err := call(t, r.Host, "tcp4", "10.50.0.10:7", 0, silence)
				return err
			})
		})
	}
}

// Kernels without VLANs can't try them.
func TestWhatStandsOnTheBridge(t *testing.T) {
	bridge := link{index: 5, name: "br0", kind: "bridge"}
	for name, c := range map[string]struct {
		more facts
		want bool
	}{
		"nothing":                    {facts{}, false},
		"a port":                     {facts{links: []link{{index: 6, name: "tap0", kind: "veth", master: 5, lower: 9}}}, false},
		"a VLAN":                     {facts{links: []link{{index: 6, name: "br0.100", kind: "vlan", lower: 5}}}, true},
		"its own route":              {facts{routes: []route{{dst: lab().Address.Masked(), links: []int{5}}}}, false},
		"a part of it":               {facts{routes: []route{{dst: netip.MustParsePrefix("10.0.0.128/25"), links: []int{5}}}}, false},
		"a route of more":            {facts{routes: []route{{dst: netip.MustParsePrefix("10.0.0.0/16"), links: []int{5}}}}, true},
		"the default route":          {facts{routes: []route{defaultRoute(5)}}, true},
		"a route by another":         {facts{routes: []route{defaultRoute(7)}}, false},
		"IPv6":                       {facts{routed6: map[int]bool{5: true}}, true},
		"an address that is removed": {facts{addresses: []linkAddress{{link: 5, prefix: netip.MustParsePrefix("10.7.0.1/24"), protocol: addressProtocol}}, routes: []route{{dst: netip.MustParsePrefix("10.7.0.0/24"), links: []int{5}}}}, false},
	} {
		f := c.more
		f.links = append(f.links, bridge)
		if got := f.looksFirst(networks(lab()), lab()); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A port that someone put on our bridge while labnet wasn't there doesn't speak into the host's connections either, nor as the gateway.
func TestSourcesOfUnseenPorts(t *testing.T) {
	for _, cfg := range []Config{networks(lab()), networks(lab(), dmz())} {
		r := newRouter(t)
		guest := r.guest(t, "vnet7", "10.0.0.10/24")
		apply(t, r.open(t), cfg)
		r.Run(t, "sh", "-ec", "ip link set vnet7 master br0 up; sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.br0.rp_filter=0")
		echo(t, r.lan, "192.0.2.1:7")
		reaches(t, guest, "192.0.2.1:7", "192.0.2.2")
		var conn net.Conn
		var err error
		r.Do(t, func() { conn, err = net.Dial("udp4", "192.0.2.1:7") })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exchange(conn, "hello", patience); err != nil {
			t.Fatal(err)
		}
		guest.Run(t, "ip", "address", "add", "192.0.2.1/32", "dev", "eth0")
		say(t, guest, "192.0.2.1:7", conn.LocalAddr().String())
		if got, err := exchange(conn, "", silence); err == nil || counter(t, r, "bridge", "spoofed") == 0 {
			t.Errorf("the guest spoke into the host's connection: %q", got)
		}
		_ = conn.Close()
	}
}
