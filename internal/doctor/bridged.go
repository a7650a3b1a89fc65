package doctor

import (
	"fmt"
	"strings"
	"time"

	"labnet/internal/control"
)

// portForwarding is BR_STATE_FORWARDING of uapi/linux/if_bridge.h, and portStates are the names that `bridge link` has for all.
const portForwarding = 3

var portStates = []string{"disabled", "listening", "learning", "forwarding", "blocking"}

func (l link) stateName() string {
	if int(l.state) < len(portStates) {
		return portStates[l.state]
	}
	return fmt.Sprintf("in state %d", l.state)
}

// settle gives bridged networks that say no address the one that their bridge has.
func (f *facts) settle() {
	for i := range f.networks {
		n := &f.networks[i]
		if l, ok := f.kernel.link(n.Bridge); ok && !n.Address.IsValid() && len(l.addresses) > 0 {
			n.Address = l.addresses[0]
		}
	}
}

// bridgedNetwork judges a network whose guests are machines of the LAN.
func (f *facts) bridgedNetwork(n Network) []Finding {
	out := about("bridge", n.Name)
	bridge, ok := f.kernel.link(n.Bridge)
	uplink, there := f.kernel.link(n.Uplink)
	switch {
	case !ok && f.pending(n):
		return nil // what is pending says so
	case !ok:
		out.fail("labnet apply", "%s doesn't exist: guests aren't on the LAN", n.Bridge)
		return out.list
	case bridge.kind != "bridge":
		out.fail("name another bridge", "%s isn't a bridge, but a link of the kind %s", n.Bridge, bridge.kind)
		return out.list
	case !bridge.up:
		out.fail("ip link set "+n.Bridge+" up", "%s is down", n.Bridge)
	case !there:
		out.fail("ip -br link shows whether it has another name now; labnet down gives the bridge up", "its uplink %s doesn't exist", n.Uplink)
	case uplink.master != bridge.index && f.pending(n):
		return nil
	case uplink.master != bridge.index:
		out.fail("ip link set "+uplink.name+" master "+n.Bridge, "%s is no port of %s: guests aren't on the LAN", uplink.name, n.Bridge)
	case !uplink.up:
		out.fail("ip link set "+uplink.name+" up", "the uplink %s is down", uplink.name)
	case !uplink.carrier:
		out.fail("plug the cable in, or look at the other end of it; ethtool "+uplink.name, "the uplink %s has no carrier", uplink.name)
	case uplink.state != portForwarding:
		out.fail("bridge link set dev "+uplink.name+" state 3", "the port %s is %s, not forwarding: nothing passes between the LAN and guests", uplink.name, uplink.stateName())
	case n.Address.IsValid() && !hasAddress(bridge, n):
		out.fail("ip address add "+n.Address.String()+" dev "+n.Bridge+"; or labnet down, which gives it back to "+uplink.name, "%s hasn't the host's address %s", n.Bridge, n.Address)
	default:
		out.ok("%s is up, and its port %s forwards to the LAN", n.Bridge, uplink.name)
	}
	out.list = append(out.list, f.handedOver(n)...)
	out.list = append(out.list, f.ports(n, bridge)...)
	return append(out.list, f.lanGateway(n)...)
}

func hasAddress(l link, n Network) bool {
	for _, a := range l.addresses {
		if a == n.Address {
			return true
		}
	}
	return false
}

// pending reports whether something is said of a network's handover, which isn't made then, or not for good.
func (f *facts) pending(n Network) bool {
	for _, p := range f.problems {
		if p.Network == n.Name {
			return true
		}
	}
	return false
}

// handedOver says whether the change of the uplink is for good; one that isn't is among the problems.
func (f *facts) handedOver(n Network) []Finding {
	out := about("handover", n.Name)
	s, ok := f.of(n.Name)
	if ok && s.Handover != nil && s.Handover.State == control.HandoverKept {
		out.ok("confirmed: %s keeps what %s had", n.Bridge, n.Uplink)
	}
	return out.list
}

// lanGateway judges the host's own way out, which shows whether the LAN is reached over the bridge.
func (f *facts) lanGateway(n Network) []Finding {
	out := about("uplink", n.Name)
	switch w := f.ways[n.Name]; {
	case w.err != nil:
		out.warn("ip route show default; guests use the LAN's router all the same", "the host itself has no default route (%v)", w.err)
	case w.out.name != n.Bridge:
		out.ok("the host itself leaves by %s, not by %s", w.out.name, n.Bridge)
	case w.unasked:
		out.ok("the host leaves by it too, %s", w.by())
	case !w.answers:
		out.fail("arping -I "+n.Bridge+" "+w.gateway.String()+"; see whether that router is on, and tcpdump -ni "+n.Uplink+" arp", "the LAN's router %s doesn't answer ARP over %s", w.gateway, n.Bridge)
	default:
		out.ok("the LAN's router %s answers over %s", w.gateway, n.Bridge)
	}
	return out.list
}

// onLAN judges the address of a guest that the LAN's own DHCP server serves.
func (g *guest) onLAN(f *facts) []Finding {
	out := about("lease", g.networkName())
	seen := g.lease != nil && g.lease.State == "observed"
	switch used := g.anyAddress(); {
	case f.leasesErr != nil:
		out.warn("sudo labnet doctor "+g.asked, "what was seen of guests can't be read: %v", f.leasesErr)
	case seen:
		text := g.lease.Address.String() + " was seen at " + g.lease.LastSeen.Local().Format(time.DateTime)
		if g.lease.Port != "" {
			text += " on " + g.lease.Port
		}
		out.ok("%s; the LAN gives addresses here", text)
	case used != "":
		out.ok("it uses %s; the LAN gives addresses here", used)
	case f.status == nil:
		out.fail("labnet run", "no address of it is known: no daemon listens to the guests of %s", g.network.Bridge)
	default:
		out.fail("tcpdump -eni "+g.network.Uplink+" 'port 67 or port 68' shows whether its question leaves and an answer comes",
			"no address of it was seen: the LAN's DHCP server has given it nothing, or it never asked")
	}
	return out.list
}

// anyAddress is what it was heard sending from, or answers at.
func (g *guest) anyAddress() string {
	for _, a := range g.uses {
		if !a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	if a := g.inside(); a.IsValid() {
		return a.String()
	}
	return ""
}

// areaOf is where a problem belongs that isn't about what else lives on the host.
func (f *facts) areaOf(p control.Problem) string {
	if strings.HasPrefix(p.Summary, "publish \"") {
		return "publish"
	}
	for _, n := range f.networks {
		if n.Name == p.Network && !n.routed() {
			return "handover"
		}
	}
	return "host"
}
