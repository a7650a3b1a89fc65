package doctor

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"labnet/internal/control"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	webMAC   = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	otherMAC = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 2}
	webAddr  = netip.MustParseAddr("10.0.0.100")
	gateway  = netip.MustParsePrefix("10.0.0.1/24")
	theTime  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	errWire  = errors.New("i/o timeout")
)

// healthy is a host with one network and one guest, where nothing is wrong.
func healthy() *facts {
	return &facts{
		name: "example.org",
		networks: []Network{{
			Name: "lab", Bridge: "br0", Domain: "lab.internal", Address: gateway, Masquerade: true, DHCP: true, DNS: true, Attach: []string{"vm*"}, Mode: "routed",
		}},
		status: &control.Status{PID: 812, Version: "1.0", Networks: []control.Network{{
			Name: "lab", Mode: "routed", Bridge: "br0", Addresses: 10, Leased: 1, DHCP: control.Counters{},
		}}},
		kernel: kernel{
			links: []link{
				{index: 2, name: "eth0", mac: net.HardwareAddr{2, 0, 0, 0, 0, 2}, up: true, carrier: true, addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24")}},
				{index: 3, name: "br0", kind: "bridge", up: true, carrier: true, addresses: []netip.Prefix{gateway}},
				{index: 4, name: "vm1", kind: "tun", master: 3, up: true, carrier: true, state: portForwarding},
			},
			stations: []station{{webMAC, 4}},
		},
		ways:      map[string]way{"lab": {out: link{name: "eth0", up: true, carrier: true}, gateway: netip.MustParseAddr("192.0.2.1"), source: netip.MustParseAddr("192.0.2.2"), answers: true}},
		local:     map[string]reply{"lab": {rcode: "NOERROR", answers: []netip.Addr{gateway.Addr()}, took: time.Millisecond}},
		outside:   map[string]reply{"lab": {rcode: "NOERROR", took: 2 * time.Millisecond}},
		upstreams: []upstream{{group: "host", server: netip.MustParseAddrPort("192.0.2.53:53"), name: "example.org", reply: reply{rcode: "NOERROR", took: time.Millisecond}}},
		leases:    []control.Lease{{Network: "lab", Address: webAddr, MAC: webMAC.String(), Name: "web", Hostname: "web", State: "bound", Expires: theTime}},
		moved:     map[string]uint64{},
	}
}

// web is the guest of a healthy host.
func web(f *facts) *guest {
	return &guest{
		asked: "web", mac: webMAC, addr: webAddr, port: f.kernel.links[2], network: &f.networks[0], lease: &f.leases[0],
		probed: true, owners: []net.HardwareAddr{webMAC}, pings: true, uses: []netip.Addr{webAddr},
		resolves: reply{rcode: "NOERROR", answers: []netip.Addr{webAddr}}, tracked: 1, way: f.ways["lab"], moved: map[string]uint64{},
	}
}

// lan makes the network one whose guests are machines of the LAN.
func lan(f *facts) {
	f.networks = []Network{{Name: "lan", Mode: bridged, Bridge: "br0", Uplink: "eth0", Address: netip.MustParsePrefix("192.0.2.2/24")}}
	f.status.Networks = []control.Network{{Name: "lan", Mode: bridged, Bridge: "br0", Uplink: "eth0", Handover: &control.Handover{State: control.HandoverKept}}}
	f.kernel.links[0].addresses, f.kernel.links[1].addresses = nil, []netip.Prefix{f.networks[0].Address}
	f.kernel.links[0].master, f.kernel.links[0].state = 3, portForwarding
	f.ways = map[string]way{"lan": {out: f.kernel.links[1], gateway: netip.MustParseAddr("192.0.2.1"), source: netip.MustParseAddr("192.0.2.2"), answers: true}}
	f.leases = []control.Lease{{Network: "lan", Address: netip.MustParseAddr("192.0.2.77"), MAC: webMAC.String(), State: "observed", LastSeen: theTime, Port: "vm1"}}
}

// publish publishes the guest's port 80.
func publish(c call) func(f *facts) {
	return func(f *facts) {
		f.networks[0].Hosts = []Host{{Name: "web", MAC: webMAC}}
		f.networks[0].Published = []Published{{Name: "www", TCP: true, Listen: "8080", Host: "web", Port: 80}}
		f.calls = map[string]call{"lab/www": c}
	}
}

func problem(p control.Problem) func(f *facts) {
	return func(f *facts) { f.problems = append(f.problems, p) }
}

func change(group, text string) func(f *facts) {
	return func(f *facts) { f.changes = append(f.changes, control.Change{Group: group, Text: text}) }
}

// kase is one thing that is as it is.
type kase struct {
	name string
	host func(f *facts)           // what is so of the host
	then func(f *facts, g *guest) // and of the guest; nil: the host is judged
}

var hostCases = []kase{
	{name: "healthy"},
	{name: "configuration: wrong, with a daemon", host: func(f *facts) { f.configError = "labnet.hcl:4: unknown argument" }},
	{name: "configuration: wrong, without", host: func(f *facts) {
		f.configError, f.status, f.statusErr, f.networks = "labnet.hcl:4: unknown argument", nil, control.ErrNotRunning, nil
	}},
	{name: "daemon: not asked", host: func(f *facts) { f.status, f.statusErr = nil, syscall.EACCES }},
	{name: "host: no privilege", host: func(f *facts) { f.planErr = errors.New("the capability CAP_NET_ADMIN is missing") }},
	{name: "host: no kernel", host: func(f *facts) { f.planErr, f.root = errors.New("the kernel has no nftables"), true }},
	{name: "host: problems and notes", host: func(f *facts) {
		problem(control.Problem{Summary: "chain ip filter FORWARD drops what it doesn't know", Remedy: "iptables -I DOCKER-USER -i br0 -j ACCEPT"})(f)
		problem(control.Problem{Network: "lab", Fatal: true, Summary: "10.0.0.0/24 overlaps the route to 10.0.0.0/8 on eth0", Remedy: "192.168.0.1/24 is free"})(f)
		problem(control.Problem{Summary: "the host has no default route", Remedy: "said by the uplink"})(f)
		f.notes = []control.Note{{Text: "br_netfilter is on", Hint: "off: sysctl -w net/bridge/bridge-nf-call-iptables=0"}}
	}},
	{name: "bridge: gone", host: func(f *facts) { f.kernel.links = f.kernel.links[:1] }},
	{name: "bridge: another kind of link", host: func(f *facts) { f.kernel.links[1].kind = "veth" }},
	{name: "bridge: down", host: func(f *facts) { f.kernel.links[1].up = false }},
	{name: "bridge: no address", host: func(f *facts) { f.kernel.links[1].addresses = nil }},
	{name: "bridge: no secondary address", host: func(f *facts) { f.networks[0].Secondary = []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")} }},
	{name: "ports: down", host: func(f *facts) { f.kernel.links[2].up = false }},
	{name: "ports: idle", host: func(f *facts) { f.kernel.links[2].carrier = false }},
	{name: "dhcp: not served", host: func(f *facts) { f.status.Networks[0].DHCP = nil }},
	{name: "dhcp: full", host: func(f *facts) { f.status.Networks[0].Leased = 10 }},
	{name: "dhcp: nearly full", host: func(f *facts) { f.status.Networks[0].Leased = 9 }},
	{name: "dhcp: another server", host: func(f *facts) {
		f.status.Networks[0].OtherServers = []control.OtherServer{{Server: netip.MustParseAddr("10.0.0.66"), MAC: webMAC.String()}, {Server: netip.MustParseAddr("10.0.0.67")}}
	}},
	{name: "dns: dead", host: func(f *facts) { f.local["lab"] = reply{err: errWire} }},
	{name: "dns: wrong", host: func(f *facts) { f.local["lab"] = reply{rcode: "REFUSED"} }},
	{name: "upstream: none", host: func(f *facts) { f.upstreams = nil; f.outside["lab"] = reply{rcode: "SERVFAIL"} }},
	{name: "upstream: dead", host: func(f *facts) {
		f.upstreams[0].reply = reply{err: errWire}
		f.outside["lab"] = reply{rcode: "SERVFAIL"}
	}},
	{name: "upstream: one of two dead", host: func(f *facts) {
		f.upstreams = append(f.upstreams, upstream{group: "host", server: netip.MustParseAddrPort("192.0.2.54:5353"), name: "example.org", reply: reply{err: errWire}},
			upstream{group: "corp", server: netip.MustParseAddrPort("192.0.2.55:53"), name: "corp.example", kind: dns.TypeSOA, reply: reply{err: errWire}})
	}},
	{name: "upstream: refuses", host: func(f *facts) { f.upstreams[0].reply = reply{rcode: "REFUSED"} }},
	{name: "upstream: guests get no answer", host: func(f *facts) { f.outside["lab"] = reply{err: errWire} }},
	{name: "upstream: guests are refused", host: func(f *facts) { f.outside["lab"] = reply{rcode: "SERVFAIL"} }},
	{name: "kernel: rules", host: change("firewall", "~ chain inet labnet to_lab (0 -> 4 rules)")},
	{name: "kernel: masquerade", host: change("firewall", "~ chain inet labnet masquerade_lab (0 -> 5 rules)")},
	{name: "kernel: forwarding", host: change("sysctls", "net/ipv4/conf/eth0/forwarding: 0 -> 1")},
	{name: "kernel: a port", host: change("ports", "+ port vm2 on br0")},
	{name: "kernel: a confirmed handover", host: change("uplink", "br0 takes over from eth0")},
	{name: "nat: two networks", host: func(f *facts) {
		f.networks = append(f.networks, Network{Name: "open", Bridge: "br0", Address: gateway, Mode: "routed"})
	}},
	{name: "uplink: no route", host: func(f *facts) { f.ways["lab"] = way{err: syscall.ENETUNREACH} }},
	{name: "uplink: the bridge itself", host: func(f *facts) { f.ways["lab"] = way{out: link{name: "br0"}} }},
	{name: "uplink: another", host: func(f *facts) { f.networks[0].Uplink = "eth1" }},
	{name: "uplink: down", host: func(f *facts) { f.ways["lab"] = way{out: link{name: "eth0"}} }},
	{name: "uplink: no carrier", host: func(f *facts) { f.ways["lab"] = way{out: link{name: "eth0", up: true}} }},
	{name: "uplink: not asked", host: func(f *facts) {
		w := f.ways["lab"]
		w.unasked = true
		f.ways["lab"] = w
	}},
	{name: "uplink: silent router", host: func(f *facts) {
		w := f.ways["lab"]
		w.answers = false
		f.ways["lab"] = w
	}},
	{name: "drops: now", host: func(f *facts) { f.moved = map[string]uint64{"inet spoofed": 3, "inet refused_in": 9} }},
	{name: "drops: before", host: func(f *facts) { f.totals = map[string]uint64{"bridge impostor": 4, "inet masqueraded": 70} }},

	{name: "isolated", host: func(f *facts) { f.networks[0].Mode, f.networks[0].Masquerade = isolated, false; f.ways = nil }},
	{name: "isolate_guests", host: func(f *facts) { f.networks[0].Isolate, f.kernel.links[2].apart = true, true }},
	{name: "isolate_guests: an open port", host: func(f *facts) { f.networks[0].Isolate = true }},
	{name: "host_access", host: func(f *facts) { f.networks[0].Services = true }},
	{name: "allow_from", host: func(f *facts) { f.networks[0].AllowFrom = []string{"dmz", "office"} }},
	{name: "strict", host: func(f *facts) { f.networks[0].Strict = true }},
	{name: "strict: many ports", host: func(f *facts) {
		f.networks[0].Strict, f.unheard = true, map[string]int{"lab": 12}
	}},
	{name: "strict: a stray", host: func(f *facts) {
		f.networks[0].Strict = true
		f.judgeSenders(map[string][]stray{"lab": {{"vm1", webMAC, webAddr}, {"vm1", webMAC, netip.MustParseAddr("10.0.0.9")}}})
	}},
	{name: "strict: many strays", host: func(f *facts) {
		f.networks[0].Strict = true
		f.strays = map[string][]stray{"lab": slices.Repeat([]stray{{"vm1", webMAC, netip.MustParseAddr("10.0.0.9")}}, 13)}
	}},

	{name: "publish: answered", host: publish(call{target: webAddr, asked: true, there: true, dialled: true})},
	{name: "publish: not called", host: func(f *facts) {
		publish(call{target: webAddr})(f)
		f.networks[0].Published[0].TCP, f.networks[0].Published[0].UDP = false, true
	}},
	{name: "publish: leads nowhere", host: publish(call{})},
	{name: "publish: leases unknown", host: func(f *facts) { publish(call{})(f); f.leasesErr = syscall.EACCES }},
	{name: "publish: the guest is off", host: publish(call{target: webAddr, asked: true})},
	{name: "publish: refused", host: publish(call{target: webAddr, dialled: true, err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)})},
	{name: "publish: silent", host: publish(call{target: webAddr, dialled: true, err: errWire})},
	{name: "publish: an address that isn't there", host: func(f *facts) {
		publish(call{target: webAddr})(f)
		f.networks[0].Published[0].Address, f.networks[0].Published[0].UDP = netip.MustParseAddr("192.0.2.200"), true
	}},
	{name: "publish: taken", host: problem(control.Problem{
		Network: "lab", Fatal: true, Summary: `publish "www": TCP port 8080 of the host is in use by nginx (pid 7)`, Remedy: "publish another port",
	})},

	{name: "bridged", host: lan},
	{name: "bridged: pending", host: func(f *facts) {
		lan(f)
		f.kernel.links = f.kernel.links[:1]
		f.status.Networks[0].Handover.State = control.HandoverPending
		problem(control.Problem{Network: "lan", Summary: "pending: labnet apply. The last change of eth0 went back at 12:00: it was not confirmed in time", Remedy: "labnet apply moves the addresses"})(f)
	}},
	{name: "bridged: pending, beside a bridge", host: func(f *facts) {
		lan(f)
		f.kernel.links[0].master = 0
		f.status.Networks[0].Handover.State = control.HandoverPending
		problem(control.Problem{Network: "lan", Summary: "pending: labnet apply", Remedy: "labnet apply moves the addresses"})(f)
	}},
	{name: "bridged: to be confirmed", host: func(f *facts) {
		lan(f)
		f.status.Networks[0].Handover = &control.Handover{State: control.HandoverWaiting, Left: 57}
		problem(control.Problem{Network: "lan", Summary: "br0 has taken over from eth0, and gives it back in 57s unless that is confirmed", Remedy: "over a new connection: labnet confirm TOKEN"})(f)
	}},
	{name: "bridged: no bridge", host: func(f *facts) { lan(f); f.kernel.links = f.kernel.links[:1] }},
	{name: "bridged: another kind of link", host: func(f *facts) { lan(f); f.kernel.links[1].kind = "dummy" }},
	{name: "bridged: down", host: func(f *facts) { lan(f); f.kernel.links[1].up = false }},
	{name: "bridged: no uplink", host: func(f *facts) { lan(f); f.kernel.links[0].name = "enp1s0" }},
	{name: "bridged: no port", host: func(f *facts) { lan(f); f.kernel.links[0].master = 0 }},
	{name: "bridged: uplink down", host: func(f *facts) { lan(f); f.kernel.links[0].up = false }},
	{name: "bridged: no carrier", host: func(f *facts) { lan(f); f.kernel.links[0].carrier = false }},
	{name: "bridged: blocking", host: func(f *facts) { lan(f); f.kernel.links[0].state = 4 }},
	{name: "bridged: an unknown state", host: func(f *facts) { lan(f); f.kernel.links[0].state = 9 }},
	{name: "bridged: no address", host: func(f *facts) { lan(f); f.kernel.links[1].addresses = nil }},
	{name: "bridged: no default route", host: func(f *facts) { lan(f); f.ways["lan"] = way{err: syscall.ENETUNREACH} }},
	{name: "bridged: another way out", host: func(f *facts) { lan(f); f.ways["lan"] = way{out: link{name: "eth1"}} }},
	{name: "bridged: not asked", host: func(f *facts) {
		lan(f)
		w := f.ways["lan"]
		w.unasked = true
		f.ways["lan"] = w
	}},
	{name: "bridged: silent router", host: func(f *facts) {
		lan(f)
		w := f.ways["lan"]
		w.answers = false
		f.ways["lan"] = w
	}},
}

var guestCases = []kase{
	{name: "healthy", then: func(*facts, *guest) {}},
	{name: "port: heard nowhere", then: func(_ *facts, g *guest) { g.port = link{} }},
	{name: "port: heard nowhere, one is down", then: func(f *facts, g *guest) { g.port = link{}; f.kernel.links[2].up = false }},
	{name: "port: on no bridge", then: func(_ *facts, g *guest) { g.port.master = 0 }},
	{name: "port: on no bridge, no network", then: func(f *facts, g *guest) { g.port.master, g.network, f.networks = 0, nil, nil }},
	{name: "port: no network", then: func(_ *facts, g *guest) { g.network, g.port = nil, link{} }},
	{name: "port: down", then: func(_ *facts, g *guest) { g.port.up = false }},
	{name: "port: no carrier", then: func(_ *facts, g *guest) { g.port.carrier = false }},
	{name: "port: blocking", then: func(_ *facts, g *guest) { g.port.state = 4 }},
	{name: "port: silent", then: func(_ *facts, g *guest) { g.mac = nil; g.lease = nil; g.owners, g.uses = nil, nil }},
	{name: "lease: unreadable", then: func(f *facts, _ *guest) { f.leasesErr = syscall.EACCES }},
	{name: "lease: no DHCP", then: func(_ *facts, g *guest) { g.network.DHCP = false }},
	{name: "lease: for ever", then: func(_ *facts, g *guest) { g.lease.Expires = time.Time{} }},
	{name: "lease: another address is set", then: func(_ *facts, g *guest) { g.uses = []netip.Addr{netip.MustParseAddr("192.168.9.9")} }},
	{name: "lease: a foreign address", then: func(_ *facts, g *guest) {
		g.lease, g.owners, g.uses = nil, nil, []netip.Addr{netip.MustParseAddr("192.168.9.9")}
	}},
	{name: "lease: an address of the network is set", then: func(_ *facts, g *guest) { g.lease = nil }},
	{name: "lease: a reserved address", then: func(_ *facts, g *guest) { g.lease, g.host = nil, &Host{Name: "web", MAC: webMAC, Address: webAddr} }},
	{name: "lease: no daemon", then: func(f *facts, g *guest) { bare(f, g); f.status, f.statusErr = nil, control.ErrNotRunning }},
	{name: "lease: unexplained", then: func(f *facts, g *guest) { bare(f, g); g.explainErr = errWire }},
	{name: "lease: exhausted", then: func(f *facts, g *guest) {
		bare(f, g)
		g.explained = &control.DHCPExplanation{Discover: control.DHCPAnswer{Reason: "exhausted", Text: "no address is free"}}
	}},
	{name: "lease: denied", then: func(f *facts, g *guest) {
		bare(f, g)
		g.explained = &control.DHCPExplanation{Discover: control.DHCPAnswer{Reason: "denied", Text: "the client is unknown"}}
	}},
	{name: "lease: refused otherwise", then: func(f *facts, g *guest) {
		bare(f, g)
		g.explained = &control.DHCPExplanation{Discover: control.DHCPAnswer{Reason: "other", Text: "something else"}}
	}},
	{name: "lease: it has ended", then: func(f *facts, g *guest) {
		bare(f, g)
		g.lease = &control.Lease{Address: webAddr, State: "expired"}
		g.explained = &control.DHCPExplanation{Discover: control.DHCPAnswer{Reply: "OFFER", Address: webAddr}}
	}},
	{name: "lease: it never asked", then: func(f *facts, g *guest) {
		bare(f, g)
		g.explained = &control.DHCPExplanation{Discover: control.DHCPAnswer{Reply: "OFFER", Address: webAddr}}
	}},
	{name: "reach: not asked", then: func(_ *facts, g *guest) { g.probed = false }},
	{name: "reach: two machines", then: func(_ *facts, g *guest) { g.owners = []net.HardwareAddr{webMAC, otherMAC} }},
	{name: "reach: another machine", then: func(_ *facts, g *guest) { g.owners = []net.HardwareAddr{otherMAC} }},
	{name: "reach: silent", then: func(_ *facts, g *guest) { g.owners = nil }},
	{name: "reach: no ping", then: func(_ *facts, g *guest) { g.pings = false }},
	{name: "name: none asked for", then: func(_ *facts, g *guest) { g.lease.Name, g.lease.Hostname = "", "" }},
	{name: "name: another has it", then: func(_ *facts, g *guest) {
		g.lease.Name = ""
		g.explained = &control.DHCPExplanation{NameHolder: &control.Lease{Address: netip.MustParseAddr("10.0.0.101"), MAC: otherMAC.String()}}
	}},
	{name: "name: reserved", then: func(_ *facts, g *guest) {
		g.lease.Name = ""
		g.explained = &control.DHCPExplanation{NameObstacle: "reserved"}
	}},
	{name: "name: invalid", then: func(_ *facts, g *guest) {
		g.lease.Name, g.lease.Hostname = "", "web_1"
		g.explained = &control.DHCPExplanation{NameObstacle: "invalid"}
	}},
	{name: "name: unexplained", then: func(_ *facts, g *guest) { g.lease.Name = "" }},
	{name: "name: no answer", then: func(_ *facts, g *guest) { g.resolves = reply{err: errWire} }},
	{name: "name: wrong", then: func(_ *facts, g *guest) { g.resolves = reply{rcode: "NXDOMAIN"} }},
	{name: "name: another than asked", then: func(_ *facts, g *guest) { g.lease.Hostname = "www" }},
	{name: "drops", then: func(_ *facts, g *guest) { g.moved = map[string]uint64{"inet spoofed": 2, "inet masqueraded": 9} }},
	{name: "way out: none", then: func(_ *facts, g *guest) { g.way = way{err: syscall.ENETUNREACH} }},
	{name: "way out: as itself", then: func(_ *facts, g *guest) { g.network.Masquerade, g.tracked = false, -1 }},
	{name: "isolated", then: func(_ *facts, g *guest) { g.network.Mode = isolated }},
	{name: "isolate_guests", then: func(_ *facts, g *guest) { g.network.Isolate, g.port.apart = true, true }},
	{name: "isolate_guests: open", then: func(_ *facts, g *guest) { g.network.Isolate = true }},
	{name: "host_access", then: func(_ *facts, g *guest) { g.network.Services = true }},
	{name: "strict", then: func(_ *facts, g *guest) { g.network.Strict = true }},
	{name: "strict: a stray", then: func(_ *facts, g *guest) {
		g.network.Strict = true
		g.uses = append(g.uses, netip.MustParseAddr("10.0.0.9"))
	}},
	{name: "published", host: publish(call{}), then: func(f *facts, _ *guest) {
		problem(control.Problem{Network: "lab", Fatal: true, Summary: `publish "www": TCP port 8080 of the host is in use by nginx (pid 7)`, Remedy: "publish another port"})(f)
	}},
	{name: "bridged", host: lan, then: onLAN},
	{name: "bridged: without a daemon", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); bare(f, g); f.status, f.statusErr = nil, control.ErrNotRunning }},
	{name: "bridged: nothing given", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); bare(f, g) }},
	{name: "bridged: heard", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); g.lease = nil }},
	{name: "bridged: answers", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); g.lease, g.uses = nil, nil }},
	{name: "bridged: unreadable", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); f.leasesErr = syscall.EACCES }},
	{name: "bridged: silent", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); g.owners = nil }},
	{name: "bridged: never heard", host: lan, then: func(f *facts, g *guest) { onLAN(f, g); bare(f, g); g.mac = nil }},
}

