package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

var leasedConfig = strings.Replace(bridgedConfig, "  uplink {", "  address = \"dhcp\"\n  uplink {", 1)

// lanServer is a DHCP server on the LAN.
type lanServer struct {
	file   string // of its leases
	output func() string
	cmd    *exec.Cmd
}

// lanServers start one that has one address, which it wants renewed every few seconds.
var lanServers = map[string]func(t *testing.T, l *lab, addr string) *lanServer{"dnsmasq": lanDnsmasq, "dhcpd": lanDhcpd}

func lanDnsmasq(t *testing.T, l *lab, addr string) *lanServer {
	t.Helper()
	s := &lanServer{file: filepath.Join(t.TempDir(), "leases")}
	s.cmd, s.output = l.lan.Start(t, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces",
		"--user=root", "--pid-file=", "--dhcp-authoritative", "--no-ping", "--dhcp-leasefile="+s.file, "--dhcp-range="+addr+","+addr+",1h",
		"--domain=example.org", "--dhcp-option=option:T1,6", "--dhcp-option=option:T2,3000", "--dhcp-option=option:dns-server,192.0.2.53")
	nettest.Eventually(t, limit, func() error { return contains(s.output(), "DHCP, sockets bound") })
	return s
}

func lanDhcpd(t *testing.T, l *lab, addr string) *lanServer {
	t.Helper()
	dir := t.TempDir()
	s := &lanServer{file: filepath.Join(dir, "leases")}
	conf := filepath.Join(dir, "dhcpd.conf")
	write(t, s.file, "")
	write(t, conf, fmt.Sprintf(`authoritative;
ddns-update-style none;
ping-check false;
default-lease-time 3600;
option dhcp-renewal-time 6;
option dhcp-rebinding-time 3000;
option domain-name "example.org";
option domain-name-servers 192.0.2.53;
subnet 192.0.2.0 netmask 255.255.255.0 { range %s; option routers 192.0.2.1; }
`, addr))
	s.cmd, s.output = l.lan.Start(t, "dhcpd", "-4", "-f", "-d", "-cf", conf, "-lf", s.file, "-pf", filepath.Join(dir, "dhcpd.pid"), "eth0")
	nettest.Eventually(t, limit, func() error { return contains(s.output(), "Server starting service.") })
	return s
}

// holds says whether the server has a lease in force for an address: a line of dnsmasq's, or the last block of dhcpd's.
func (s *lanServer) holds(t *testing.T, addr string) bool {
	t.Helper()
	data, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	file := string(data)
	if last := strings.LastIndex(file, "lease "+addr+" {"); last >= 0 {
		return strings.Contains(file[last:], "\n  binding state active;")
	}
	return strings.Contains(file, " "+addr+" ")
}

// stop ends the server, and returns when it has ended.
func (s *lanServer) stop(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	nettest.Eventually(t, limit, func() error {
		if err := s.cmd.Process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("the server still runs (%v)", err)
		}
		return nil
	})
}

// asked counts the REQUESTs that the server has answered.
func (s *lanServer) asked() int {
	return len(regexp.MustCompile(`DHCPACK`).FindAllString(s.output(), -1))
}

// has waits until a link has an address that ends, as leased ones do, and a default route.
func (l *lab) has(t *testing.T, link, addr string) {
	t.Helper()
	nettest.Eventually(t, time.Minute, func() error {
		out := l.router.Run(t, "ip", "-4", "address", "show", link)
		if !strings.Contains(out, "inet "+addr+"/24") || !regexp.MustCompile(regexp.QuoteMeta(addr)+`/24[^\n]*\n\s+valid_lft \d+sec`).MatchString(out) {
			return fmt.Errorf("%s doesn't have a leased %s:\n%s", link, addr, out)
		}
		if n := strings.Count(out, "inet "); n != 1 {
			return fmt.Errorf("%s has %d addresses:\n%s", link, n, out)
		}
		return contains(l.router.Run(t, "ip", "route", "show", "default"), "default via 192.0.2.1 dev "+link)
	})
}

