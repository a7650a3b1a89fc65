package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

const bridgedConfig = `network "lan" {
  mode = "bridged"
  uplink {
    interface = "eth0"
  }
  bridge {
    attach = ["vm*"]
  }
}
`

// sortedRoutes is a dump with the routes in an order of their own: where several lead to one destination, the kernel lists them as
// they were made.
func sortedRoutes(dump hostdump.Dump) hostdump.Dump {
	out := slices.Clone(dump)
	for i := range out {
		if !strings.Contains(out[i], "route show") {
			continue
		}
		end := i + 1
		for end < len(out) && !strings.HasPrefix(out[end], "# ") {
			end++
		}
		slices.Sort(out[i+1 : end])
	}
	return out
}

// newBridgedLab is a LAN with dnsmasq, and a host with IPv4 and IPv6 on it, where an old TCP session from the LAN goes on.
func newBridgedLab(t *testing.T, config string) (l *lab, s *session) {
	t.Helper()
	l = newLabWithoutDNS(t)
	l.lan.Run(t, "ip", "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
	l.router.Run(t, "sh", "-ec", "ip address add 2001:db8::2/64 dev eth0 nodad; ip -6 route add default via 2001:db8::1; sysctl -qw net.ipv6.conf.eth0.accept_ra=0")
	l.configure(t, config)
	return l, openSession(t, l)
}

// session is a TCP connection from the LAN to an echo on the host.
type session struct {
	conn     net.Conn
	reader   *bufio.Reader
	sentence int
}

func openSession(t *testing.T, l *lab) *session {
	t.Helper()
	var listener net.Listener
	l.router.Do(t, func() {
		var err error
		if listener, err = net.Listen("tcp4", uplinkAddr+":2200"); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(conn)
		}
	}()
	return dialSession(t, l)
}

func dialSession(t *testing.T, l *lab) *session {
	t.Helper()
	s := &session{}
	l.lan.Do(t, func() {
		var err error
		// By its address: no goroutine that opens sockets elsewhere.
		if s.conn, err = net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.ParseIP(uplinkAddr), Port: 2200}); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = s.conn.Close() })
	s.reader = bufio.NewReader(s.conn)
	return s
}

func echo(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := conn.Write([]byte(line)); err != nil {
			return
		}
	}
}

// lives says something over the session, and hears it again.
func (s *session) lives(t *testing.T, when string) {
	t.Helper()
	s.sentence++
	want := fmt.Sprintf("sentence %d\n", s.sentence)
	if err := s.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.Write([]byte(want)); err != nil {
		t.Fatalf("%s the session is dead: %v", when, err)
	}
	if got, err := s.reader.ReadString('\n'); err != nil || got != want {
		t.Fatalf("%s the session is dead: %q, %v", when, got, err)
	}
}

// ssh is what sshd would say of the session in its environment.
func (s *session) ssh() string {
	client, server := s.conn.LocalAddr().(*net.TCPAddr), s.conn.RemoteAddr().(*net.TCPAddr)
	return fmt.Sprintf("SSH_CONNECTION=%s %d %s %d", client.IP, client.Port, server.IP, server.Port)
}

