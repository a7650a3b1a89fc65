package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxClasses is what the DHCP server takes.
const maxClasses = 64

func classBlock() *block {
	return &block{
		name: "class", many: true, unique: true, needs: []string{"vendor_class", "boot_file"},
		label: &label{doc: "The name stands in messages.", example: "ipxe"},
		doc: "A kind of clients, told by what they send, and what they get. Every condition that is given must hold, and of a list one; at least " +
			"one condition is needed. All classes that match apply, in the order of the file: where two give the same, the later one counts. A `host` " +
			"counts more than its classes, and they more than the network.",
		args: slices.Concat([]argument{
			{
				name: "vendor_class", kind: listOf(classText()), example: `"PXEClient*"`,
				doc: "condition: the vendor class (option 60); with `*` at the end, its beginning",
			},
			{
				name: "user_class", kind: listOf(classText()), example: `"iPXE"`,
				doc: "condition: the user class (option 77), one of several; with `*` at the end, its beginning",
			},
			{
				name: "architecture", kind: listOf(architecture()), example: `["x86-64-uefi", 11]`,
				doc: "condition: the architecture of a boot ROM (option 93), by name or number; see the table of architectures below",
			},
			{
				name: "mac", kind: listOf(macPrefix()), example: `"52:54:00"`,
				doc: "condition: the first bytes of the MAC address",
			},
			{
				name: "lease_time", kind: duration(minLease, maxLease, true), computed: "the network's", example: `"30m"`,
				doc: "how long an address is leased",
			},
		}, bootArguments("the network's")),
		blocks: []*block{optionBlock("As in `dhcp`, for the clients of this class; it overrides the network's.")},
	}
}

// bootArguments say what a client boots; inherited says where it comes from if it isn't said.
func bootArguments(inherited string) []argument {
	nextServer, serverName := "the host's own address, if there is a `boot_file`", ""
	if inherited != "" {
		nextServer, serverName = inherited, inherited+", unless `next_server` is given here"
	}
	return []argument{
		{
			name: "boot_file", kind: bootText(), computed: inherited, example: `"undionly.kpxe"`,
			doc: "the file that a boot ROM loads: a path on the boot server, or a URL for what can load one (header field `file`, option 67)",
		},
		{
			name: "next_server", kind: address(), computed: nextServer, example: `"10.0.0.5"`,
			doc: "the boot server's address (header field `siaddr`, option 66)",
		},
		{
			name: "server_name", kind: bootText(), computed: serverName, example: `"boot.example.org"`,
			doc: "the boot server's name (header field `sname`, option 66)",
		},
	}
}

func (b *builder) boot(n *node) Boot {
	return Boot{
		File:       get[string](n, "boot_file"),
		NextServer: get[netip.Addr](n, "next_server"),
		ServerName: get[string](n, "server_name"),
	}
}

func (b *builder) classesOf(p *networkParts) {
	nodes := p.dhcp.blocks["class"]
	if len(nodes) > maxClasses {
		b.error(nodes[maxClasses], nodes[maxClasses].name, fmt.Sprintf("a network has at most %d classes", maxClasses), "A list in a condition is one of several: two classes that give the same can be one.")
	}
	for _, n := range nodes {
		c := Class{
			Name:          n.label,
			VendorClasses: list[string](n, "vendor_class"),
			UserClasses:   list[string](n, "user_class"),
			MACPrefixes:   list[string](n, "mac"),
			LeaseTime:     get[time.Duration](n, "lease_time"),
			Boot:          b.boot(n),
			Options:       b.options(n, p),
		}
		for _, codes := range list[[]uint16](n, "architecture") {
			c.Architectures = append(c.Architectures, codes...)
		}
		b.checkClass(n, c)
		p.DHCP.Classes = append(p.DHCP.Classes, c)
	}
}

