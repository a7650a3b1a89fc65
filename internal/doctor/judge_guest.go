package doctor

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"labnet/internal/control"
)

// judge makes findings of what is known of a guest, in the order in which its packets go.
func (g *guest) judge(f *facts) []Finding {
	list := g.identity()
	if g.network == nil {
		return append(list, g.plugged(f)...)
	}
	list = append(list, g.plugged(f)...)
	if !g.network.routed() {
		return slices.Concat(list, g.onLAN(f), g.address())
	}
	list = append(list, g.leased(f)...)
	list = append(list, g.address()...)
	list = append(list, g.named(f)...)
	list = append(list, g.guarded(f)...)
	list = append(list, g.publishedAs(f)...)
	list = append(list, g.dropped()...)
	return append(list, g.out()...)
}

func (g *guest) networkName() string {
	if g.network == nil {
		return ""
	}
	return g.network.Name
}

func (g *guest) identity() []Finding {
	out := about("guest", g.networkName())
	var parts []string
	if g.mac != nil {
		parts = append(parts, g.mac.String())
	}
	if g.addr.IsValid() {
		parts = append(parts, g.addr.String())
	}
	if g.port.name != "" {
		parts = append(parts, "on "+g.port.name)
	}
	if g.host != nil {
		parts = append(parts, "host "+g.host.Name)
	}
	out.ok("%s", strings.Join(parts, ", "))
	return out.list
}

// plugged judges the guest's port.
func (g *guest) plugged(f *facts) []Finding {
	out := about("port", g.networkName())
	switch {
	case g.port.name == "" && g.network != nil:
		bridge, _ := f.kernel.link(g.network.Bridge)
		fix := "is it on, and plugged into " + g.network.Bridge + "? bridge link show"
		for _, p := range f.kernel.ports(bridge) {
			if !p.up {
				fix = "ip link set " + p.name + " up; it is down"
			}
		}
		out.fail(fix, "%s has heard nothing of it", g.network.Bridge)
	case g.port.name == "":
	case g.port.master == 0 || !f.ownsBridge(g.port.master):
		fix := "name its network's bridge: ip link set " + g.port.name + " master BRIDGE up"
		if len(f.networks) > 0 {
			fix = fmt.Sprintf("ip link set %s master %s up, or name it in `attach`", g.port.name, f.networks[0].Bridge)
		}
		out.fail(fix, "%s is on no bridge of labnet's", g.port.name)
	case !g.port.up:
		out.fail("ip link set "+g.port.name+" up", "%s is down", g.port.name)
	case !g.port.carrier:
		out.fail("start the machine, or look at its network card", "%s has no carrier: no machine runs on it", g.port.name)
	case g.port.state != portForwarding:
		out.fail("bridge link set dev "+g.port.name+" state 3", "the port %s is %s, not forwarding: nothing of its guest passes", g.port.name, g.port.stateName())
	case g.mac == nil && g.network != nil && !g.network.routed():
		out.fail("tcpdump -eni "+g.port.name+", while the guest brings its network card up", "nothing was heard on %s, which is up and forwards", g.port.name)
	case g.mac == nil:
		out.fail("labnet trace dhcp, while the guest brings its network card up", "%s is up, and nothing was heard on it", g.port.name)
	default:
		out.ok("%s is up on %s, and the machine is heard", g.port.name, g.bridgeName())
	}
	return out.list
}

func (g *guest) bridgeName() string {
	if g.network == nil {
		return "its bridge"
	}
	return g.network.Bridge
}

func (f *facts) ownsBridge(index int) bool {
	l, ok := f.kernel.byIndex(index)
	return ok && f.isBridge(l.name)
}

