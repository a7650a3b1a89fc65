package netcfg

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

func defaultRoute(link int) route {
	return route{table: 254, dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), links: []int{link}}
}

func TestHostProblems(t *testing.T) {
	host := func(change func(f *facts)) *facts {
		f := &facts{
			links: []link{
				{index: 1, name: "lo", loopback: true},
				{index: 2, name: "eth0"},
				{index: 3, name: "docker0", kind: "bridge"},
				{index: 4, name: "br0", kind: "bridge", alias: alias},
			},
			addresses: []linkAddress{
				{link: 1, prefix: netip.MustParsePrefix("127.0.0.1/8")},
				{link: 2, prefix: netip.MustParsePrefix("192.0.2.2/24")},
				{link: 4, prefix: netip.MustParsePrefix("10.0.0.1/24")},
			},
			routes: []route{
				defaultRoute(2),
				{dst: netip.MustParsePrefix("192.0.2.0/24"), links: []int{2}},
				{dst: netip.MustParsePrefix("10.0.0.0/24"), links: []int{4}},
			},
		}
		change(f)
		return f
	}
	subnet := func(p string) Config {
		return networks(with(lab(), func(n *Network) { n.Address = netip.MustParsePrefix(p) }))
	}
	for _, c := range []struct {
		name string
		cfg  Config
		f    *facts
		want []Problem
	}{
		{"none", networks(lab()), host(func(*facts) {}), nil},
		{"docker's subnet", subnet("172.17.5.1/24"), host(func(f *facts) {
			f.addresses = append(f.addresses, linkAddress{link: 3, prefix: netip.MustParsePrefix("172.17.0.1/16")})
		}), []Problem{{"lab", true, "172.17.5.0/24 overlaps the address 172.17.0.1/16 on docker0", "10.0.0.1/24 is free"}}},
		{"a VPN's route, most of the private space taken", subnet("10.0.0.254/24"), host(func(f *facts) {
			f.routes = append(f.routes, route{dst: netip.MustParsePrefix("10.0.0.0/8"), links: []int{2}}, route{dst: netip.MustParsePrefix("192.168.0.0/24"), links: []int{2}})
		}), []Problem{{"lab", true, "10.0.0.0/24 overlaps the route to 10.0.0.0/8 on eth0", "192.168.1.254/24 is free"}}},
		{"no room at all", subnet("10.0.0.1/8"), host(func(f *facts) {
			f.routes = append(f.routes, route{dst: netip.MustParsePrefix("10.9.0.0/16"), links: []int{2}})
		}), []Problem{{"lab", true, "10.0.0.0/8 overlaps the route to 10.9.0.0/16 on eth0", "choose a subnet that the host doesn't use"}}},
		{"a VPN's default route in halves", networks(lab()), host(func(f *facts) {
			f.routes = append(f.routes, route{dst: netip.MustParsePrefix("0.0.0.0/1"), links: []int{2}}, route{dst: netip.MustParsePrefix("128.0.0.0/1"), links: []int{2}})
		}), nil},
		{"a route behind one of our guests", networks(lab()), host(func(f *facts) {
			f.routes = append(f.routes, route{dst: netip.MustParsePrefix("10.0.0.128/25"), links: []int{4}})
		}), nil},
		{"a foreign link of that name", networks(lab()), host(func(f *facts) { f.links[3] = link{index: 4, name: "br0", kind: "veth"} }), []Problem{
			{"lab", true, "there is already a link br0 (veth) that isn't labnet's", "name another bridge, or remove that one: ip link del br0"},
			{"lab", true, "10.0.0.0/24 overlaps the address 10.0.0.1/24 on br0", "10.0.1.1/24 is free"},
		}},
		{"a missing uplink", configs()["named_uplink"], host(func(f *facts) { f.links[1].name = "enp1s0" }), []Problem{
			{"lab", false, "its uplink eth0 doesn't exist", "it is used as soon as it appears"},
		}},
		{"an uplink of our own", networks(lab(), with(dmz(), func(n *Network) { n.Uplink = "br0" })), host(func(*facts) {}), []Problem{
			{"dmz", true, "its uplink br0 is a bridge of labnet's own", "name the interface that leads outside"},
		}},
		{"loopback as uplink", networks(with(lab(), func(n *Network) { n.Uplink = "lo" })), host(func(*facts) {}), []Problem{
			{"lab", true, "its uplink lo is the loopback interface", "name the interface that leads outside"},
		}},
		{"no uplink", networks(lab()), host(func(f *facts) { f.routes = f.routes[1:] }), []Problem{
			{"lab", false, "the host has no default route: guests reach no further than the host", "it is used as soon as there is one"},
		}},
		{"a default route over our bridge", networks(lab()), host(func(f *facts) { f.routes = append(f.routes, defaultRoute(4)) }), []Problem{
			{"lab", true, "the host's own default route goes over its bridge br0", "remove it: ip route del default dev br0"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, hostProblems(c.cfg, c.f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ name, setup, summary, remedy string }{
		{"nothing", ":", "", ""},
		{
			"docker", "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add chain ip filter DOCKER-USER'",
			"chain ip filter FORWARD drops what it doesn't know: guests would reach nothing outside",
			"iptables -I DOCKER-USER -i br0 -j ACCEPT && iptables -I DOCKER-USER -o br0 -j ACCEPT",
		},
		{
			"a strict nftables.conf", "nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }'",
			"chain inet filter input drops what it doesn't know: guests would get no address, and resolve no names",
			`nft 'insert rule inet filter input iifname "br0" meta l4proto { tcp, udp } th dport { 53, 67 } accept'`,
		},
		{
			"ufw", "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add chain ip filter ufw-user-forward'",
			"chain ip filter FORWARD drops what it doesn't know: guests would reach nothing outside",
			"ufw route allow in on br0 && ufw route allow out on br0",
		},
		{
			"firewalld", "nft 'add table inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; }; add rule inet firewalld filter_FORWARD reject'",
			"chain inet firewalld filter_FORWARD drops what it doesn't know: guests would reach nothing outside",
			"firewall-cmd --permanent --zone=trusted --add-interface=br0 && firewall-cmd --reload",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 0)
			r.Run(t, "sh", "-c", c.setup)
			problems, err := r.open(t).Check(networks(lab()))
			if err != nil {
				t.Fatal(err)
			}
			var want []Problem
			if c.summary != "" {
				want = []Problem{{"lab", false, c.summary, c.remedy}}
			}
			if diff := cmp.Diff(want, problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOverlapIsRefused(t *testing.T) {
	r := newRouter(t)
	r.Run(t, "sh", "-c", "ip link add docker0 type bridge; ip address add 10.0.0.77/25 dev docker0")
	h := r.open(t)
	_, err := h.Apply(t.Context(), networks(lab()))
	if err == nil || !strings.Contains(err.Error(), "10.0.0.0/24 overlaps the address 10.0.0.77/25 on docker0; 10.0.1.1/24 is free") {
		t.Errorf("apply: %v", err)
	}
	if out := r.Run(t, "sh", "-c", "ip -o link; nft list ruleset"); strings.Contains(out, "br0:") || strings.Contains(out, "labnet") {
		t.Errorf("a refused configuration left traces:\n%s", out)
	}
}

// TestUnprivileged runs itself again without capabilities: what is missing is said, and how to give it.
func TestUnprivileged(t *testing.T) {
	if os.Getenv(again) == "" {
		nettest.NeedRoot(t)
		cmd := exec.Command("setpriv", "--bounding-set=-all", "--inh-caps=-all", os.Args[0], "-test.run=^TestUnprivileged$", "-test.v")
		cmd.Env = append(os.Environ(), again+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestUnprivileged") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	h, err := Open(t.TempDir()+"/netcfg.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if _, err := h.Plan(networks(lab())); err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("plan: %v", err)
	}
	if _, err := h.Apply(t.Context(), networks(lab())); err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("apply: %v", err)
	}
	problems, err := h.Check(networks(lab()))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, p := range problems {
		text.WriteString(p.Summary + "; " + p.Remedy + "\n")
	}
	for _, want := range []string{"CAP_NET_ADMIN is missing", "CAP_NET_RAW is missing", "AmbientCapabilities", "no default route"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Network)
		want   string
	}{
		{"a name for nft", func(n *Network) { n.Name = "my lab; flush ruleset" }, "letters"},
		{"16 bytes", func(n *Network) { n.Bridge = "bridge0123456789" }, "15"},
		{"a path", func(n *Network) { n.Bridge = "../all" }, "can't name a bridge"},
		{"the kernel's own name", func(n *Network) { n.Bridge = "all" }, "kernel uses that name"},
		{"IPv6", func(n *Network) { n.Address = netip.MustParsePrefix("2001:db8::1/64") }, "IPv4"},
		{"no address", func(n *Network) { n.Address = netip.Prefix{} }, "IPv4"},
		{"everything", func(n *Network) { n.Address = netip.MustParsePrefix("10.0.0.1/0") }, "whole internet"},
		{"MTU", func(n *Network) { n.MTU = 67 }, "mtu 67"},
		{"a bad pattern", func(n *Network) { n.Attach = []string{"tap["} }, "tap["},
		{"the other's name", func(n *Network) { n.Name = "dmz" }, "two networks"},
		{"the other's bridge", func(n *Network) { n.Bridge = "br.dmz" }, "br.dmz"},
		{"the other's subnet", func(n *Network) { n.Address = netip.MustParsePrefix("10.0.1.77/16") }, "overlaps"},
		{"an invalid client", func(n *Network) { n.DNSClients = []netip.Prefix{{}} }, "DNS client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := networks(dmz(), with(lab(), c.change)).complete()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("no %q in: %v", c.want, err)
			}
		})
	}
}