// apply moves the uplink and returns the token.
func (l *lab) apply(t *testing.T, args ...string) string {
	t.Helper()
	var answer struct {
		Pending struct{ Token, Uplink, Bridge string }
	}
	text := l.labnet(t, append([]string{"apply", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Pending.Token == "" || answer.Pending.Uplink != "eth0" {
		t.Fatalf("apply: %v\n%s", err, text)
	}
	return answer.Pending.Token
}

func (l *lab) onBridge(t *testing.T) error {
	t.Helper()
	out := l.router.Run(t, "ip", "-4", "-o", "address", "show")
	if !strings.Contains(out, "br0    inet "+uplinkAddr) {
		return fmt.Errorf("the address isn't on br0:\n%s", out)
	}
	return nil
}

func (l *lab) offBridge(t *testing.T) error {
	t.Helper()
	if out := l.router.Run(t, "ip", "-o", "link", "show"); strings.Contains(out, "br0") {
		return fmt.Errorf("there is still a br0:\n%s", out)
	}
	return nil
}

func TestBridgedUnconfirmedGoesBack(t *testing.T) {
	nettest.NeedRoot(t)
	for _, how := range []string{"by time", "by time, the daemon killed", "by rollback", "by rollback, the daemon killed", "by down"} {
		t.Run(how, func(t *testing.T) {
			l, s := newBridgedLab(t, bridgedConfig)
			before := sortedRoutes(settled(t, l.router))
			d, _ := l.start(t)
			if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
				t.Fatalf("run has changed the host:\n%s", diff)
			}
			if out := l.labnet(t, "status"); !strings.Contains(out, "pending: labnet apply") {
				t.Errorf("the status doesn't say what is pending:\n%s", out)
			}
			if out, _ := l.tryLabnet(t, "plan"); !strings.Contains(out, "pending: labnet apply") {
				t.Errorf("the plan doesn't say what is pending:\n%s", out)
			}
			window := "10s"
			if !strings.HasPrefix(how, "by time") {
				window = "10m"
			}
			l.apply(t, "--confirm-within", window)
			if err := l.onBridge(t); err != nil {
				t.Fatal(err)
			}
			s.lives(t, "after the move")
			if out, err := l.tryLabnet(t, "apply"); err == nil || !strings.Contains(out, "waits to be confirmed already") {
				t.Errorf("a second change: %v\n%s", err, out)
			}
			// What others make meanwhile stays.
			l.router.Run(t, "sh", "-ec", `ip link add own type bridge; ip route add 198.51.100.0/24 via `+lanAddr+`
				ip address add 192.0.2.77/24 dev br0; ip address add 203.0.113.9/32 dev lo; ip rule add from 203.0.113.9 table 99
				sysctl -qw net.ipv4.conf.lo.log_martians=1`)
			if strings.Contains(how, "killed") {
				l.stop(t, d, syscall.SIGKILL)
			}
			switch {
			case strings.HasPrefix(how, "by rollback"):
				if out := l.labnet(t, "rollback"); !strings.Contains(out, "it is what it was before") {
					t.Errorf("rollback says:\n%s", out)
				}
			case how == "by down":
				l.labnet(t, "down")
			}
			nettest.Eventually(t, time.Minute, func() error { return l.offBridge(t) })
			s.lives(t, "after the way back")
			l.router.Run(t, "sh", "-ec", `ip link del own; ip route del 198.51.100.0/24 via `+lanAddr+` dev eth0
				ip address del 192.0.2.77/24 dev eth0; ip address del 203.0.113.9/32 dev lo; ip rule del from 203.0.113.9 table 99
				test "$(sysctl -n net.ipv4.conf.lo.log_martians)" = 1; sysctl -qw net.ipv4.conf.lo.log_martians=0`)
			if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
				t.Errorf("the host isn't what it was:\n%s", diff)
			}
			if how == "by time" || how == "by rollback" {
				nettest.Eventually(t, limit, func() error { return contains(d.output(), "went back") })
				if out := l.labnet(t, "status"); !strings.Contains(out, "went back at") {
					t.Errorf("the status doesn't say that it went back:\n%s", out)
				}
			}
		})
	}
}

func TestBridgedConfirmedStays(t *testing.T) {
	nettest.NeedRoot(t)
	l, s := newBridgedLab(t, bridgedConfig)
	before := sortedRoutes(settled(t, l.router))
	d, _ := l.start(t)
	token := l.apply(t)
	confirm := func(from string, args ...string) (string, error) {
		return l.router.Try(append([]string{"env", from}, l.args(t, append([]string{"confirm"}, args...)...)...)...)
	}
	fresh := dialSession(t, l)
	fresh.lives(t, "on the bridge")
	for _, refused := range []struct{ from, token, want string }{
		{s.ssh(), token, "older than the change"},
		{"SSH_CONNECTION=", token, "isn't a session from outside"},
		{"SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22", token, "none of the host's now"},
		{"SSH_CONNECTION=127.0.0.1 5555 127.0.0.1 22", token, "from the host itself"},
		{"SSH_CONNECTION=nonsense", token, "can't be understood"},
		{fresh.ssh(), "WRONG", "not the token"},
	} {
		if out, err := confirm(refused.from, refused.token); err == nil || !strings.Contains(out, refused.want) {
			t.Errorf("confirmed from %s: %v\n%s", refused.from, err, out)
		}
	}
	if out, err := confirm(fresh.ssh(), token); err != nil || !strings.Contains(out, "confirmed: br0 keeps what eth0 had") {
		t.Fatalf("over a new connection: %v\n%s", err, out)
	}
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "is confirmed") })
	if out, err := l.tryLabnet(t, "rollback"); err == nil || !strings.Contains(out, "nothing waits to be confirmed") {
		t.Errorf("a rollback of what is confirmed: %v\n%s", err, out)
	}
	if out := l.labnet(t, "plan"); out != "" {
		t.Errorf("the plan isn't empty:\n%s", out)
	}

	// A guest is a machine of the LAN.
	l.lan.Start(t, "dnsmasq", "--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--leasefile-ro", "--pid-file=", "--user=root",
		"--interface=eth0", "--dhcp-range=192.0.2.100,192.0.2.150,12h")
	g := l.newGuest(t, "guest", "vm1")
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ip", "-o", "link", "show", "vm1"), "master br0") })
	g.udhcpc(t)
	if addr := g.leased(t)["address"]; !strings.HasPrefix(addr, "192.0.2.1") {
		t.Errorf("the guest leases %q", addr)
	}
	l.lan.Run(t, "ping", "-c1", "-W5", g.leased(t)["address"])
	g.Run(t, "ping", "-c1", "-W5", uplinkAddr)

	up := sortedRoutes(settled(t, l.router))
	l.stop(t, d, syscall.SIGTERM)
	d, _ = l.start(t)
	if diff := hostdump.Diff(up, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("a restart has changed the host:\n%s", diff)
	}
	s.lives(t, "after a restart")
	l.labnet(t, "down")
	g.Run(t, "ip", "link", "del", "eth0") // and with it its other end
	if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
	s.lives(t, "after down")
	// As after a start of the machine: what was confirmed is made by run itself.
	l.start(t)
	nettest.Eventually(t, time.Minute, func() error { return l.onBridge(t) })
	nettest.Eventually(t, limit, func() error { return contains(l.labnet(t, "status", "-o", "json"), `"kept"`) })
	s.lives(t, "after the next start")
}