// leased judges the lease, and says why there is none.
func (g *guest) leased(f *facts) []Finding {
	out := about("lease", g.networkName())
	switch {
	case f.leasesErr != nil:
		out.warn("sudo labnet doctor "+g.asked, "leases can't be read: %v", f.leasesErr)
		return out.list
	case !g.network.DHCP:
		out.ok("DHCP isn't served here")
		return out.list
	case g.lease != nil && g.lease.State == "bound":
		until := "for ever"
		if !g.lease.Expires.IsZero() {
			until = "until " + g.lease.Expires.Local().Format(time.DateTime)
		}
		out.ok("%s is leased %s", g.lease.Address, until)
		if static := g.foreign(); len(static) > 0 && !slices.Contains(g.uses, g.lease.Address) {
			out.fail("let it ask by DHCP, instead of an address that is set in it", "it has a lease of %s, but sends from %s", g.lease.Address, join(static))
		}
		return out.list
	case g.mac == nil:
		out.warn("name the guest by its MAC or its address", "whether it has one isn't known, since its MAC isn't")
		return out.list
	}
	if static := g.foreign(); len(static) > 0 {
		out.fail("let it ask by DHCP, or give it an address of "+g.network.Address.Masked().String(),
			"it sends from %s, which isn't of %s: such packets are dropped", join(static), g.network.Address.Masked())
		return out.list
	}
	if inside := g.inside(); inside.IsValid() {
		fix := fmt.Sprintf("if that is meant: host \"NAME\" { mac = %q, address = %q }", g.mac, inside)
		if g.host != nil && g.host.Address == inside {
			out.ok("none: it has its reserved address %s without asking", inside)
		} else {
			out.warn(fix, "none: it uses %s, which is set in it", inside)
		}
		return out.list
	}
	was := ""
	if g.lease != nil {
		was = fmt.Sprintf(" (%s %s)", g.lease.Address, g.lease.State)
	}
	g.unleased(f, out, was)
	return out.list
}

// unleased says why a guest has no lease, by what it would get if it asked.
func (g *guest) unleased(f *facts, out *findings, was string) {
	explain := "labnet explain dhcp " + g.mac.String()
	switch e := g.explained; {
	case f.status == nil:
		out.fail("labnet run", "it has none%s, and no daemon gives it any", was)
	case g.explainErr != nil || e == nil:
		out.fail(explain, "it has none%s, and what it would get isn't known: %v", was, g.explainErr)
	case e.Discover.Reply == "":
		out.fail(remedyFor(e.Discover, explain), "it has none%s, and would get none: %s (%s)", was, e.Discover.Text, e.Discover.Reason)
	case g.lease != nil:
		out.fail("start its DHCP client; labnet trace dhcp --mac "+g.mac.String(), "it has none any more%s, and hasn't asked again; it would get %s", was, e.Discover.Address)
	default:
		out.fail("start its DHCP client; labnet trace dhcp --mac "+g.mac.String(), "it never asked for an address; it would get %s", e.Discover.Address)
	}
}

func remedyFor(a control.DHCPAnswer, explain string) string {
	switch a.Reason {
	case "exhausted":
		return "a larger `range`, a shorter `lease_time`, or labnet leases release ADDRESS"
	case "denied":
		return "a `host` block with its MAC; `unknown_clients` is \"deny\""
	}
	return explain
}

// foreign are the addresses that it was heard sending from which aren't of its network.
func (g *guest) foreign() (list []netip.Addr) {
	for _, a := range g.uses {
		behind := slices.ContainsFunc(g.network.Behind, func(p netip.Prefix) bool { return p.Contains(a) })
		if !g.network.contains(a) && !behind && !a.IsLinkLocalUnicast() {
			list = append(list, a)
		}
	}
	return list
}

// inside is an address of its network that it uses.
func (g *guest) inside() netip.Addr {
	for _, a := range g.uses {
		if g.network.contains(a) {
			return a
		}
	}
	for _, mac := range g.owners {
		if g.mac != nil && mac.String() == g.mac.String() {
			return g.addr
		}
	}
	return netip.Addr{}
}

func join(addrs []netip.Addr) string {
	var list []string
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return few(list)
}

// address judges who answers at the guest's address, and whether the gateway reaches it.
func (g *guest) address() []Finding {
	out := about("reach", g.networkName())
	if !g.probed {
		if g.addr.IsValid() && g.network.contains(g.addr) {
			out.warn("sudo labnet doctor "+g.asked, "it wasn't asked: the bridge is down, or the right to send ARP is missing")
		}
		return out.list
	}
	var others []string
	own := false
	for _, mac := range g.owners {
		if g.mac == nil || mac.String() == g.mac.String() {
			own = true
		} else {
			others = append(others, mac.String())
		}
	}
	holds := g.lease != nil && (g.lease.State == "bound" || g.lease.State == "observed")
	look := "is it on, and has it set the address? labnet trace dhcp --mac " + macOr(g)
	if !g.network.routed() {
		look = "is it on, and has it the address still? tcpdump -ni " + g.bridgeName() + " arp and host " + g.addr.String()
	}
	switch {
	case len(others) > 0 && own:
		out.fail("take the address from one of them; labnet leases --filter address="+g.addr.String(), "%s is used by %s too", g.addr, few(others))
	case len(others) > 0:
		out.fail("take it from that machine, or labnet leases release "+g.addr.String(), "%s is used by %s", g.addr, few(others))
	case !own && !holds:
		// What it should have and hasn't: the lease's finding.
	case !own:
		out.fail(look, "%s doesn't answer ARP", g.addr)
	case !g.pings:
		out.warn("its own firewall may drop that", "%s answers ARP, but no ping from the gateway", g.addr)
	default:
		out.ok("%s answers ARP and ping", g.addr)
	}
	return out.list
}

