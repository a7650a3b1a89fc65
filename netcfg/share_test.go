package netcfg

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

func has(text, what string) error {
	if !strings.Contains(text, what) {
		return fmt.Errorf("no %q in %q", what, text)
	}
	return nil
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		max  string
		want shares
	}{
		{"262144", shares{16384, 196608}},
		{"65536", shares{4096, 49152}},
		{"8192", shares{1024, 6144}},
		{"0", shares{4096, 49152}},
		{"", shares{4096, 49152}},
		{"4294967295", shares{268435455, 3221225469}},
		{"none", shares{4096, 49152}},
	} {
		f := &facts{sysctls: map[sysctlKey]string{conntrackMax: c.max}}
		if got := f.shares(); got != c.want {
			t.Errorf("of %q: %d, want %d", c.max, got, c.want)
		}
	}
}

// openMany sends one datagram from each of some ports of a host to each port of another: connections, as far as the router tracks them.
func openMany(t *testing.T, host *nettest.Host, to string, sockets int) {
	t.Helper()
	for range sockets {
		var conn net.PacketConn
		var err error
		host.Do(t, func() { conn, err = net.ListenPacket("udp4", ":0") })
		if err != nil {
			t.Fatal(err)
		}
		for port := 1; port < 65536; port++ {
			if _, err := conn.WriteTo([]byte("?"), &net.UDPAddr{IP: net.ParseIP(to), Port: port}); err != nil && !errors.Is(err, net.ErrClosed) {
				continue // refused
			}
		}
		_ = conn.Close()
	}
}

func tracked(t *testing.T, r *router, args ...string) int {
	t.Helper()
	return strings.Count(r.Run(t, append([]string{"conntrack", "-L"}, args...)...), "\n")
}

// A guest that opens as many connections as it can leaves the others theirs.
func TestAGuestsShareOfConnections(t *testing.T) {
	r := newRouter(t)
	a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
	h := r.open(t)
	apply(t, h, networks(lab()))
	inOrder(t, h, networks(lab()))
	echo(t, r.lan, "0.0.0.0:7")
	most, err := strconv.Atoi(strings.TrimSpace(r.Run(t, "cat", "/proc/sys/net/netfilter/nf_conntrack_max")))
	if err != nil {
		t.Fatal(err)
	}
	share := max(most/shareOf, shareLeast)
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")

	for _, to := range []string{"192.0.2.1", "192.0.2.2"} {
		r.Run(t, "conntrack", "-F")
		var kept net.Conn
		a.Do(t, func() { kept, err = net.DialTimeout("tcp4", "192.0.2.1:7", patience) })
		if err != nil {
			t.Fatal(err)
		}
		sockets := 2 * (share/65535 + 1)
		start := time.Now()
		openMany(t, a, to, sockets)
		taken := time.Since(start)
		entries := tracked(t, r, "-p", "udp", "-s", "10.0.0.10")
		t.Logf("%d datagrams for as many connections to %s in %v: %d tracked, of a share of %d and a table of %d", sockets*65535, to, taken.Round(time.Millisecond), entries, share, most)
		if entries > share {
			t.Errorf("the guest has %d connections to %s, its share is %d", entries, to, share)
		}
		if entries < share/8 {
			t.Errorf("the guest has %d connections to %s only: the test shows nothing", entries, to)
		}
		if counter(t, r, "inet", crowded) == 0 {
			t.Errorf("nothing was refused of what went to %s", to)
		}
		reaches(t, b, "192.0.2.1:7", "192.0.2.2")
		// What it had before, it keeps.
		buffer := make([]byte, 64)
		if n, err := kept.Read(buffer); err != nil || n == 0 {
			t.Errorf("its connection from before: %v", err)
		}
		_ = kept.Close()
	}
	inOrder(t, h, networks(lab()))
}

// The host's own DNS questions are forgotten soon, and whatever else it sends as before.
func TestQuestionsAreRememberedShortly(t *testing.T) {
	r := newRouter(t)
	apply(t, r.open(t), networks(lab()))
	for _, port := range []string{"53", "54"} {
		echo(t, r.lan, "192.0.2.1:"+port)
		for range 20 {
			if _, err := call(t, r.Host, "udp4", "192.0.2.1:"+port, 0, patience); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		for line := range strings.Lines(r.Run(t, "conntrack", "-L", "-p", "udp", "--orig-port-dst", port)) {
			fields := strings.Fields(line)
			if len(fields) < 3 || fields[0] != "udp" {
				continue
			}
			left, err := strconv.Atoi(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if port == "53" && left > questionTimeout {
				t.Errorf("a question is remembered for %d s more", left)
			}
			if port != "53" && left <= questionTimeout {
				t.Errorf("other datagrams are remembered for %d s only", left)
			}
		}
		if seen == 0 && port != "53" {
			t.Error("nothing is tracked: the test shows nothing")
		}
	}
}

// A timeout that someone removed or replaced is made anew.
func TestTimeoutsAreRepaired(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	apply(t, h, networks(lab()))
	r.Run(t, "nft", "flush chain inet labnet questions; delete ct timeout inet labnet question4")
	if got := lines(apply(t, h, networks(lab()))); !strings.Contains(got, "+ ct timeout inet labnet question4") {
		t.Errorf("the missing timeout:\n%s", got)
	}
	inOrder(t, h, networks(lab()))
	r.Run(t, "nft", `flush chain inet labnet questions; delete ct timeout inet labnet question4
		add ct timeout inet labnet question4 { protocol udp; l3proto ip; policy = { unreplied : 77, replied : 77 }; }
		add ct timeout inet labnet mine { protocol udp; l3proto ip; policy = { unreplied : 77, replied : 77 }; }`)
	if got := lines(apply(t, h, networks(lab()))); !strings.Contains(got, "~ table inet labnet") {
		t.Errorf("the changed timeout:\n%s", got)
	}
	inOrder(t, h, networks(lab()))
}

// Guests of every subnet of the network are counted by lot: none is heavy with some hundreds of connections.
func TestHeavyInEverySubnet(t *testing.T) {
	r := newRouter(t)
	a := r.guest(t, "tap0", "10.0.0.10/24")
	a.Run(t, "sh", "-ec", "ip address add 10.7.0.10/24 dev eth0; ip address add 10.9.0.10/24 dev lo")
	apply(t, r.open(t), networks(with(lab(), func(n *Network) {
		n.Secondary = []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24")}
		n.Routes = []Route{{Subnet: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.10")}}
	})))
	echo(t, r.lan, "192.0.2.1:7")
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
	for _, from := range []string{"10.0.0.10", "10.7.0.10", "10.9.0.10"} {
		var conns []net.Conn
		a.Do(t, func() {
			for range 300 {
				c, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}).Dial("udp4", "192.0.2.1:7")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = c.Write([]byte("x"))
				conns = append(conns, c)
			}
		})
		for _, c := range conns {
			_ = c.Close()
		}
		if n := tracked(t, r, "-p", "udp", "-s", from); n < 200 {
			t.Errorf("%s has %d connections", from, n)
		}
	}
	if out := r.Run(t, "nft", "list", "set", "inet", "labnet", "heavy"); strings.Contains(out, "elements") {
		t.Errorf("heavy:\n%s", out)
	}
}
