package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Bridged is what a network of mode bridged has besides its bridge and its uplink.
type Bridged struct {
	Inherit       bool       // the bridge gets the addresses that the uplink has; else the network's address, or one by DHCP
	DHCP          bool       // a DHCP server of the LAN's gives the bridge its address
	Gateway       netip.Addr // of the default route, with an address; invalid: the former one, if it is in the subnet
	ConfirmWithin time.Duration
}

// The bounds of confirm_within: shorter, nobody could connect anew; longer, whoever is cut off waits too long.
const (
	minConfirm = 10 * time.Second
	maxConfirm = time.Hour
)

// bridgedFile is what the examples of bridged mode's own arguments are tried out in.
const bridgedFile = `network "lan" {
mode = "bridged"
address = "192.168.1.5/24"
uplink {
interface = "eth0"
}
…
}`

func gatewayArgument() argument {
	return argument{
		name: "gateway", kind: address(), computed: "the uplink's former one, if it is in the subnet", example: `"192.168.1.1"`,
		doc:  "the router of the default route; only for `bridged` with an address of its own",
		file: bridgedFile,
	}
}

func applyBlock() *block {
	return &block{
		name: "apply",
		doc:  "How `labnet apply` moves the uplink's addresses to the bridge; only for `bridged`.",
		args: []argument{{
			name: "confirm_within", kind: duration(minConfirm, maxConfirm, false), fallback: `"120s"`, example: `"5m"`,
			doc:  "after this time everything is as it was, unless `labnet confirm` has come over a new connection; `10s` to `1h`",
			file: "network \"lan\" {\nmode = \"bridged\"\nuplink {\ninterface = \"eth0\"\n}\napply {\n…\n}\n}",
		}},
	}
}

// networkAddress is an address with its prefix length, or for a bridged network a word.
func networkAddress() kind {
	static := interfaceAddress()
	words := ofText(static.name, func(s string) (any, error) { return s, nil })
	return kind{name: static.name + ", or `inherit` or `dhcp`", parse: func(v cty.Value) (any, error) {
		if word, err := words.parse(v); err == nil && (word == "inherit" || word == "dhcp") {
			return word, nil
		}
		return static.parse(v)
	}}
}

// addressOf finds what a network's address must be in its mode.
func (b *builder) addressOf(p *networkParts) {
	n := p.node
	bridged := p.Mode == "bridged"
	word := get[string](n, "address")
	switch {
	case n.values["address"] == nil && !bridged:
		n.bad = true
		if a, _ := n.spec.argument("address"); !misspelt(n, "address") {
			b.error(n, n.head, `the argument "address" is missing`, fmt.Sprintf("Write, for instance: address = %s", a.example))
		}
	case word != "" && !bridged:
		b.error(n, p.addressAt, fmt.Sprintf("%q is not an address", word), `It is the host's own on the bridge, e.g. "10.0.0.1/24"; "inherit" and "dhcp" are for mode = "bridged".`)
	}
	if bridged {
		return
	}
	if n.has("gateway") {
		b.error(n, n.at("gateway"), `"gateway" is for bridged networks only`, "In a routed network the host itself is the guests' gateway.")
	}
	for _, stray := range n.blocks["apply"] {
		b.error(stray, stray.head, "a block \"apply\" is for bridged networks only", "A routed network touches no address of the host's, so there is nothing to confirm.")
	}
}

func misspelt(n *node, name string) bool {
	return slices.Contains(n.misspelt, name)
}