// A routed network's guests go on through the bridge that has become the uplink, and nothing is opened that was closed.
func TestBridgedBesideRouted(t *testing.T) {
	nettest.NeedRoot(t)
	routed := `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name   = "br1"
    attach = ["lab*"]
  }
}
`
	l, s := newBridgedLab(t, routed)
	busyRouter(t, l)
	l.lan.Run(t, "ip", "route", "add", "198.51.100.0/24", "via", uplinkAddr)
	pristine := sortedRoutes(settled(t, l.router))
	l.start(t)
	l.configure(t, routed+strings.Replace(bridgedConfig, "  bridge {", "  bridge {\n    name   = \"br0\"", 1))
	g := l.newGuest(t, "guest", "lab1")
	g.udhcpc(t)
	g.leased(t)
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
	l.apply(t)
	s.lives(t, "after the move")
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
	if _, err := l.lan.Try("ping", "-c1", "-W1", "198.51.100.1"); err == nil {
		t.Error("the host forwards from the LAN to its other networks")
	}
	l.labnet(t, "rollback")
	s.lives(t, "after the way back")
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
	g.Run(t, "ip", "link", "del", "eth0")
	l.labnet(t, "down")
	if diff := hostdump.Diff(pristine, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
}

func TestBridgedRefusals(t *testing.T) {
	nettest.NeedRoot(t)
	for _, c := range []struct{ name, make, want string }{
		{"no such uplink", "ip link set eth0 down; ip link set eth0 name eth5; ip link set eth5 up", "the uplink eth0 doesn't exist"},
		{"a br0 of others", "ip link add br0 type bridge", "there is already a link br0 (bridge) that isn't labnet's"},
		{"macvlan", "ip link add mac0 link eth0 type macvlan", "mac0 (macvlan) stands on eth0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _ := newBridgedLab(t, bridgedConfig)
			l.start(t)
			l.router.Run(t, "sh", "-ec", c.make)
			before := sortedRoutes(settled(t, l.router))
			for _, args := range [][]string{{"apply"}, {"apply", "--force"}} {
				if out, err := l.tryLabnet(t, args...); exitCode(err) != 1 || !strings.Contains(out, c.want) {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			}
			if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
				t.Errorf("the host is touched:\n%s", diff)
			}
		})
	}
}
