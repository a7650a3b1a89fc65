package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// builder makes a Config of decoded nodes, and finds what is wrong between them. It goes on after every mistake, so that all are
// told at once; what is wrong already is not complained about again.
type builder struct {
	*decoder
	networks []*networkParts         // those with a usable address
	look     func(path string) error // why a file that is named can't be read; nil: files aren't looked for
}

// networkParts is a network with the nodes that it came from.
type networkParts struct {
	Network
	node                         *node
	bridge, uplink, dhcp, dns    *node
	hosts                        []*node // also those at the top level
	domainAt, addressAt, ifaceAt hcl.Range
	secondary                    []secondaryAt
}

func (b *builder) config(root *node) *Config {
	daemon := b.only(root, "daemon")
	cfg := &Config{Daemon: Daemon{
		StateDir:  get[string](daemon, "state_dir"),
		RunDir:    get[string](daemon, "run_dir"),
		LogLevel:  get[string](daemon, "log_level"),
		LogFormat: get[string](daemon, "log_format"),

		LeaseHistory: get[time.Duration](daemon, "lease_history"),
	}}
	strays := b.strayHosts(root)
	if len(root.blocks["network"]) == 0 && !b.diags.HasErrors() {
		b.diags.add(Diagnostic{
			Severity: SeverityError, Summary: "there is no network",
			Detail: "The smallest configuration is:\nnetwork \"lab\" { address = \"10.0.0.1/24\" }",
			Place:  Place{File: b.firstFile()},
		})
	}
	for _, n := range root.blocks["network"] {
		p := b.network(n, strays[lower(n.label)], len(root.blocks["network"]))
		b.networks = append(b.networks, p)
	}
	b.between()
	b.taps(root)
	b.publishes(root)
	b.routesOfAll(root)
	cfg.Resolver = b.resolver(b.only(root, "resolver"))
	cfg.Hooks = b.hooks(root)
	cfg.API = b.api(b.only(root, "api"))
	cfg.Metrics = b.metrics(root)
	for _, p := range b.networks {
		cfg.Networks = append(cfg.Networks, p.Network)
	}
	return cfg
}

func (b *builder) firstFile() string {
	for file, i := range b.diags.order {
		if i == 0 {
			return file
		}
	}
	return ""
}

// strayHosts returns the hosts of the top level by their network.
func (b *builder) strayHosts(root *node) map[string][]*node {
	byNetwork := map[string][]*node{}
	var names []string
	for _, n := range root.blocks["network"] {
		names = append(names, lower(n.label))
	}
	for _, h := range root.blocks["host"] {
		name := get[string](h, "network")
		if name != "" && !slices.Contains(names, name) {
			b.error(h, h.at("network"), fmt.Sprintf("there is no network %q", name), didYouMean(name, names))
			continue
		}
		byNetwork[name] = append(byNetwork[name], h)
	}
	return byNetwork
}

func (b *builder) network(n *node, strays []*node, networks int) *networkParts {
	p := &networkParts{
		node: n, bridge: b.only(n, "bridge"), uplink: b.only(n, "uplink"), dhcp: b.only(n, "dhcp"), dns: b.only(n, "dns"),
		hosts: append(append([]*node{}, n.blocks["host"]...), strays...),
	}
	if err := checkLabel(n.label); err != nil {
		b.fault(n, n.name, err)
	}
	p.Network = Network{
		Name:    lower(n.label),
		Mode:    get[string](n, "mode"),
		Address: get[netip.Prefix](n, "address"),
		Range:   Range{File: n.head.Filename, Line: n.head.Start.Line},
	}
	p.addressAt = n.at("address")
	b.addressOf(p)
	b.addressesOf(p)
	if p.Mode == "bridged" {
		b.bridgedOf(p, networks)
		return p
	}
	if p.Address.IsValid() && !privateSubnet(p.Address) {
		b.warn(n, p.addressAt, fmt.Sprintf("%s is not a private network", p.Address.Masked()),
			"The real hosts with these addresses can't be reached from here. Private are 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918).")
	}
	b.bridgeOf(p, networks)
	b.uplinkOf(p)
	b.separationOf(p)
	b.dhcpOf(p)
	b.dnsOf(p)
	b.hostsOf(p)
	b.checkGuard(p)
	b.recordsOf(p)
	return p
}

func (b *builder) bridgeOf(p *networkParts, networks int) {
	n := p.bridge
	p.Bridge = Bridge{
		Name:   get[string](n, "name"),
		MTU:    get[int](n, "mtu"),
		Attach: list[string](n, "attach"),
		Guard:  get[string](n, "guard"),
	}
	p.ifaceAt = n.at("name")
	if n.values["name"] == nil {
		p.Bridge.Name = "br0"
		if networks > 1 {
			p.Bridge.Name = ""
			b.error(p.node, p.ifaceAt, "with more than one network, each must name its bridge",
				fmt.Sprintf("Write, for instance: bridge { name = %q }; a network that was alone until now keeps its bridge, and its guests on it, by \"br0\"", bridgeNameFor(p.Name)))
		}
	}
}

func bridgeNameFor(network string) string {
	if name := "br-" + network; checkInterfaceName(name) == nil {
		return name
	}
	return "br0"
}

func (b *builder) uplinkOf(p *networkParts) {
	p.Uplink = Uplink{
		Interface:  get[string](p.uplink, "interface"),
		Masquerade: get[bool](p.uplink, "masquerade"),
	}
}

func (b *builder) dhcpOf(p *networkParts) {
	n := p.dhcp
	p.DHCP = DHCP{
		Enabled:        get[bool](n, "enabled"),
		LeaseTime:      get[time.Duration](n, "lease_time"),
		Identity:       get[string](n, "identity"),
		Authoritative:  get[bool](n, "authoritative"),
		ConflictProbe:  get[bool](n, "conflict_probe"),
		UnknownClients: get[string](n, "unknown_clients"),
		RapidCommit:    get[bool](n, "rapid_commit"),
		Boot:           b.boot(n),
		Options:        b.options(n, p),
	}
	b.relaysOf(p)
	b.classesOf(p)
	b.rangesOf(p)
}

func (b *builder) dnsOf(p *networkParts) {
	n := p.dns
	p.DNS = DNS{
		Enabled:      get[bool](n, "enabled"),
		Domain:       get[string](n, "domain"),
		NameConflict: get[string](n, "name_conflict"),
		Clients:      list[netip.Prefix](n, "clients"),
		HostsFiles:   b.hostsFilesOf(n),
	}
	p.DNS.QueryLog, p.DNS.QueryFile = b.queryLogOf(n)
	for _, e := range n.elems("clients") {
		if e.v.(netip.Prefix).Bits() == 0 {
			b.warn(n, e.at, "anyone may ask this resolver", "An open resolver is used for attacks on others. Name the subnets that need it.")
		}
	}
	p.domainAt = n.at("domain")
	if n.values["domain"] == nil && checkLabel(p.Name) == nil {
		p.DNS.Domain = p.Name + ".internal"
	}
	if n.has("domain") && p.DNS.Domain != "" {
		b.checkDomain(p)
	}
}
