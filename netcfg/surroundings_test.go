package netcfg

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

// settled is a host as the tests of settings see it: eth0 is the uplink, br0 ours, and tap0 a port of it.
func settledHost() (*facts, *surroundings) {
	f := &facts{
		links: []link{
			{index: 1, name: "lo", loopback: true},
			{index: 2, name: "eth0", mtu: 1500},
			{index: 3, name: "eth1", mtu: 1500},
			{index: 4, name: "br0", kind: "bridge", alias: alias, mtu: 1500},
			{index: 5, name: "tap0", kind: "tun", mtu: 1500, master: 4},
		},
		routes: []route{defaultRoute(2)},
	}
	return f, &surroundings{settings: map[sysctlKey]string{}, received: map[int]bool{}}
}

func TestSettings(t *testing.T) {
	complete := func(n Network) Config {
		cfg, err := networks(n).complete()
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	for _, c := range []struct {
		name string
		n    Network
		host func(f *facts, s *surroundings)
		want []Problem
	}{
		{"nothing", lab(), func(*facts, *surroundings) {}, nil},
		{"conntrack at 79 percent", lab(), func(_ *facts, s *surroundings) {
			s.settings[trackedKey], s.settings[trackableKey] = "799", "1000"
		}, nil},
		{"conntrack at 80 percent", lab(), func(_ *facts, s *surroundings) {
			s.settings[trackedKey], s.settings[trackableKey] = "800", "1000"
		}, []Problem{{"", false, "connection tracking is nearly full, 800 of 1000: new connections will be dropped", "sysctl -w net.netfilter.nf_conntrack_max=2000"}}},
		{"strict, with one way out", lab(), func(_ *facts, s *surroundings) { s.settings[rpFilterOf("eth0")] = "1" }, nil},
		{"strict, with two", lab(), func(f *facts, s *surroundings) {
			f.routes = append(f.routes, defaultRoute(3))
			s.settings[rpFilterOf("eth0")], s.settings[rpFilterOf("eth1")] = "1", "1"
		}, []Problem{{
			"", false, "strict rp_filter on eth0, eth1, and there are several ways out: answers that come by another than the route back are dropped",
			"sysctl -w net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth1.rp_filter=2",
		}}},
		{"strict for all, and loose on one", lab(), func(f *facts, s *surroundings) {
			f.routes = append(f.routes, defaultRoute(3))
			s.settings[rpFilterOf("all")], s.settings[rpFilterOf("eth1")] = "1", "2"
		}, []Problem{{
			"", false, "strict rp_filter on eth0, and there are several ways out: answers that come by another than the route back are dropped",
			"sysctl -w net.ipv4.conf.eth0.rp_filter=2",
		}}},
		{"loose for all", lab(), func(f *facts, s *surroundings) {
			f.routes = append(f.routes, defaultRoute(3))
			s.settings[rpFilterOf("all")], s.settings[rpFilterOf("eth0")] = "2", "1"
		}, nil},
		{"strict on an uplink of the network's own", with(lab(), func(n *Network) { n.Uplink = "eth1" }), func(_ *facts, s *surroundings) {
			s.settings[rpFilterOf("eth1")] = "1"
		}, []Problem{{
			"", false, "strict rp_filter on eth1, and there are several ways out: answers that come by another than the route back are dropped",
			"sysctl -w net.ipv4.conf.eth1.rp_filter=2",
		}}},
		{"router advertisements lost", lab(), func(_ *facts, s *surroundings) {
			s.received[2], s.settings[forwarding6Of("eth0")], s.settings[acceptRAOf("eth0")] = true, "1", "1"
		}, []Problem{{
			"", false, "eth0 forwards IPv6, and so takes no more router advertisements: the host's own IPv6 ends when what it has expires",
			"sysctl -w net.ipv6.conf.eth0.accept_ra=2",
		}}},
		{"router advertisements taken all the same", lab(), func(_ *facts, s *surroundings) {
			s.received[2], s.settings[forwarding6Of("eth0")], s.settings[acceptRAOf("eth0")] = true, "1", "2"
		}, nil},
		{"no router advertisements", lab(), func(_ *facts, s *surroundings) {
			s.settings[forwarding6Of("eth0")], s.settings[acceptRAOf("eth0")] = "1", "1"
		}, nil},
		{"a narrow port", lab(), func(f *facts, _ *surroundings) { f.links[4].mtu = 1400 }, []Problem{{
			"lab", false, "the mtu of the port tap0, 1400, is below that of br0, 1500: larger frames to its guest vanish", "ip link set tap0 mtu 1500",
		}}},
		{"a narrow link elsewhere", lab(), func(f *facts, _ *surroundings) { f.links[4].mtu, f.links[4].master = 1400, 0 }, nil},
		{"a TAP can't be wider", with(lab(), func(n *Network) { n.MTU = 65535 }), func(f *facts, _ *surroundings) { f.links[4].mtu = maxTAPMTU }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := settledHost()
			c.host(f, s)
			if diff := cmp.Diff(c.want, s.settingProblems(complete(c.n), f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	ours := func(name string) place { return place{tableID{familyIPv4, "filter"}, name} }
	for _, c := range []struct {
		name     string
		n        Network
		host     func(f *facts, s *surroundings)
		problems []Problem
		want     []Note
	}{
		{"nothing", lab(), func(*facts, *surroundings) {}, nil, nil},
		{"br_netfilter", lab(), func(_ *facts, s *surroundings) { s.settings[bridgeFilterKey] = "1" }, nil, []Note{{
			"", "br_netfilter is on: what guests of one bridge say to one another passes the host's rules for forwarded packets too; labnet's let it through",
			"nothing of labnet's needs it; what does is Docker, Kubernetes or the like. Off: sysctl -w net.bridge.bridge-nf-call-iptables=0",
		}}},
		{"a narrow uplink", lab(), func(f *facts, _ *surroundings) { f.links[1].mtu = 1420 }, nil, []Note{{
			"lab", "the mtu of br0, 1500, is above that of eth0, 1420: labnet fits TCP to it, other large packets are fragmented or refused", "bridge { mtu = 1420 }",
		}}},
		{"Docker and ufw, which let guests through", lab(), func(_ *facts, s *surroundings) {
			s.foreign = &ruleset{chains: map[place]bool{ours("DOCKER-USER"): true, ours("ufw-user-forward"): true}}
		}, nil, []Note{{"", "Docker filters here too, and lets guests through", ""}, {"", "ufw filters here too, and lets guests through", ""}}},
		{"Docker, which doesn't", lab(), func(_ *facts, s *surroundings) {
			s.foreign = &ruleset{chains: map[place]bool{ours("DOCKER-USER"): true}}
		}, []Problem{{Remedy: "iptables -I DOCKER-USER -i br0 -j ACCEPT"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := settledHost()
			c.host(f, s)
			cfg, err := networks(c.n).complete()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.notes(cfg, f, c.problems)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSurroundingsOfTheKernel makes on a real host what Check warns of, and runs the remedy as it stands: then nothing is said.
func TestSurroundingsOfTheKernel(t *testing.T) {
	nettest.NeedRoot(t)
	const second = "ip link add eth1 type veth peer name far1; ip link set far1 up; ip address add 198.51.100.2/24 dev eth1; ip link set eth1 up; ip route add default via 198.51.100.1 metric 200; "
	for _, c := range []struct {
		name, setup, want string // what is said, "" for nothing
		refused           bool   // the remedy isn't a command that is run here
	}{
		{"two ways out, strict", second + "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=1 net.ipv4.conf.eth1.rp_filter=1", "strict rp_filter on eth0, eth1", false},
		{"two ways out, loose", second + "sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth0.rp_filter=1", "", false},
		{"router advertisements", "ip -6 address add 2001:db8::5/64 dev eth0 valid_lft 1000 preferred_lft 500 nodad; sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.forwarding=1", "eth0 forwards IPv6, and so takes no more router advertisements", false},
		{"IPv6 without router advertisements", "ip -6 address add 2001:db8::5/64 dev eth0 nodad; sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.forwarding=1", "", false},
		{"a table before main", "ip route add default via 192.0.2.1 table 100; ip rule add lookup 100 priority 500", "the routing rule of priority 500 leads elsewhere, by table 100, what is for guests of br0", false},
		{"a rule that refuses guests", "ip rule add from 10.0.0.0/24 prohibit priority 600", "the routing rule of priority 600 refuses what guests of br0 send", false},
		{"a rule that refuses what is for guests", "ip rule add to 10.0.0.0/24 blackhole priority 700", "the routing rule of priority 700 refuses what is for guests of br0", false},
		{"a VPN as wg-quick makes it", "ip route add default via 192.0.2.1 table 51820; ip rule add not fwmark 51820 lookup 51820 priority 32764; ip rule add lookup main suppress_prefixlength 0 priority 32763", "", false},
		{"a rule for another interface", "ip route add default via 192.0.2.1 table 100; ip rule add iif lo lookup 100 priority 500", "", false},
		{"a narrow port", "ip link set tap0 mtu 1400", "the mtu of the port tap0, 1400, is below that of br0, 1500", false},
		{"a default route over the bridge", "ip route add default dev br0 metric 5000", "the host's own default route goes over its bridge br0", true},
		{"an overlapping route", "ip route add 10.0.0.128/25 via 192.0.2.1", "10.0.0.0/24 overlaps the route to 10.0.0.128/25 on eth0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			bridgeNetfilter(t, r, 0)
			h := r.open(t)
			cfg := networks(lab())
			apply(t, h, cfg)
			r.guest(t, "tap0", "10.0.0.10/24")
			apply(t, h, cfg)
			r.Run(t, "sh", "-e", "-c", c.setup)
			problems, err := h.Check(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" || len(problems) != 1 || !strings.Contains(problems[0].Summary, c.want) {
				if c.want != "" || len(problems) > 0 {
					t.Errorf("%+v, want %q", problems, c.want)
				}
				return
			}
			if c.refused {
				if !problems[0].Fatal {
					t.Errorf("nothing is refused: %+v", problems)
				}
				return
			}
			r.Run(t, "sh", "-e", "-c", problems[0].Remedy)
			if left, err := h.Check(cfg); err != nil || len(left) > 0 {
				t.Errorf("after %q: %v %+v", problems[0].Remedy, err, left)
			}
		})
	}
}

// TestNotesOfTheKernel has a narrow uplink and br_netfilter.
func TestNotesOfTheKernel(t *testing.T) {
	nettest.NeedRoot(t)
	r := newRouter(t)
	bridgeNetfilter(t, r, 1)
	r.Run(t, "ip", "link", "set", "eth0", "mtu", "1420")
	problems, notes, err := r.open(t).Assess(networks(lab()))
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v %+v", err, problems)
	}
	text := fmt.Sprint(notes)
	if !strings.Contains(text, "the mtu of br0, 1500, is above that of eth0, 1420") {
		t.Errorf("no mtu in %s", text)
	}
	if _, err := os.Stat("/proc/sys/net/bridge"); err == nil && !strings.Contains(text, "br_netfilter is on") {
		t.Errorf("no br_netfilter in %s", text)
	}
}

// TestPublishedPortsBehindForeignRules have a firewall that lets guests out, and nobody in.
func TestPublishedPortsBehindForeignRules(t *testing.T) {
	nettest.NeedRoot(t)
	r := newRouter(t)
	bridgeNetfilter(t, r, 0)
	h := r.open(t)
	cfg := networks(with(lab(), func(n *Network) {
		n.Publish = []Publish{{Name: "www", TCP: true, Listen: 8080, Port: 80, Count: 1, Target: guestOf(*n)}}
	}))
	r.Run(t, "nft", `add table inet own; add chain inet own fw { type filter hook forward priority 0; policy drop; };
		add rule inet own fw ct state established,related accept; add rule inet own fw iifname "br0" accept`)
	check := func(want string) []Problem {
		t.Helper()
		problems, err := h.Check(cfg)
		if err != nil || (want == "") != (len(problems) == 0) || want != "" && problems[0].Summary != want {
			t.Errorf("%v %+v, want %q", err, problems, want)
		}
		return problems
	}
	for _, p := range check("chain inet own fw drops what it doesn't know: guests would not be reached at their published ports") {
		r.Run(t, "sh", "-e", "-c", p.Remedy)
	}
	check("")
	r.Run(t, "nft", `flush chain inet own fw; add rule inet own fw ct state established,related accept; add rule inet own fw iifname "br0" accept; add rule inet own fw ct status dnat accept`)
	check("")
}
