package netcfg

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// dockerRules are what Docker 20 to 28 writes by iptables when it starts, with a container that publishes a port.
const dockerRules = `
iptables -P FORWARD DROP
for chain in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER-USER; do iptables -N $chain; done
iptables -A DOCKER-USER -j RETURN
iptables -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
iptables -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -o docker0 -j DOCKER
iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
`

// firewalldStart runs firewalld with a bus of its own: here /run and /etc are the test's.
const firewalldStart = `
mkdir -p /run/dbus
[ -S /run/dbus/system_bus_socket ] || dbus-daemon --system --fork
exec firewalld --nofork --nopid
`

// TestForeignFirewalls puts other people's firewalls beside ours, as they write their rules themselves. What they keep from guests is
// said, and the remedy is run as it stands: then guests get through, and nothing is said.
func TestForeignFirewalls(t *testing.T) {
	nettest.NeedRoot(t)
	for _, c := range []struct {
		name, setup string
		start       string // runs beside
		ready       string
		want        []string // in the summaries
	}{
		{name: "docker", setup: dockerRules, want: []string{"chain ip filter FORWARD drops", "reach nothing outside, and not reach one another"}},
		{
			name: "ufw", setup: "ufw --force enable >&2",
			want: []string{"chain ip filter FORWARD", "chain ip filter INPUT", "get no address, and resolve no names", "reach nothing outside"},
		},
		{
			name: "firewalld", start: firewalldStart, ready: "firewall-cmd --state >&2",
			want: []string{"chain inet firewalld", "get no address, and resolve no names, and reach nothing outside"},
		},
		{
			name: "iptables-legacy", setup: `iptables-legacy -P FORWARD DROP
				iptables-legacy -N in && iptables-legacy -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
				iptables-legacy -A INPUT -i lo -j ACCEPT && iptables-legacy -A INPUT -g in
				iptables-legacy -A in -p tcp -m multiport --dports 22,80:90 -j ACCEPT && iptables-legacy -A in -j REJECT`,
			want: []string{"chain FORWARD of iptables-legacy drops", "chain INPUT of iptables-legacy drops", "resolve no names"},
		},
		{
			name: "iptables-nft of somebody's", setup: `iptables -P INPUT DROP; iptables -A INPUT -i eth0 -p tcp --dport 22 -j ACCEPT
				iptables -A FORWARD -s 192.0.2.0/24 -j ACCEPT; iptables -A FORWARD -m state --state ESTABLISHED -j ACCEPT; iptables -A FORWARD -j REJECT`,
			want: []string{"chain ip filter INPUT drops", "chain ip filter FORWARD drops"},
		},
		{
			name: "nftables", setup: `nft -f - <<'END'
				table inet filter {
					set trusted { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 } }
					chain input {
						type filter hook input priority filter; policy drop;
						ct state vmap { established : accept, related : accept, invalid : drop }
						iif lo accept
						ip saddr @trusted tcp dport { 22, 80-90 } accept
						meta l4proto . th dport { tcp . 443, udp . 443 } accept
					}
					chain forward { type filter hook forward priority filter; policy drop; ip saddr @trusted accept; ct state { established, related } accept; }
					chain output { type filter hook output priority filter; policy accept; oifname "br0" udp sport 53 ip daddr != @trusted drop; }
				}
END`,
			want: []string{"chain inet filter input", "chain inet filter forward", "chain inet filter output drops", "get no answers by DNS"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 1)
			h := r.open(t)
			apply(t, h, networks(lab()))
			first, second := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
			apply(t, h, networks(lab())) // attaches them
			reach := func() string {
				return fmt.Sprintf("outside %v, one another %v, DNS %v", connects(t, first, r.lan, "192.0.2.1"), connects(t, first, second, "10.0.0.11"), r.hearsQuestions(t, first))
			}
			const all = "outside true, one another true, DNS true"
			if got := reach(); got != all {
				t.Fatalf("before: %s", got)
			}
			if c.start != "" {
				_, output := r.Start(t, "sh", "-c", c.start)
				nettest.Eventually(t, 30*time.Second, func() error {
					if out, err := r.Try("sh", "-c", c.ready); err != nil {
						return fmt.Errorf("%s\n%s", out, output())
					}
					return nil
				})
			}
			if c.setup != "" {
				r.Run(t, "sh", "-e", "-c", c.setup)
			}
			if got := reach(); got == all {
				t.Fatalf("the firewall lets everything through: there is nothing to mend")
			} else {
				t.Log("beside it: ", got)
			}
			problems, err := h.Check(networks(lab()))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, p := range problems {
				fmt.Fprintf(&text, "%s\n  %s\n", p.Summary, p.Remedy)
			}
			t.Log("\n" + text.String())
			for _, want := range c.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			for _, p := range problems {
				r.Run(t, "sh", "-e", "-c", p.Remedy)
			}
			if got := reach(); got != all {
				t.Errorf("after the remedies: %s\n%s", got, r.Run(t, "nft", "list", "ruleset"))
			}
			if left, err := h.Check(networks(lab())); err != nil || len(left) > 0 {
				t.Errorf("after the remedies: %v %+v", err, left)
			}
		})
	}
}

