package netcfg

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// echo answers every datagram and connection at an address of a host with the address that it came from, as the host sees it.
func echo(t *testing.T, host *nettest.Host, address string) {
	t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	var err error
	host.Do(t, func() {
		packets, err = net.ListenPacket("udp4", address)
		if err == nil {
			listener, err = net.Listen("tcp4", address)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = packets.Close(), listener.Close() })
	go func() {
		buffer := make([]byte, 64)
		for {
			_, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo([]byte(from.String()), from)
		}
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(conn.RemoteAddr().String()))
			_ = conn.Close()
		}
	}()
}

// call asks an echo and returns what it says; sourcePort 0 leaves the choice to the kernel.
func call(t *testing.T, host *nettest.Host, network, address string, sourcePort int, wait time.Duration) (string, error) {
	t.Helper()
	var conn net.Conn
	var err error
	host.Do(t, func() {
		d := net.Dialer{Timeout: wait}
		d.LocalAddr = &net.UDPAddr{Port: sourcePort}
		if network == "tcp4" {
			d.LocalAddr = &net.TCPAddr{Port: sourcePort}
		}
		conn, err = d.Dial(network, address)
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	question := ""
	if network == "udp4" {
		question = "?"
	}
	return exchange(conn, question, wait)
}

// exchange says something, unless it is nothing, and returns what it hears.
func exchange(conn net.Conn, question string, wait time.Duration) (string, error) {
	if question != "" {
		if _, err := conn.Write([]byte(question)); err != nil {
			return "", err
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	buffer := make([]byte, 64)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}

// silence is how long a test waits for what must not come; what must come is waited for with patience.
const silence = 700 * time.Millisecond

func reaches(t *testing.T, host *nettest.Host, address, seenAs string) {
	t.Helper()
	for _, network := range []string{"udp4", "tcp4"} {
		var got string
		nettest.Eventually(t, patience, func() (err error) {
			got, err = call(t, host, network, address, 0, silence)
			return err
		})
		if from, _, _ := net.SplitHostPort(got); from != seenAs {
			t.Errorf("%s over %s is seen as %q, not %q", address, network, from, seenAs)
		}
	}
}

func unreachable(t *testing.T, host *nettest.Host, address string) {
	t.Helper()
	for _, network := range []string{"udp4", "tcp4"} {
		if got, err := call(t, host, network, address, 0, silence); err == nil {
			t.Errorf("%s is reached over %s, and sees %q", address, network, got)
		}
	}
}

// refuses checks for the ICMP answer: a refusal that can be told from a loss.
func refuses(t *testing.T, host *nettest.Host, address string) {
	t.Helper()
	start := time.Now()
	_, err := call(t, host, "tcp4", address, 0, patience)
	if err == nil || time.Since(start) >= patience {
		t.Errorf("%s isn't refused but: %v", address, err)
	}
	out, _ := host.Try("ping", "-c1", "-W5", strings.Split(address, ":")[0])
	if !strings.Contains(out, "Packet filtered") {
		t.Errorf("no ICMP administratively prohibited from %s:\n%s", address, out)
	}
}

// counter reads a named counter of our tables.
func counter(t *testing.T, r *router, family, name string) int {
	t.Helper()
	out := strings.Fields(r.Run(t, "nft", "list", "counter", family, "labnet", name))
	for i, word := range out {
		if word == "packets" {
			n, err := strconv.Atoi(out[i+1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no counter in %q", out)
	return 0
}

func bridgeNetfilter(t *testing.T, r *router, on int) {
	t.Helper()
	key := "net.bridge.bridge-nf-call-iptables"
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		t.Log("this kernel has no br_netfilter; the case runs without")
		return
	}
	r.Run(t, "sysctl", "-q", "-w", fmt.Sprintf("%s=%d", key, on))
}

func TestRouted(t *testing.T) {
	for _, on := range []int{0, 1} {
		t.Run(fmt.Sprintf("br_netfilter %d", on), func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, on)
			a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
			c := r.guest(t, "dmz0", "10.0.1.10/24")
			h := r.open(t)
			apply(t, h, networks(lab(), dmz()))
			r.lan.Run(t, "ip", "route", "add", "10.0.0.0/23", "via", "192.0.2.2")
			for _, host := range []*nettest.Host{r.lan, a, b, c} {
				echo(t, host, "0.0.0.0:7")
			}

			reaches(t, a, "192.0.2.1:7", "192.0.2.2")
			reaches(t, c, "192.0.2.1:7", "192.0.2.2")
			a.Run(t, "ping", "-c1", "-W5", "192.0.2.1")
			reaches(t, a, "10.0.0.11:7", "10.0.0.10")
			reaches(t, r.Host, "10.0.0.10:7", "10.0.0.1")

			refuses(t, r.lan, "10.0.0.10:7")
			unreachable(t, r.lan, "10.0.0.10:7")
			refuses(t, a, "10.0.1.10:7")
			unreachable(t, c, "10.0.0.10:7")
			for _, name := range []string{"refused_in", "kept_apart", "masqueraded"} {
				if counter(t, r, "inet", name) == 0 {
					t.Errorf("counter %s counted nothing", name)
				}
			}

			// A low port is not for guests: servers take it for root's on the host.
			for _, network := range []string{"udp4", "tcp4"} {
				got, err := call(t, a, network, "192.0.2.1:7", 700, patience)
				if err != nil {
					t.Fatal(err)
				}
				if ap := netip.MustParseAddrPort(got); ap.Port() < 1024 {
					t.Errorf("over %s the LAN sees port %d", network, ap.Port())
				}
			}
		})
	}
}

func TestConnectionsSurviveChanges(t *testing.T) {
	r := newRouter(t)
	a := r.guest(t, "tap0", "10.0.0.10/24")
	h := r.open(t)
	apply(t, h, networks(lab()))
	echo(t, r.lan, "0.0.0.0:7")
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
	masqueraded := counter(t, r, "inet", "masqueraded")
	index := r.Run(t, "cat", "/sys/class/net/br0/ifindex")

	apply(t, h, networks(lab(), dmz()))
	apply(t, h, networks(with(lab(), func(n *Network) { n.DNSClients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })))
	if got := counter(t, r, "inet", "masqueraded"); got < masqueraded {
		t.Errorf("a change of other things set the counter back from %d to %d", masqueraded, got)
	}
	if got := r.Run(t, "cat", "/sys/class/net/br0/ifindex"); got != index {
		t.Errorf("the bridge was made anew: index %s, was %s", got, index)
	}
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
}

func TestMasqueradeOff(t *testing.T) {
	r := newRouter(t)
	a := r.guest(t, "tap0", "10.0.0.10/24")
	apply(t, r.open(t), configs()["masquerade_off"])
	r.lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", "192.0.2.2")
	echo(t, r.lan, "0.0.0.0:7")
	echo(t, a, "0.0.0.0:7")
	reaches(t, a, "192.0.2.1:7", "10.0.0.10")
	reaches(t, r.lan, "10.0.0.10:7", "192.0.2.1")
}

// secondLAN joins another LAN to the router by eth1: 198.51.100.2, with a peer 198.51.100.1.
func (r *router) secondLAN(t *testing.T) *nettest.Host {
	t.Helper()
	other := nettest.NewHost(t, "other")
	nettest.Link(t, r.Host, "eth1", other, "eth0")
	r.Run(t, "ip", "address", "add", "198.51.100.2/24", "dev", "eth1")
	other.Run(t, "ip", "address", "add", "198.51.100.1/24", "dev", "eth0")
	other.Run(t, "ip", "route", "add", "default", "via", "198.51.100.2")
	r.lan.Run(t, "ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.2")
	return other
}

func TestForwardsNothingElse(t *testing.T) {
	r := newRouter(t)
	other := r.secondLAN(t)
	echo(t, r.lan, "0.0.0.0:7")
	echo(t, other, "0.0.0.0:7")
	a := r.guest(t, "tap0", "10.0.0.10/24")
	h := r.open(t)
	closed := func() {
		t.Helper()
		unreachable(t, r.lan, "198.51.100.1:7")
		unreachable(t, other, "192.0.2.1:7")
	}
	closed()
	apply(t, h, networks(lab()))
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
	closed()
	if counter(t, r, "inet", "not_forwarded") == 0 {
		t.Error("the firewall had nothing to close: the test shows nothing")
	}

	// Someone makes the host a router meanwhile: that is theirs to decide, and stays after us.
	r.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	apply(t, h, networks(lab()))
	reaches(t, r.lan, "198.51.100.1:7", "192.0.2.1")
	down(t, h)
	reaches(t, r.lan, "198.51.100.1:7", "192.0.2.1")
}

func TestForwardsWhatItDidBefore(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	other := r.secondLAN(t)
	echo(t, r.lan, "0.0.0.0:7")
	echo(t, other, "0.0.0.0:7")
	apply(t, r.open(t), networks(lab()))
	reaches(t, r.lan, "198.51.100.1:7", "192.0.2.1")
	reaches(t, other, "192.0.2.1:7", "198.51.100.1")
}

func TestNamedUplink(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	other := r.secondLAN(t)
	other.Run(t, "ip", "route", "replace", "10.0.0.0/24", "via", "198.51.100.2")
	a := r.guest(t, "tap0", "10.0.0.10/24")
	for _, host := range []*nettest.Host{r.lan, other, a} {
		echo(t, host, "0.0.0.0:7")
	}
	apply(t, r.open(t), configs()["named_uplink"])
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
	refuses(t, a, "198.51.100.1:7")
	refuses(t, other, "10.0.0.10:7")
}

func TestQuestionsByTheWrongWay(t *testing.T) {
	r := newRouter(t)
	a, c := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "dmz0", "10.0.1.10/24")
	r.lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", "192.0.2.2")
	h := r.open(t)
	apply(t, h, networks(lab(), dmz()))
	echo(t, r.Host, "10.0.0.1:53")
	echo(t, r.Host, "10.0.0.1:80")
	reaches(t, a, "10.0.0.1:53", "10.0.0.10")
	reaches(t, r.Host, "10.0.0.1:53", "10.0.0.1")
	reaches(t, r.lan, "10.0.0.1:80", "192.0.2.1")
	unreachable(t, r.lan, "10.0.0.1:53")
	unreachable(t, c, "10.0.0.1:53")
	if out := r.Run(t, "conntrack", "-L", "-p", "udp", "-s", "10.0.0.10", "-d", "10.0.0.1"); strings.Contains(out, "dport=53") {
		t.Errorf("a guest's question to the host is tracked:\n%s", out)
	}
	if out := r.Run(t, "conntrack", "-L", "-p", "udp", "-s", "10.0.0.1", "-d", "10.0.0.10"); strings.Contains(out, "sport=53") {
		t.Errorf("the answer to a guest is tracked:\n%s", out)
	}

	apply(t, h, networks(with(lab(), func(n *Network) { n.DNSClients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }), dmz()))
	reaches(t, r.lan, "10.0.0.1:53", "192.0.2.1")
	unreachable(t, c, "10.0.0.1:53")
}

func TestSpoofedSource(t *testing.T) {
	for _, guard := range []Guard{GuardSubnet, GuardOff} {
		r := newRouter(t)
		a := r.guest(t, "tap0", "10.0.0.10/24")
		a.Run(t, "ip", "address", "add", "203.0.113.9/32", "dev", "lo")
		h := r.open(t)
		apply(t, h, networks(with(lab(), func(n *Network) { n.Guard = guard })))
		spoof := func() error {
			_, err := a.Try("ping", "-c1", "-W1", "-I", "203.0.113.9", "192.0.2.1")
			return err
		}
		r.lan.Run(t, "ip", "route", "add", "203.0.113.9", "via", "192.0.2.2")
		r.lan.Run(t, "nft", "add table inet seen; add chain inet seen c { type filter hook input priority 0; }; add counter inet seen spoofed; add rule inet seen c ip saddr 203.0.113.9 counter name spoofed")
		seen := func() bool {
			return !strings.Contains(r.lan.Run(t, "nft", "list", "counter", "inet", "seen", "spoofed"), "packets 0 ")
		}
		if err := spoof(); err == nil {
			t.Error("a source that the host has no route to was answered")
		}
		if guard == GuardOff {
			nettest.Eventually(t, patience, func() error {
				_ = spoof()
				if !seen() {
					return errors.New("without the guard the LAN should see it: the test shows nothing")
				}
				return nil
			})
			continue
		}
		if seen() || counter(t, r, "bridge", "spoofed") == 0 {
			t.Error("a spoofed source wasn't stopped")
		}
		// A subnet behind a guest that the host has a route to isn't spoofed, as soon as the route is seen.
		keep(t, h)
		r.Run(t, "ip", "route", "add", "203.0.113.9", "via", "10.0.0.10")
		nettest.Eventually(t, patience, func() error { return spoof() })
	}
}

// TCP of guests fits what the uplink carries, also when that changes, and is left alone where nothing carries less.
func TestFitsTCP(t *testing.T) {
	r := newRouter(t)
	g := r.guest(t, "tap0", "10.0.0.10/24")
	h := r.open(t)
	apply(t, h, networks(lab()))
	keep(t, h)
	echo(t, r.lan, "192.0.2.1:7")
	for _, c := range []struct{ change, want string }{
		{"true", "mss 1460"},
		{"ip link set eth0 mtu 1400", "mss 1360"},
		{"ip link set eth0 mtu 1500", "mss 1460"},
		{"ip route replace 192.0.2.1/32 dev eth0 mtu 1300", "mss 1260"},
	} {
		r.Run(t, "sh", "-ec", c.change)
		nettest.Eventually(t, patience, func() error {
			_, out := r.lan.Start(t, "timeout", "5", "tcpdump", "-lnvi", "eth0", "-c1", "tcp[tcpflags] == tcp-syn")
			nettest.Eventually(t, patience, func() error { return has(out(), "listening on") })
			reaches(t, g, "192.0.2.1:7", "192.0.2.2")
			nettest.Eventually(t, patience, func() error { return has(out(), "mss ") })
			return has(out(), c.want)
		})
	}
}
