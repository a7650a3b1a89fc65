package netcfg

import (
	"fmt"
	"slices"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Where br_netfilter shows bridged frames to the IP rules, a port's destination is translated while its frame is still at the bridge: one
// that leads back to the guest that called must leave by the port that it came in by, which a bridge only does in hairpin mode. That mode
// also reflects what guests say to all, and what the bridge doesn't know a port for; the rules here let nothing back but what goes to
// a published guest.

// bridgeCallsIPTables is the switch for all bridges of a namespace; each has one of its own beside it.
const bridgeCallsIPTables sysctlKey = "net/bridge/bridge-nf-call-iptables"

// hairpins are the ports in hairpin mode, each as a pair with itself.
const hairpins = "hairpins"

// setHairpin turns a port's hairpin mode on or off.
type setHairpin struct {
	name string
	on   bool
}

func (c setHairpin) Group() string { return groupPorts }

func (c setHairpin) String() string {
	if c.on {
		return fmt.Sprintf("~ port %s (hairpin off -> on)", c.name)
	}
	return fmt.Sprintf("~ port %s (hairpin on -> off)", c.name)
}

// wantHairpins asks for hairpin mode on the ports of networks that publish, where it takes that, and leaves what somebody else turned on, but for
// our TAPs, which are made anew now and then.
func (f *facts) wantHairpins(cfg Config, s *state) {
	var ours map[string]string
	if t, ok := f.tables[bridgeTable]; ok {
		ours = t.sets[hairpins].elements
	}
	for name, p := range s.ports {
		l, _ := f.link(name)
		_, turnedOn := ours[name+between+name]
		p.hairpin = f.needsHairpin(cfg, p.bridge) || l.hairpin && !turnedOn && !f.ourTAP(l) && f.linkName(l.master) == p.bridge
		s.ports[name] = p
	}
}

func (f *facts) needsHairpin(cfg Config, bridge string) bool {
	return f.callsIPTables(bridge) && slices.ContainsFunc(cfg.Networks, func(n Network) bool { return n.Bridge == bridge && len(n.Publish) > 0 })
}

func (f *facts) callsIPTables(bridge string) bool {
	l, _ := f.link(bridge)
	return f.sysctls[bridgeCallsIPTables] == "1" || l.callsIPTables
}

// planHairpins gives the changes of ports' modes: those that turn it on, and those that turn it off.
func planHairpins(have, want *state, fresh map[string]bool) (on, off []Change) {
	for _, name := range sortedKeys(want.ports) {
		// A port that comes to another bridge, or is made anew, has forgotten its mode.
		moves := have.ports[name].bridge != want.ports[name].bridge || fresh[name]
		switch from, to := have.ports[name].hairpin && !moves, want.ports[name].hairpin; {
		case to && !from:
			on = append(on, setHairpin{name, true})
		case from && !to:
			off = append(off, setHairpin{name, false})
		}
	}
	return on, off
}

// addHairpins guards what ports in hairpin mode reflect.
func (t *table) addHairpins(cfg Config, f *facts, ports map[string]port) {
	var names []string
	for _, name := range sortedKeys(ports) {
		if f.needsHairpin(cfg, ports[name].bridge) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	t.declare(keyIfnames, false, false, hairpins)
	t.declare(keyIPv4, false, false, publishedGuests, publishedGuestsLeased)
	t.follow(f, bridgeTable, publishedGuestsLeased)
	for _, name := range names {
		t.add(hairpins, name+between+name, "")
	}
	for _, n := range cfg.Networks {
		for _, p := range n.Publish {
			if p.Target.IsValid() {
				t.add(publishedGuests, p.Target.String(), "")
			}
		}
	}
	t.chains["forward"] = hooked("filter", hookForward, priorityBridgeFilter,
		frame("", ifnamesIn(hairpins), leadTo("hairpin")))
	t.chains["hairpin"] = chain{rules: []rule{
		frame("", etherType(unix.ETH_P_IP), daddr4In(publishedGuests), accept()),
		frame("", etherType(unix.ETH_P_IP), daddr4In(publishedGuestsLeased), accept()),
		frame("nothing else goes back where it came from", drop()),
	}}
}

func daddr4In(set string) part {
	return part{payload(expr.PayloadBaseNetworkHeader, daddrOffset, 4), lookup(set)}
}

// configureHairpin sets a port's mode.
func configureHairpin(conn *netlink.Conn, index int, on bool) error {
	mode := byte(0)
	if on {
		mode = 1
	}
	header := ifinfo(index, 0, 0)
	header[0] = unix.AF_BRIDGE
	return request(conn, unix.RTM_SETLINK, 0, header, attrNested(unix.IFLA_PROTINFO, attr(unix.IFLA_BRPORT_MODE, []byte{mode})))
}

// readPort reads what a bridge knows of a link that is a port of it.
func (l *link) readPort(info []byte) {
	var kind string
	var details []byte
	_ = eachAttribute(info, 0, func(k uint16, v []byte) {
		switch k {
		case unix.IFLA_INFO_SLAVE_KIND:
			kind = text(v)
		case unix.IFLA_INFO_SLAVE_DATA:
			details = v
		}
	})
	if kind != "bridge" {
		return
	}
	_ = eachAttribute(details, 0, func(k uint16, v []byte) {
		if k == unix.IFLA_BRPORT_MODE && len(v) > 0 {
			l.hairpin = v[0] != 0
		}
	})
}