// connects reports whether a guest gets an answer of another machine by TCP.
func connects(t *testing.T, g, to *nettest.Host, addr string) bool {
	t.Helper()
	var listener net.Listener
	to.Do(t, func() { listener, _ = net.Listen("tcp4", net.JoinHostPort(addr, "0")) })
	if listener == nil {
		t.Fatalf("%s can't listen on %s", to.Name, addr)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_, err := g.Try("nc", "-z", "-n", "-w", "2", addr, port)
	return err == nil
}

// hearsQuestions reports whether a guest's datagram to the gateway's port 53 arrives, and the answer too.
func (r *router) hearsQuestions(t *testing.T, g *nettest.Host) bool {
	t.Helper()
	var server, client net.PacketConn
	r.Do(t, func() { server, _ = net.ListenPacket("udp4", "10.0.0.1:53") })
	g.Do(t, func() { client, _ = net.ListenPacket("udp4", "10.0.0.10:0") })
	if server == nil || client == nil {
		t.Fatal("the sockets can't be opened")
	}
	defer func() { _, _ = server.Close(), client.Close() }()
	deadline := time.Now().Add(2 * time.Second)
	_, _ = server.SetReadDeadline(deadline), client.SetReadDeadline(deadline)
	buffer := make([]byte, 64)
	if _, err := client.WriteTo([]byte("?"), server.LocalAddr()); err != nil {
		return false
	}
	_, from, err := server.ReadFrom(buffer)
	if err != nil {
		return false
	}
	if _, err := server.WriteTo([]byte("!"), from); err != nil {
		return false
	}
	_, _, err = client.ReadFrom(buffer)
	return err == nil
}

// TestPlainHostsAreNotWarned has rules that drop, but nothing of a guest's.
func TestPlainHostsAreNotWarned(t *testing.T) {
	nettest.NeedRoot(t)
	for _, c := range []struct{ name, setup string }{
		{"libvirt", `for c in LIBVIRT_INP LIBVIRT_FWO LIBVIRT_FWI; do iptables -N $c; done
			iptables -A INPUT -j LIBVIRT_INP; iptables -A FORWARD -j LIBVIRT_FWI; iptables -A FORWARD -j LIBVIRT_FWO
			iptables -A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
			iptables -A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable
			iptables -A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp-port-unreachable`},
		{"fail2ban", `nft -f - <<'END'
			table inet f2b-table {
				set banned { type ipv4_addr; elements = { 203.0.113.9 } }
				chain f2b-chain { type filter hook input priority filter - 1; policy accept; tcp dport { 22 } ip saddr @banned reject with icmp port-unreachable; }
			}
END`},
		{"a rate limit", `nft -f - <<'END'
			table inet own {
				chain own-in {
					type filter hook input priority 0
					limit rate over 100/second drop
					meta mark 7 drop
					ip saddr . udp dport vmap { 192.0.2.9 . 53 : drop }
				}
			}
END`},
		{"Debian's workstation", `nft -f - <<'END'
			table inet filter {
				chain input { type filter hook input priority filter; }
				chain forward { type filter hook forward priority filter; }
				chain output { type filter hook output priority filter; }
			}
END`},
		{"iptables-legacy, empty", `iptables-legacy -L >/dev/null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 1)
			r.Run(t, "sh", "-e", "-c", c.setup)
			h := r.open(t)
			for range 2 {
				if problems, err := h.Check(networks(lab())); err != nil || len(problems) > 0 {
					t.Errorf("%v %+v", err, problems)
				}
				apply(t, h, networks(lab()))
			}
		})
	}
}

// TestAnUnsureChainMay has a rule whose condition nobody can foresee.
func TestAnUnsureChainMay(t *testing.T) {
	r := newRouter(t)
	bridgeNetfilter(t, r, 0)
	r.Run(t, "nft", "add table inet own; add chain inet own fw { type filter hook forward priority 0; policy drop; }; add rule inet own fw limit rate 10/second accept")
	problems, err := r.open(t).Check(networks(lab()))
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Summary, "chain inet own fw may drop what it doesn't know") {
		t.Errorf("%v %+v", err, problems)
	}
}

// TestTakenPorts has other servers where ours will be, and others that don't stand in the way.
func TestTakenPorts(t *testing.T) {
	nettest.NeedRoot(t)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"everywhere", []string{"--port=53", "--dhcp-range=192.0.2.50,192.0.2.60"}, []string{"port 53 of 10.0.0.1 is taken by dnsmasq (pid ", "labnet can't serve DNS", "port 67 of 10.0.0.1", "labnet can't serve DHCP", "kill "}},
		{"at another address", []string{"--port=53", "--listen-address=192.0.2.2", "--bind-interfaces", "--dhcp-range=192.0.2.50,192.0.2.60", "--interface=eth0"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 0)
			leases := filepath.Join(t.TempDir(), "leases")
			_, output := r.Start(t, append([]string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--dhcp-leasefile=" + leases}, c.args...)...)
			nettest.Eventually(t, patience, func() error {
				if out := r.Run(t, "ss", "-lnu"); !strings.Contains(out, ":67 ") || !strings.Contains(out, ":53 ") {
					return fmt.Errorf("dnsmasq isn't there: %s\n%s", out, output())
				}
				return nil
			})
			problems, err := r.open(t).Check(networks(lab()))
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%+v", problems)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %s", want, text)
				}
			}
			if c.want == nil && len(problems) > 0 {
				t.Errorf("%s", text)
			}
		})
	}
}