func (b *builder) checkClass(n *node, c Class) {
	if n.bad {
		return
	}
	if strings.TrimSpace(n.label) == "" {
		b.error(n, n.name, "a class needs a name", "It stands in messages.")
	}
	conditions := []string{"vendor_class", "user_class", "architecture", "mac"}
	given := slices.DeleteFunc(slices.Clone(conditions), func(name string) bool { return !n.has(name) })
	if len(given) == 0 {
		b.error(n, n.name, "the class has no condition", fmt.Sprintf("Say who is of it by %s. What all clients get stands in dhcp itself.", enumerate(conditions, "or")))
		return
	}
	for _, name := range given {
		if len(n.elems(name)) == 0 && !n.wrong(name) {
			b.error(n, n.at(name), fmt.Sprintf("%q is empty: no client can match", name), "Leave it out, or name one.")
		}
	}
	if c.LeaseTime == 0 && c.Boot == (Boot{}) && len(n.blocks["option"]) == 0 {
		b.warn(n, n.name, "the class gives its clients nothing", "It may give options, a lease_time, a boot_file or a next_server.")
	}
	// dnsmasq looks for the text anywhere in what is sent; here it is all of it. Boot ROMs go on: "PXEClient:Arch:00007:UNDI:003016".
	for _, e := range n.elems("vendor_class") {
		if s, _ := e.v.(string); s == "PXEClient" || s == "HTTPClient" {
			b.warn(n, e.at, fmt.Sprintf("boot ROMs send more than %q: the class is not theirs", s), fmt.Sprintf("For whatever begins so, write \"%s*\".", s))
		}
	}
	// UEFI's HTTP boot takes nothing but a URL.
	if httpOnly(c) && c.Boot.File != "" && !strings.Contains(c.Boot.File, "://") {
		b.warn(n, n.at("boot_file"), fmt.Sprintf("clients that boot by HTTP need a URL, not %q", c.Boot.File), fmt.Sprintf("Write, for instance, \"http://10.0.0.5/%s\".", strings.TrimPrefix(c.Boot.File, "/")))
	}
}

// httpOnly says whether the clients of a class are boot ROMs that load by HTTP.
func httpOnly(c Class) bool {
	http := func(code uint16) bool {
		return slices.ContainsFunc(architectures(), func(d architectureDef) bool {
			return slices.Contains(d.codes, code) && strings.HasSuffix(d.name, "-http")
		})
	}
	vendor := func(text string) bool { return strings.HasPrefix(text, "HTTPClient") }
	all := len(c.Architectures) > 0
	for _, code := range c.Architectures {
		all = all && http(code)
	}
	return all || len(c.VendorClasses) > 0 && !slices.ContainsFunc(c.VendorClasses, func(s string) bool { return !vendor(s) })
}

func (b *builder) relaysOf(p *networkParts) {
	subnet := p.Address.Masked()
	seen := map[netip.Addr]elem{}
	for _, e := range p.dhcp.elems("relays") {
		a := e.v.(netip.Addr)
		first, twice := seen[a]
		switch {
		case twice:
			b.error(p.dhcp, e.at, fmt.Sprintf("the relay %s is named twice", a), "", here(first.at, "the first one"))
		case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			b.error(p.dhcp, e.at, fmt.Sprintf("%s is not the address of a relay", a), "It is the address that the relay puts into giaddr, one of its own.")
		case p.Address.IsValid() && a == p.Address.Addr():
			b.error(p.dhcp, e.at, fmt.Sprintf("%s is the host's own address, not a relay's", a), "It is the address that the relay puts into giaddr, one of its own.", here(p.addressAt, "the host's address"))
		case p.Address.IsValid() && (a == subnet.Addr() || a == broadcast(subnet)):
			b.error(p.dhcp, e.at, fmt.Sprintf("%s is no host's address in %s", a, subnet), addressesOf(p.Address))
		}
		seen[a] = e
	}
	p.DHCP.Relays = list[netip.Addr](p.dhcp, "relays")
}