// leftToTheLAN is what a bridged network doesn't have, and why not.
var leftToTheLAN = []struct{ in, name, why string }{
	{"", "dhcp", "The LAN's DHCP server leases addresses to the guests: they are machines of the LAN."},
	{"", "dns", "Guests of a bridged network ask the LAN's resolver, which DHCP tells them."},
	{"", "host", "Addresses and names are the LAN's DHCP server's affair, and so are reservations."},
	{"", "publish", "Guests of a bridged network have addresses of the LAN: they are reached directly."},
	{"", "route", "Routes behind guests are for the LAN's router."},
	{"", "addresses", "Which subnets there are is the LAN's affair."},
	{"", "allow_from", "Guests of a bridged network are machines of the LAN, which this host doesn't keep apart."},
	{"", "host_access", "Guests of a bridged network reach this host as every machine of the LAN does."},
	{"bridge", "mtu", "The bridge has the uplink's MTU."},
	{"bridge", "guard", "Which addresses guests may use is the LAN's affair."},
	{"bridge", "isolate_guests", "Guests of a bridged network are machines of the LAN."},
	{"bridge", "adopt", "The bridge is made by labnet, and goes with it."},
	{"uplink", "masquerade", "Guests of a bridged network have addresses of the LAN: nothing is translated."},
}

// bridgedOf finishes a network of mode bridged: it has a bridge and an uplink, and what goes with them.
func (b *builder) bridgedOf(p *networkParts, networks int) {
	n := p.node
	leased := get[string](n, "address") == "dhcp"
	p.Bridged = Bridged{
		Inherit: !p.Address.IsValid() && !leased, DHCP: leased, Gateway: get[netip.Addr](n, "gateway"),
		ConfirmWithin: get[time.Duration](b.only(n, "apply"), "confirm_within"),
	}
	b.bridgeOf(p, networks)
	p.Bridge.MTU, p.Bridge.Guard = 0, ""
	p.Uplink = Uplink{Interface: get[string](p.uplink, "interface")}
	if !p.uplink.has("interface") || p.Uplink.Interface == "auto" {
		b.error(p.uplink, p.uplink.at("interface"), "a bridged network must name its uplink", `Which interface becomes a port must not depend on the moment: uplink { interface = "eth0" }.`)
	}
	refuse := func(at hcl.Range, where *node, name, why string) {
		b.error(where, at, fmt.Sprintf("a bridged network has no %q", name), why)
	}
	for _, left := range leftToTheLAN {
		where := n
		switch left.in {
		case "bridge":
			where = p.bridge
		case "uplink":
			where = p.uplink
		}
		if where.has(left.name) {
			refuse(where.at(left.name), where, left.name, left.why)
		}
		for _, found := range where.blocks[left.name] {
			refuse(found.head, found, left.name, left.why)
		}
	}
	for _, h := range p.hosts {
		if h.has("network") { // those of the network itself are refused already
			refuse(h.head, h, "host", leftToTheLAN[2].why)
		}
	}
	if p.Bridged.Gateway.IsValid() && !n.wrong("address") {
		switch {
		case p.Bridged.Inherit:
			b.error(n, n.at("gateway"), `"gateway" goes with an address`, `With "inherit" the uplink's routes are taken over.`)
		case p.Bridged.DHCP:
			b.error(n, n.at("gateway"), `"gateway" goes with an address`, `With "dhcp" the server tells the routes.`)
		case !p.Address.Masked().Contains(p.Bridged.Gateway) || p.Bridged.Gateway == p.Address.Addr():
			b.error(n, n.at("gateway"), fmt.Sprintf("the gateway %s is not in the network", p.Bridged.Gateway), addressesOf(p.Address), here(p.addressAt, "the host's own address"))
		}
	}
}

// oneBridged finds a second bridged network.
func (b *builder) oneBridged() {
	var first *networkParts
	for _, p := range b.networks {
		switch {
		case p.Mode != "bridged":
		case first == nil:
			first = p
		default:
			b.error(p.node, p.node.at("mode"), "a second bridged network", "One is possible at a time, so that one change is to be confirmed.", here(first.node.at("mode"), "network %q", first.Name))
		}
	}
	if first == nil {
		return
	}
	for _, p := range b.networks {
		if name := p.Uplink.Interface; p != first && name != "" && name != "auto" && name == first.Uplink.Interface {
			b.error(p.uplink, p.uplink.at("interface"), fmt.Sprintf("the uplink %q is a port of the bridge %q", p.Uplink.Interface, first.Bridge.Name),
				fmt.Sprintf("What it had is on the bridge then: use %q, or \"auto\".", first.Bridge.Name), here(first.uplink.at("interface"), "network %q", first.Name))
		}
	}
}