func macOr(g *guest) string {
	if g.mac == nil {
		return "MAC"
	}
	return g.mac.String()
}

// named judges the guest's name.
func (g *guest) named(f *facts) []Finding {
	out := about("name", g.networkName())
	l := g.lease
	if l == nil || l.State != "bound" || !g.network.DNS {
		return nil
	}
	if l.Name == "" {
		switch e := g.explained; {
		case l.Hostname == "":
			out.ok("it asks for none")
		case e != nil && e.NameHolder != nil:
			out.warn("another host name in one of the two, or a `host` block for it", "none: %s is the name of %s (%s)", l.Hostname, e.NameHolder.Address, e.NameHolder.MAC)
		case e != nil && e.NameObstacle == "reserved":
			out.warn("another host name in it, or a `host` block for it; `labnet explain dns` says what has the name",
				"none: %s is kept for a host block, a reservation, a record, or the network itself", l.Hostname)
		case e != nil && e.NameObstacle == "invalid":
			out.warn("another host name in it", "none: %s is no DNS label: letters, digits and hyphens, not all digits", l.Hostname)
		default:
			out.warn("labnet explain dhcp "+macOr(g), "none, though it asks for %s", l.Hostname)
		}
		return out.list
	}
	full := l.Name + "." + g.network.Domain
	switch r := g.resolves; {
	case f.status == nil:
	case r.err != nil:
		out.fail("labnet explain dns "+full, "DNS doesn't answer for %s: %v", full, r.err)
	case !slices.Contains(r.answers, l.Address):
		out.fail("labnet explain dns "+full, "%s doesn't resolve to %s: %s", full, l.Address, strings.TrimSpace(r.rcode+" "+join(r.answers)))
	case l.Hostname != "" && !strings.EqualFold(l.Name, strings.SplitN(l.Hostname, ".", 2)[0]) && g.host == nil:
		out.warn("labnet explain dhcp "+macOr(g), "%s resolves, but it asked for %s, which another has", full, l.Hostname)
	default:
		out.ok("%s resolves to %s", full, l.Address)
	}
	return out.list
}

// dropped says what our own rules dropped meanwhile; that may be another guest's too.
func (g *guest) dropped() []Finding {
	out := about("drops", g.networkName())
	for _, name := range slices.Sorted(maps.Keys(g.moved)) {
		if text, ok := dropWords[name]; ok {
			out.warn("tcpdump -eni "+g.bridgeName()+" shows whose", "dropped meanwhile, of all guests: %d %s (%s)", g.moved[name], text, name)
		}
	}
	if len(out.list) == 0 && g.moved != nil {
		out.ok("labnet's rules dropped nothing meanwhile")
	}
	return out.list
}

// out says how the guest would leave.
func (g *guest) out() []Finding {
	out := about("way out", g.networkName())
	if g.network.Mode == isolated {
		out.ok("there is none, as meant: the network is isolated")
		return out.list
	}
	if !g.addr.IsValid() || g.lease == nil && len(g.owners) == 0 {
		return nil
	}
	how := "as itself"
	if g.network.Masquerade && g.way.source.IsValid() {
		how = "masqueraded as " + g.way.source.String()
	}
	tracked := ""
	if g.tracked >= 0 {
		tracked = ", " + count(g.tracked, "connection")
	}
	if g.way.err != nil {
		out.fail(fmt.Sprintf("labnet doctor; ip route get %s from %s iif %s", somewhere, g.addr, g.bridgeName()), "there is none: %v", g.way.err)
		return out.list
	}
	router := ""
	if g.way.gateway.IsValid() {
		router = " by " + g.way.gateway.String()
	}
	out.ok("over %s%s, %s%s", g.way.out.name, router, how, tracked)
	return out.list
}
