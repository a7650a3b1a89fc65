package netcfg

import (
	"fmt"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// overGateway makes a guest send what is for another one to the gateway, as one does that wants around the isolation of ports.
func overGateway(t *testing.T, guest *nettest.Host, other string) {
	t.Helper()
	// The gateway would tell it the direct way, by a redirect (RFC 1122 section 3.2.2.2).
	guest.Run(t, "sysctl", "-q", "-w", "net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.eth0.accept_redirects=0")
	guest.Run(t, "ip", "route", "replace", other+"/32", "via", "10.0.0.1", "dev", "eth0", "onlink")
}

func TestIsolatedGuests(t *testing.T) {
	for _, on := range []int{0, 1} {
		t.Run(fmt.Sprintf("br_netfilter %d", on), func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, on)
			a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
			for _, host := range []*nettest.Host{r.lan, r.Host, a, b} {
				echo(t, host, "0.0.0.0:7")
			}
			h := r.open(t)
			isolated := networks(with(lab(), func(n *Network) { n.Isolate = true }))

			apply(t, h, networks(lab()))
			reaches(t, a, "10.0.0.11:7", "10.0.0.10")
			overGateway(t, a, "10.0.0.11")
			overGateway(t, b, "10.0.0.10")
			reaches(t, a, "10.0.0.11:7", "10.0.0.10")

			if got := lines(apply(t, h, isolated)); !strings.Contains(got, "~ port tap0 on br0 (isolated off -> on)") {
				t.Errorf("the ports aren't isolated:\n%s", got)
			}
			inOrder(t, h, isolated)
			unreachable(t, a, "10.0.0.11:7")
			unreachable(t, b, "10.0.0.10:7")
			for _, guest := range []*nettest.Host{a, b} {
				guest.Run(t, "sh", "-c", "ip route del 10.0.0.10/32 2>/dev/null; ip route del 10.0.0.11/32 2>/dev/null; ip neigh flush all")
			}
			unreachable(t, a, "10.0.0.11:7")
			unreachable(t, b, "10.0.0.10:7")
			if counter(t, r, "inet", "kept_apart") == 0 {
				t.Error("nothing was forwarded back to the bridge: the test shows nothing")
			}
			reaches(t, a, "192.0.2.1:7", "192.0.2.2")
			reaches(t, a, "10.0.0.1:7", "10.0.0.10")
			reaches(t, r.Host, "10.0.0.11:7", "10.0.0.1")

			// One that comes later, and one whose flag someone takes away.
			r.Run(t, "sh", "-c", "ip tuntap add tap2 mode tap; bridge link set dev tap0 isolated off")
			if got := lines(apply(t, h, isolated)); !strings.Contains(got, "+ port tap2 on br0 (isolated)") || !strings.Contains(got, "~ port tap0 on br0 (isolated off -> on)") {
				t.Errorf("drift and a new port:\n%s", got)
			}
			inOrder(t, h, isolated)
			if out := r.Run(t, "bridge", "-d", "link", "show", "dev", "tap2"); !strings.Contains(out, "isolated on") {
				t.Errorf("tap2: %s", out)
			}

			apply(t, h, networks(lab()))
			inOrder(t, h, networks(lab()))
			reaches(t, a, "10.0.0.11:7", "10.0.0.10")
		})
	}
}

func TestNetworksThatLetOthersIn(t *testing.T) {
	for _, on := range []int{0, 1} {
		t.Run(fmt.Sprintf("br_netfilter %d", on), func(t *testing.T) {
			const port = 4321
			r := newRouter(t)
			bridgeNetfilter(t, r, on)
			a, c := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "dmz0", "10.0.1.10/24")
			r.lan.Run(t, "ip", "route", "add", "10.0.0.0/23", "via", "192.0.2.2")
			for _, host := range []*nettest.Host{r.lan, a, c} {
				echo(t, host, "0.0.0.0:7")
			}
			h := r.open(t)
			open := networks(with(lab(), func(n *Network) { n.AllowFrom = []string{"dmz"} }), with(dmz(), func(n *Network) { n.Uplink = "eth0" }))
			apply(t, h, open)
			inOrder(t, h, open)
			reaches(t, c, "10.0.0.10:7", "10.0.1.10")
			refuses(t, a, "10.0.1.10:7")
			refuses(t, r.lan, "10.0.0.10:7")
			reaches(t, c, "192.0.2.1:7", "192.0.2.2")
			nettest.Eventually(t, patience, func() error {
				_, err := call(t, c, "udp4", "10.0.0.10:7", port, silence)
				return err
			})

			// What got through ends with the permission.
			apply(t, h, networks(lab(), dmz()))
			inOrder(t, h, networks(lab(), dmz()))
			if got, err := call(t, c, "udp4", "10.0.0.10:7", port, silence); err == nil {
				t.Errorf("a connection goes on after the permission was taken back: %s", got)
			}
			refuses(t, c, "10.0.0.10:7")
		})
	}
}

