package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Publish is a port of the host that leads to a guest.
type Publish struct {
	Name     string     // lower case
	TCP, UDP bool       // at least one
	Listen   Ports      // of the host
	Address  netip.Addr // of the host; invalid: every one
	Host     string     // the host block's name; "" if the guest is given by its address alone
	Target   netip.Addr // invalid: the address that Host leases
	Ports    Ports      // of the guest, as many as Listen
}

// Ports is an inclusive range of ports, from 1 on.
type Ports struct{ First, Last uint16 }

// Len is how many ports there are.
func (p Ports) Len() int { return int(p.Last) - int(p.First) + 1 }

func (p Ports) String() string {
	if p.First == p.Last {
		return strconv.Itoa(int(p.First))
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

func publishBlock() *block {
	return &block{
		name: "publish", many: true, needs: []string{"listen", "host"},
		label: &label{doc: "The name stands in messages; it is unique in the network.", example: "builder-ssh"},
		doc: "A port of the host, or a range, that leads to a guest: from the LAN, from all guests, the published one among them, and from the host itself, " +
			"but not by 127.0.0.1. Nothing else of a network is reachable from outside, unless it isn't masqueraded.",
		args: []argument{
			{
				name: "protocol", kind: oneOf("tcp", "udp", "both"), fallback: `"tcp"`, example: `"udp"`,
				doc: "what is forwarded; `both` is TCP and UDP",
			},
			{
				name: "listen", kind: ports(), required: true, example: `2222`,
				doc: "the port of the host, or the range: `\"8000-8010\"`",
			},
			{
				name: "address", kind: address(), computed: "every address of the host", example: `"192.0.2.2"`,
				doc: "the host's address that the port is published on, whether it is there yet or not",
			},
			{
				name: "host", kind: text(), required: true, example: `"10.0.0.10"`,
				doc: "the guest: the name or an alias of a `host` block, or an address of the network. A host without a fixed address is followed: " +
					"the port leads to what it leases, and nowhere while it leases nothing",
			},
			{
				name: "port", kind: ports(), computed: "as `listen`", example: `22`,
				doc: "the guest's port, or a range as long as `listen`",
			},
		},
	}
}

// topPublishBlock is publishBlock for the top level of a file.
func topPublishBlock() *block {
	top := publishBlock()
	top.doc += " At the top level, for a file that is dropped into the directory, `network` says where it belongs."
	top.args = append([]argument{{
		name: "network", kind: label63(), required: true, example: `"lab"`,
		doc: "the network that the guest belongs to",
	}}, top.args...)
	top.needs = append([]string{"network"}, top.needs...)
	return top
}

// ports is a port, or a range of them as text.
func ports() kind {
	const help = `Write a port from 1 to 65535, or a range: "8000-8010".`
	return kind{name: "port or range", parse: func(v cty.Value) (any, error) {
		converted, err := convert.Convert(v, cty.String)
		if err != nil {
			return nil, faultf(help, "expected a port or a range of ports")
		}
		s := converted.AsString()
		first, last, isRange := strings.Cut(s, "-")
		if !isRange {
			last = first
		}
		var p Ports
		for _, end := range []struct {
			text string
			to   *uint16
		}{{first, &p.First}, {last, &p.Last}} {
			n, err := strconv.ParseUint(strings.TrimSpace(end.text), 10, 16)
			if err != nil || n == 0 {
				return nil, faultf(help, "%q is no port", strings.TrimSpace(end.text))
			}
			*end.to = uint16(n)
		}
		if p.First > p.Last {
			return nil, faultf(fmt.Sprintf("Write \"%d-%d\".", p.Last, p.First), "the range %q begins behind its end", s)
		}
		return p, nil
	}}
}

// strays returns the blocks of a kind at the top level by their network.
func (b *builder) strays(root *node, kind string) map[string][]*node {
	byNetwork := map[string][]*node{}
	var names []string
	for _, n := range root.blocks["network"] {
		names = append(names, lower(n.label))
	}
	for _, n := range root.blocks[kind] {
		name := get[string](n, "network")
		if name != "" && !slices.Contains(names, name) {
			b.error(n, n.at("network"), fmt.Sprintf("there is no network %q", name), didYouMean(name, names))
			continue
		}
		byNetwork[name] = append(byNetwork[name], n)
	}
	return byNetwork
}

// publishes reads the publish blocks of all networks. Ports belong to the host, so that they are compared across networks.
func (b *builder) publishes(root *node) {
	strays := b.strays(root, "publish")
	taken := &portClaims{b: b}
	for _, p := range b.networks {
		names := &claims{b: b, taken: map[string]claim{}}
		for _, n := range append(slices.Clone(p.node.blocks["publish"]), strays[p.Name]...) {
			names.take(n, lower(n.label), fmt.Sprintf("publish %q", n.label), n.name, fmt.Sprintf("a second publish %q in network %q", n.label, p.Name), "Give it another name.")
			out, ok := b.publish(p, n)
			if !ok {
				continue
			}
			taken.take(p, n, out)
			p.Publishes = append(p.Publishes, out)
		}
	}
}

// publish reads one block, and reports whether it is whole.
func (b *builder) publish(p *networkParts, n *node) (out Publish, ok bool) {
	protocol := get[string](n, "protocol")
	out = Publish{
		Name:    lower(n.label),
		TCP:     protocol != "udp",
		UDP:     protocol != "tcp",
		Listen:  get[Ports](n, "listen"),
		Address: get[netip.Addr](n, "address"),
		Ports:   get[Ports](n, "port"),
	}
	if n.bad {
		return out, false
	}
	if !n.has("port") {
		out.Ports = out.Listen
	}
	if out.Ports.Len() != out.Listen.Len() {
		b.error(n, n.at("port"), fmt.Sprintf("port and listen are of unequal length: %d and %d ports", out.Ports.Len(), out.Listen.Len()),
			"Each port of the host leads to one of the guest, in the same order.", here(n.at("listen"), "listen"))
		return out, false
	}
	ok = b.publishTarget(p, n, &out) && b.publishAddress(n, out)
	return out, ok
}

// publishTarget finds the guest.
func (b *builder) publishTarget(p *networkParts, n *node, out *Publish) bool {
	name, at := lower(get[string](n, "host")), n.at("host")
	if a, err := netip.ParseAddr(name); err == nil {
		return b.publishTo(p, n, out, a, at)
	}
	var known []string
	for i, h := range p.Hosts {
		if h.Name != name && !slices.Contains(h.Aliases, name) {
			known = append(append(known, h.Name), h.Aliases...)
			continue
		}
		if !h.Address.IsValid() && !p.DHCP.Enabled {
			b.error(n, at, fmt.Sprintf("the address of host %q is never known", h.Name),
				"It has none here, and the network has no DHCP by which it could get one: write the address into its host block.", here(p.hosts[i].name, "host %q", h.Name))
			return false
		}
		out.Host, out.Target = h.Name, h.Address
		return true
	}
	detail := fmt.Sprintf("Did you mean %q?", nearest(name, known))
	if nearest(name, known) == "" {
		detail = fmt.Sprintf(`Write a block host %q { mac = … }, or { hostname = %q } for a guest that is known by the name it sends, or give the guest's address here.`, name, name)
	}
	b.error(n, at, fmt.Sprintf("there is no host %q in network %q", name, p.Name), detail)
	return false
}

func (b *builder) publishTo(p *networkParts, n *node, out *Publish, a netip.Addr, at hcl.Range) bool {
	if !a.Is4() {
		b.error(n, at, fmt.Sprintf("%s is an IPv6 address, which is not supported here", a), noIPv6)
		return false
	}
	if !p.Address.IsValid() {
		return false
	}
	own, ownAt := p.ownIn(a)
	subnet := own.Masked()
	switch {
	case !subnet.Contains(a):
		b.error(n, at, fmt.Sprintf("the address %s is outside the network", a), addressesOf(p.Address), here(p.addressAt, "network %q", p.Name))
	case a == own.Addr():
		b.error(n, at, fmt.Sprintf("%s is the host's own address, the guests' gateway", a), "A publish block leads to a guest. "+addressesOf(own), here(ownAt, "the gateway"))
	case a == subnet.Addr() || a == broadcast(subnet):
		b.error(n, at, fmt.Sprintf("%s is no guest's address in %s", a, subnet), addressesOf(own))
	default:
		out.Target = a
		for _, h := range p.Hosts {
			if h.Address == a {
				out.Host = h.Name
			}
		}
		return true
	}
	return false
}

// publishAddress finds addresses that no host can publish on, and ports that labnet needs itself.
func (b *builder) publishAddress(n *node, out Publish) bool {
	at := n.at("address")
	switch {
	case !out.Address.IsValid():
	case out.Address.IsUnspecified():
		b.error(n, at, "0.0.0.0 is no address to publish on", "Leave address out: the port is then published on every address of the host.")
		return false
	case out.Address.IsLoopback():
		b.error(n, at, fmt.Sprintf("%s is the host's own loopback", out.Address),
			"Programs on the host reach a published port by any of its other addresses, the gateway's for instance; by 127.0.0.1 only what listens there.")
		return false
	case out.Address.IsMulticast() || out.Address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		b.error(n, at, fmt.Sprintf("%s is no host's address", out.Address), "Write one of the host's own addresses.")
		return false
	}
	for _, q := range b.networks {
		if !q.Address.IsValid() {
			continue
		}
		own, ownAt := q.ownIn(out.Address)
		gateway := own.Addr()
		if out.Address.IsValid() && out.Address != gateway {
			if own.Contains(out.Address) {
				b.error(n, at, fmt.Sprintf("%s is an address of network %q, but not the host's", out.Address, q.Name),
					fmt.Sprintf("The host's address there is %s.", gateway), here(ownAt, "network %q", q.Name))
				return false
			}
			continue
		}
		for _, own := range []struct {
			on, protocol bool
			port         uint16
			what         string
		}{{q.DNS.Enabled, true, 53, "the resolver"}, {q.DHCP.Enabled, out.UDP, 67, "the DHCP server"}} {
			if own.on && own.protocol && out.Listen.First <= own.port && own.port <= out.Listen.Last {
				b.error(n, n.at("listen"), fmt.Sprintf("port %d is that of %s of network %q", own.port, own.what, q.Name),
					"Publish another port, or name the host's address on the LAN: address = \"192.0.2.2\".", here(q.addressAt, "network %q", q.Name))
				return false
			}
		}
	}
	return true
}

// portClaims remembers which ports of the host are published already.
type portClaims struct {
	b     *builder
	taken []portClaim
}

type portClaim struct {
	owner string
	out   Publish
	at    hcl.Range
}

// take claims the ports of a publish block, or complains about those that another one has on the same address.
func (c *portClaims) take(p *networkParts, n *node, out Publish) {
	for _, earlier := range c.taken {
		e := earlier.out
		first, last := max(e.Listen.First, out.Listen.First), min(e.Listen.Last, out.Listen.Last)
		elsewhere := e.Address.IsValid() && out.Address.IsValid() && e.Address != out.Address
		if first > last || elsewhere || !(e.TCP && out.TCP || e.UDP && out.UDP) {
			continue
		}
		protocol := "TCP"
		if !(e.TCP && out.TCP) {
			protocol = "UDP"
		}
		c.b.error(n, n.at("listen"), fmt.Sprintf("%s port %s is published twice", protocol, Ports{first, last}),
			"A port of the host leads to one guest: publish another one, or on another address of the host.", here(earlier.at, "%s has it already", earlier.owner))
		break
	}
	c.taken = append(c.taken, portClaim{fmt.Sprintf("publish %q of network %q", n.label, p.Name), out, n.at("listen")})
}

// checkGuard warns of hosts that a strict guard would keep silent.
func (b *builder) checkGuard(p *networkParts) {
	if p.Bridge.Guard != "strict" {
		return
	}
	for i, h := range p.Hosts {
		if h.MAC == "" && h.ClientID == "" && h.Hostname == "" && h.Address.IsValid() {
			b.warn(p.hosts[i], p.hosts[i].name, fmt.Sprintf("nobody may use %s under guard = \"strict\"", h.Address),
				"Nothing says which machine it belongs to: write its mac into the host block.", here(p.bridge.at("guard"), "the guard"))
		}
	}
}
