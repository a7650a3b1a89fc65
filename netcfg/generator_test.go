package netcfg

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// randomPublish is some ports that lead to guests of a network, by their address or their name; no two networks have one in common.
func randomPublish(r *rand.Rand, network int, subnet netip.Prefix) []Publish {
	var out []Publish
	for i := range r.IntN(3) {
		p := Publish{
			Name: fmt.Sprintf("p%d", i), Listen: uint16(1000*(network+1) + 100*i), Port: uint16(1 + r.IntN(3)), Count: uint16(1 + r.IntN(3)),
			TCP: r.IntN(2) == 0,
		}
		p.UDP = !p.TCP || r.IntN(2) == 0
		if r.IntN(2) == 0 {
			p.Address = netip.MustParseAddr("192.0.2.2")
		}
		if r.IntN(2) == 0 {
			p.Guest = fmt.Sprintf("g%d", r.IntN(2))
		} else {
			octets := subnet.Addr().As4()
			octets[3] = byte(10 + r.IntN(3))
			p.Target = netip.AddrFrom4(octets)
		}
		out = append(out, p)
	}
	return out
}

// randomSegments is one bridge on the LAN or none, with guests' links or without.
func randomSegments(r *rand.Rand) []Segment {
	if r.IntN(2) == 0 {
		return nil
	}
	s := Segment{Name: "lan", Bridge: "brlan", Uplink: "eth2", TAPs: randomTAPs(r, 9)}
	if r.IntN(3) > 0 {
		s.Attach = []string{[]string{"lan*", "lan0"}[r.IntN(2)]}
	}
	return []Segment{s}
}

// addSegment has an uplink handed over to a bridge already, with links that could be its guests'; or not yet.
func (m *memory) addSegment(r *rand.Rand) {
	m.next++
	uplink := link{index: m.next, name: "eth2", mtu: 1500, up: true, mac: "02:00:00:00:02:02"}
	if r.IntN(4) > 0 {
		m.next++
		m.links = append(m.links, link{index: m.next, name: "brlan", kind: "bridge", alias: segmentAlias, mtu: 1500, up: true, mac: uplink.mac})
		m.sysctls[forwardingOf("brlan")] = "0"
		uplink.master = m.next
	}
	m.links = append(m.links, uplink)
	m.sysctls[forwardingOf("eth2")] = "0"
	for _, name := range []string{"lan0", "lan1"} {
		m.next++
		m.links = append(m.links, link{index: m.next, name: name, mtu: 1500, mac: fmt.Sprintf("02:00:00:00:03:%02d", m.next)})
		m.sysctls[forwardingOf(name)] = "0"
	}
	if r.IntN(2) == 0 {
		m.sysctls[bridgeCallsIPTables] = "1"
	}
}

// vandalisePorts takes the hairpin mode from ports, as no labnet would. (Who turns it on is let to have it.)
func vandalisePorts(r *rand.Rand, m *memory) {
	for i := range m.links {
		if l := &m.links[i]; l.master != 0 && l.name != "eth2" && r.IntN(3) == 0 {
			l.hairpin = false
		}
	}
}

// randomSubnets is secondary addresses of a network, and what lies behind a guest of the first of them.
func randomSubnets(r *rand.Rand, network int) (secondary []netip.Prefix, routes []Route) {
	at := func(third, last int) netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(network), byte(third), byte(last)})
	}
	for i := range r.IntN(3) {
		secondary = append(secondary, netip.PrefixFrom(at(100+i, 1+r.IntN(2)), 24))
	}
	for i := range r.IntN(3) {
		if len(secondary) > 0 {
			routes = append(routes, Route{Subnet: netip.PrefixFrom(at(200+8*i, 0), 22+r.IntN(3)), Via: at(100, 5+r.IntN(2))})
		}
	}
	return secondary, routes
}