func TestIsolatedNetwork(t *testing.T) {
	r := newRouter(t)
	// A host that routes between all its interfaces.
	r.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	a, c := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "dmz0", "10.0.1.10/24")
	r.lan.Run(t, "ip", "route", "add", "10.0.0.0/23", "via", "192.0.2.2")
	for _, host := range []*nettest.Host{r.lan, r.Host, a, c} {
		echo(t, host, "0.0.0.0:7")
	}
	h := r.open(t)
	alone := func(n *Network) { n.Isolated, n.Masquerade = true, false }
	forwarding := func(want string) {
		t.Helper()
		if got := strings.TrimSpace(r.Run(t, "sysctl", "-n", "net.ipv4.conf.br0.forwarding")); got != want {
			t.Errorf("the bridge's forwarding is %s, not %s", got, want)
		}
	}

	cfg := networks(with(lab(), alone), dmz())
	apply(t, h, cfg)
	inOrder(t, h, cfg)
	forwarding("0")
	reaches(t, a, "10.0.0.1:7", "10.0.0.10")
	reaches(t, r.Host, "10.0.0.10:7", "10.0.0.1")
	unreachable(t, a, "192.0.2.1:7")
	unreachable(t, a, "10.0.1.10:7")
	unreachable(t, r.lan, "10.0.0.10:7")
	unreachable(t, c, "10.0.0.10:7")
	// The rules alone keep it, should someone switch forwarding on.
	r.Run(t, "sysctl", "-q", "-w", "net.ipv4.conf.br0.forwarding=1")
	refuses(t, a, "192.0.2.1:7")
	refuses(t, r.lan, "10.0.0.10:7")

	// Others may be let in.
	cfg = networks(with(lab(), alone, func(n *Network) { n.AllowFrom = []string{"dmz"} }), dmz())
	apply(t, h, cfg)
	inOrder(t, h, cfg)
	forwarding("1")
	reaches(t, c, "10.0.0.10:7", "10.0.1.10")
	refuses(t, a, "10.0.1.10:7")
	refuses(t, a, "192.0.2.1:7")
	refuses(t, r.lan, "10.0.0.10:7")

	// On a host without a default route, that is nothing to complain of.
	r.Run(t, "ip", "route", "del", "default")
	problems, err := h.Check(networks(with(lab(), alone)))
	if err != nil || len(problems) != 0 {
		t.Errorf("problems: %v %+v", err, problems)
	}
}

func TestServicesAlone(t *testing.T) {
	r := newRouter(t)
	a, c := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "dmz0", "10.0.1.10/24")
	h := r.open(t)
	cfg := networks(with(lab(), func(n *Network) { n.Services = true }), dmz())
	apply(t, h, cfg)
	inOrder(t, h, cfg)
	echo(t, r.Host, "0.0.0.0:53")
	echo(t, r.Host, "0.0.0.0:80")
	echo(t, a, "0.0.0.0:7")
	echo(t, r.lan, "0.0.0.0:7")

	reaches(t, a, "10.0.0.1:53", "10.0.0.10")
	for _, address := range []string{"10.0.0.1:80", "192.0.2.2:80"} {
		refusesTCP(t, a, address)
		if _, err := call(t, c, "tcp4", address, 0, patience); err != nil {
			t.Errorf("%s from a network that may: %v", address, err)
		}
	}
	for _, address := range []string{"192.0.2.2:53", "10.0.1.1:53"} {
		if got, err := call(t, a, "tcp4", address, 0, silence); err == nil {
			t.Errorf("%s is reached: %s", address, got)
		}
	}
	a.Run(t, "ping", "-c1", "-W5", "10.0.0.1")
	a.Run(t, "ping", "-c1", "-W5", "192.0.2.2")
	reaches(t, r.Host, "10.0.0.10:7", "10.0.0.1")
	reaches(t, a, "192.0.2.1:7", "192.0.2.2")
	if counter(t, r, "inet", "refused_host") == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
}

// refusesTCP is refuses for a host that answers pings all the same.
func refusesTCP(t *testing.T, host *nettest.Host, address string) {
	t.Helper()
	if got, err := call(t, host, "tcp4", address, 0, patience); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("%s isn't refused but: %q %v", address, got, err)
	}
}

func TestReturnRoutes(t *testing.T) {
	r := newRouter(t)
	r.secondLAN(t)
	h := r.open(t)
	off := func(n *Network) { n.Masquerade = false }
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"masqueraded", networks(lab()), nil},
		{"not masqueraded", networks(with(lab(), off), dmz()), []string{"ip route add 10.0.0.0/24 via 192.0.2.2"}},
		{"by another uplink", networks(with(lab(), off, func(n *Network) { n.Uplink = "eth1" })), []string{"ip route add 10.0.0.0/24 via 198.51.100.2"}},
		{"by an uplink that isn't there", networks(with(lab(), off, func(n *Network) { n.Uplink = "eth7" })), nil},
		{"isolated", networks(with(lab(), off, func(n *Network) { n.Isolated = true })), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := h.ReturnRoutes(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, route := range found {
				got = append(got, route.String())
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("routes: %v, want %v", got, c.want)
			}
		})
	}
}