// The server gives the host the address that it has: whoever is connected notices nothing.
func TestHostLeasesTheAddressThatItHas(t *testing.T) {
	nettest.NeedRoot(t)
	t.Parallel()
	for name, serve := range lanServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, s := newBridgedLab(t, leasedConfig)
			server := serve(t, l, uplinkAddr)
			before := sortedRoutes(settled(t, l.router))
			d, _ := l.start(t)
			if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
				t.Fatalf("run has changed the host:\n%s", diff)
			}
			token := l.apply(t)
			l.has(t, "br0", uplinkAddr)
			s.lives(t, "with the lease")
			fresh := dialSession(t, l)
			fresh.lives(t, "on the bridge")
			l.router.Run(t, append([]string{"env", fresh.ssh()}, l.args(t, "confirm", token)...)...)
			asked := server.asked()
			nettest.Eventually(t, time.Minute, func() error {
				if now := server.asked(); now < asked+2 {
					return fmt.Errorf("it isn't renewed: %d ACKs after %d", now, asked)
				}
				return nil
			})
			// It writes its file after the answer.
			nettest.Eventually(t, limit, func() error {
				if !server.holds(t, uplinkAddr) {
					return errors.New("the server doesn't know of the lease")
				}
				return nil
			})
			if out := l.labnet(t, "status", "-o", "json"); !strings.Contains(out, `"address": "`+uplinkAddr+`/24"`) {
				t.Errorf("the status doesn't have the address:\n%s", out)
			}

			// A daemon that ends keeps the lease, and the next one asks for no other.
			l.stop(t, d, syscall.SIGKILL)
			discovered := strings.Count(server.output(), "DHCPDISCOVER")
			asked = server.asked()
			d, _ = l.start(t)
			nettest.Eventually(t, time.Minute, func() error {
				if server.asked() == asked {
					return errors.New("the next daemon doesn't ask")
				}
				return nil
			})
			if n := strings.Count(server.output(), "DHCPDISCOVER"); n != discovered {
				t.Errorf("the next daemon has discovered anew:\n%s", server.output())
			}
			s.lives(t, "after a restart")

			// Without a server the address stays while its lease lasts, and the status says so.
			server.stop(t)
			l.stop(t, d, syscall.SIGTERM)
			l.start(t)
			nettest.Eventually(t, time.Minute, func() error {
				return contains(l.labnet(t, "status"), "no DHCP server answers; the host keeps 192.0.2.2")
			})
			s.lives(t, "without a server")

			l.labnet(t, "down")
			if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
				t.Errorf("after down the host isn't what it was:\n%s", diff)
			}
			s.lives(t, "after down")
		})
	}
}

// The server gives another address than the host has: the former one goes when that is there, and the way back returns it to the server.
func TestHostLeasesAnotherAddress(t *testing.T) {
	nettest.NeedRoot(t)
	t.Parallel()
	const other = "192.0.2.50"
	for name, serve := range lanServers {
		// Whoever goes back releases: the daemon isn't needed.
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed %v", name, killed), func(t *testing.T) {
				t.Parallel()
				l, s := newBridgedLab(t, leasedConfig)
				server := serve(t, l, other)
				before := sortedRoutes(settled(t, l.router))
				d, _ := l.start(t)
				l.apply(t, "--confirm-within", "10m")
				l.has(t, "br0", other)
				l.lan.Run(t, "ping", "-c1", "-W5", other)
				if !server.holds(t, other) {
					t.Error("the server doesn't know of the lease")
				}
				resolver := func() string { return l.router.Run(t, "cat", "/etc/resolv.conf") }
				nettest.Eventually(t, limit, func() error { return contains(resolver(), "search example.org\nnameserver 192.0.2.53\n") })
				if killed {
					l.stop(t, d, syscall.SIGKILL)
				}
				l.labnet(t, "rollback")
				nettest.Eventually(t, limit, func() error {
					if server.holds(t, other) {
						return fmt.Errorf("the address wasn't given back:\n%s", server.output())
					}
					return nil
				})
				if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
					t.Errorf("after the way back the host isn't what it was:\n%s", diff)
				}
				s.lives(t, "after the way back")
				if got := resolver(); got != "nameserver "+lanAddr+"\n" {
					t.Errorf("after the way back resolv.conf says:\n%s", got)
				}
			})
		}
	}
}

// As after a start of the machine: the uplink has nothing, and is down. When the bridge goes, the uplink keeps what was leased: a host
// without an address can't be reached.
func TestHostLeasesFromNothing(t *testing.T) {
	nettest.NeedRoot(t)
	t.Parallel()
	l := newLabWithoutDNS(t)
	l.router.Run(t, "sh", "-ec", "ip address flush dev eth0; ip link set eth0 down")
	l.configure(t, leasedConfig)
	l.start(t, "--confirmed")
	nettest.Eventually(t, time.Minute, func() error {
		return contains(l.labnet(t, "status"), "no DHCP server answers: the host has no leased address")
	})
	server := lanDnsmasq(t, l, "192.0.2.50")
	l.has(t, "br0", "192.0.2.50")
	l.lan.Run(t, "ping", "-c1", "-W5", "192.0.2.50")
	l.labnet(t, "down")
	l.has(t, "eth0", "192.0.2.50")
	l.lan.Run(t, "ping", "-c1", "-W5", "192.0.2.50")
	if !server.holds(t, "192.0.2.50") {
		t.Error("the address was given back, and is used")
	}
}