// bare takes everything from a guest but its MAC and its port.
func bare(_ *facts, g *guest) {
	g.lease, g.owners, g.uses, g.addr, g.probed = nil, nil, nil, netip.Addr{}, false
}

func onLAN(f *facts, g *guest) {
	g.addr = f.leases[0].Address
	g.uses = []netip.Addr{g.addr}
}

// judged is what is found of a case.
func (k kase) judged() []Finding {
	f := healthy()
	if k.host != nil {
		k.host(f)
	}
	if k.then == nil {
		return f.judge()
	}
	g := web(f)
	k.then(f, g)
	return append(f.daemon(), g.judge(f)...)
}

// TestJudgements holds what a person reads in each case, as far as it isn't what is said of a healthy host.
func TestJudgements(t *testing.T) {
	var text strings.Builder
	writeCases(&text, "host", hostCases)
	writeCases(&text, "guest", guestCases)
	const path = "testdata/findings.txt"
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("run the test with -update if this is meant (-want +got):\n%s", diff)
	}
}

func writeCases(text *strings.Builder, what string, cases []kase) {
	usual := cases[0].judged()
	for i, k := range cases {
		fmt.Fprintf(text, "# %s, %s\n", what, k.name)
		for _, f := range k.judged() {
			if i == 0 || !slices.Contains(usual, f) {
				fmt.Fprintf(text, "[%s] %s: %s\n", f.Status, strings.TrimSpace(f.Area+" "+f.Network), f.What)
				if f.Fix != "" {
					fmt.Fprintf(text, "  %s\n", f.Fix)
				}
			}
		}
		text.WriteByte('\n')
	}
}
