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

// Sources are looked at where the kernel lets rules ask for routes, and where they have to be, with the same outcome.
func TestSources(t *testing.T) {
	for _, c := range []struct {
		release        string
		several, first bool
	}{{"6.1.0-18-amd64", false, false}, {"6.1.0-18-amd64", true, true}, {"5.10.0-28-amd64", false, true}} {
		t.Run(fmt.Sprintf("%s, several networks %t", c.release, c.several), func(t *testing.T) {
			r := newRouter(t)
			guest := r.guest(t, "tap0", "10.0.0.10/24")
			cfg := networks(lab())
			if c.several {
				cfg = networks(lab(), dmz())
			}
			h := r.open(t)
			h.ns.release = c.release
			apply(t, h, cfg)
			inOrder(t, h, cfg)
			if first := strings.Contains(r.Run(t, "nft", "list", "table", "inet", "labnet"), "hook prerouting priority raw"); first != c.first {
				t.Errorf("they are looked at first: %t", first)
			}
			echo(t, r.lan, "192.0.2.1:7")
			reaches(t, guest, "192.0.2.1:7", "192.0.2.2")
			// Even where the host would take packets in its own name.
			r.Run(t, "sysctl", "-q", "-w", "net.ipv4.conf.all.accept_local=1")
			for from, to := range map[string]string{"198.51.100.7:40000": "192.0.2.1:40000", "10.0.0.1:40000": "192.0.2.2:40000"} {
				guest.Run(t, "ip", "address", "add", netip.MustParseAddrPort(from).Addr().String()+"/32", "dev", "eth0")
				nettest.Eventually(t, patience, func() error {
					before := counter(t, r, "inet", "spoofed")
					say(t, guest, from, to)
					if counter(t, r, "inet", "spoofed") == before {
						return fmt.Errorf("what %s sends to %s isn't counted as forged", from, to)
					}
					return nil
				})
			}
		})
	}
}

// Nobody puts packets into a connection of another network, though connection tracking knows it.
func TestSourcesOfEstablishedConnections(t *testing.T) {
	r := newRouter(t)
	a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "dmz0", "10.0.1.10/24")
	apply(t, r.open(t), networks(lab(), dmz()))
	echo(t, r.lan, "192.0.2.1:7")
	nettest.Eventually(t, patience, func() error {
		_, err := call(t, a, "udp4", "192.0.2.1:7", 40000, silence)
		return err
	})
	b.Run(t, "ip", "address", "add", "10.0.0.10/32", "dev", "eth0")
	nettest.Eventually(t, patience, func() error { // once its port is on the bridge
		say(t, b, "10.0.0.10:40000", "192.0.2.1:7")
		if counter(t, r, "inet", "spoofed") == 0 {
			return errors.New("a guest speaks for one of another network")
		}
		return nil
	})
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

// What guests ask the host is left untracked, unless it comes in pieces, which have to be put together; it arrives either way.
func TestQuestionsAreUntracked(t *testing.T) {
	for _, called := range []int{0, 1} {
		t.Run(fmt.Sprintf("bridge-nf-call-iptables %d", called), func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, called)
			a := r.guest(t, "tap0", "10.0.0.10/24")
			apply(t, r.open(t), networks(lab()))
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
