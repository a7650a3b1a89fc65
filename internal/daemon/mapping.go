package daemon

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"labnet/dhcpserver"
	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/hooks"
	"labnet/leases"
	"labnet/netcfg"
)

// parts is a configuration as the parts want it.
type parts struct {
	host   netcfg.Config
	leases leases.Config
	dns    dnsserver.Config
	dhcp   []dhcpserver.Config // of the networks that DHCP serves, in the file's order
	hooks  []hooks.Config
}

// The names of leases live shortly in caches, so that a guest that moves is found again.
const leaseNameTTL = time.Minute

// resolvConf is where the host's own resolvers stand.
const resolvConf = "/etc/resolv.conf"

// compile maps a configuration to those of the parts. It is pure; hostName is the host's own label, "" for none.
func compile(cfg *config.Config, hostName string) parts {
	p := parts{dns: dnsserver.Config{CacheSize: cfg.Resolver.CacheSize, ServeStale: cfg.Resolver.ServeStale, HostName: hostName}}
	for _, n := range cfg.Networks {
		if n.Mode == bridged {
			p.host.Segments = append(p.host.Segments, segment(n))
			continue
		}
		p.host.Networks = append(p.host.Networks, hostNetwork(n))
		if n.DHCP.Enabled {
			p.leases.Networks = append(p.leases.Networks, leaseNetwork(n, hostName))
			p.dhcp = append(p.dhcp, dhcpLink(n))
		}
		for _, r := range n.Routes {
			p.dns.Rebind.Own = append(p.dns.Rebind.Own, r.Subnet)
		}
		if n.DNS.Enabled {
			p.dns.Networks = append(p.dns.Networks, dnsNetwork(n))
		} else {
			for _, a := range n.Addresses() {
				p.dns.Rebind.Own = append(p.dns.Rebind.Own, a.Masked())
			}
		}
	}
	p.dns.Upstreams = upstreams(cfg.Resolver)
	p.dns.Block = dnsserver.Block{Files: cfg.Resolver.Block.Files, Allow: cfg.Resolver.Block.Allow, Null: cfg.Resolver.Block.Answer == "null"}
	p.dns.Rebind.Policy, p.dns.Rebind.Allow = rebindPolicy(cfg.Resolver.Rebind), cfg.Resolver.RebindAllow
	p.hooks = hookConfigs(cfg.Hooks)
	return p
}

// Check tells what is wrong with a configuration that loads, and that only the parts see which work with it: names that contradict each
// other across networks. It touches nothing.
func Check(cfg *config.Config) error { return dnsserver.Check(compile(cfg, hostName()).dns) }

func hostNetwork(n config.Network) netcfg.Network {
	out := netcfg.Network{
		Name:       n.Name,
		Bridge:     n.Bridge.Name,
		MTU:        n.Bridge.MTU,
		Address:    n.Address,
		Secondary:  n.Secondary,
		Attach:     n.Bridge.Attach,
		Masquerade: n.Uplink.Masquerade,
		DHCP:       n.DHCP.Enabled,
		DNS:        n.DNS.Enabled,
		DNSClients: n.DNS.Clients,
		TAPs:       hostTAPs(n.TAPs),
	}
	separate(&out, n)
	switch n.Bridge.Guard {
	case "off":
		out.Guard = netcfg.GuardOff
	case "strict":
		out.Guard = netcfg.GuardStrict
	}
	for _, r := range n.Routes {
		out.Routes = append(out.Routes, netcfg.Route(r))
	}
	for _, p := range n.Publishes {
		out.Publish = append(out.Publish, hostPublish(p))
	}
	if n.Uplink.Interface != "auto" {
		out.Uplink = n.Uplink.Interface
	}
	return out
}

func leaseNetwork(n config.Network, hostName string) leases.Network {
	out := leases.Network{
		Name:    n.Name,
		Subnet:  n.Address.Masked(),
		Gateway: n.Address.Addr(),
	}
	for _, r := range n.DHCP.Ranges {
		out.Ranges = append(out.Ranges, leases.Range{Start: r.Start, End: r.End})
	}
	for _, h := range n.Hosts {
		if h.Address.IsValid() && !n.Address.Contains(h.Address) {
			// Its guest sets the address itself. The names are its own all the same.
			out.ReservedNames = append(append(out.ReservedNames, h.Name), h.Aliases...)
			continue
		}
		out.Reservations = append(out.Reservations, reservation(h))
	}
	switch n.DNS.NameConflict {
	case "suffix":
		out.NameConflict = leases.Suffix
	case "reject":
		out.NameConflict = leases.Reject
	}
	// A client must not take a name that is answered otherwise already.
	if hostName != "" {
		out.ReservedNames = append(out.ReservedNames, hostName)
	}
	for _, r := range n.DNS.Records {
		if label, ok := labelIn(n.DNS.Domain, r.Name); ok {
			out.ReservedNames = append(out.ReservedNames, label)
		}
	}
	return out
}

// labelIn returns the label of a record that stands right in the domain, where guests have their names. One further below,
// such as a service's, takes no guest's name.
func labelIn(domain, record string) (label string, ok bool) {
	label = strings.ToLower(record)
	if absolute, ok := strings.CutSuffix(label, "."); ok {
		if label, ok = strings.CutSuffix(absolute, "."+domain); !ok {
			return "", false
		}
	}
	if strings.ContainsAny(label, ".@*") {
		return "", false
	}
	return label, true
}

func reservation(h config.Host) leases.Reservation {
	out := leases.Reservation{
		Name:     h.Name,
		Aliases:  h.Aliases,
		HWAddr:   leases.HWAddr(h.MAC),
		Hostname: h.Hostname,
		Addr:     h.Address,
	}
	if h.ClientID != "" {
		out.ID = leases.ClientIDFromOption([]byte(h.ClientID))
	}
	return out
}

func dhcpLink(n config.Network) dhcpserver.Config {
	out := dhcpserver.Config{
		Network:       n.Name,
		Interface:     n.Bridge.Name,
		Address:       n.Address,
		LeaseTime:     n.DHCP.LeaseTime, // Infinite is the same value in both packages
		Authoritative: n.DHCP.Authoritative,
		ConflictProbe: n.DHCP.ConflictProbe,
		MTU:           n.Bridge.MTU,
		UnknownDenied: n.DHCP.UnknownClients == "deny",
		RapidCommit:   n.DHCP.RapidCommit,
		Relays:        n.DHCP.Relays,
		Boot:          dhcpserver.Boot(n.DHCP.Boot),
		Options:       dhcpOptions(n),
	}
	if n.DNS.Enabled {
		out.Domain = n.DNS.Domain
	}
	n.Hosts = hostsThatRoute(n)
	switch n.DHCP.Identity {
	case "client_id":
		out.Identity = dhcpserver.IdentityClientID
	case "mac":
		out.Identity = dhcpserver.IdentityMAC
	}
	for _, h := range n.Hosts {
		if h.LeaseTime != 0 || h.Boot != (config.Boot{}) || len(h.Options) > 0 {
			out.Hosts = append(out.Hosts, dhcpserver.HostOptions{
				Host: h.Name, LeaseTime: h.LeaseTime, Boot: dhcpserver.Boot(h.Boot), Options: wireOptions(h.Options),
			})
		}
	}
	for _, c := range n.DHCP.Classes {
		out.Classes = append(out.Classes, dhcpserver.Class{
			Name: c.Name, VendorClasses: c.VendorClasses, UserClasses: c.UserClasses, Architectures: c.Architectures, MACPrefixes: c.MACPrefixes,
			LeaseTime: c.LeaseTime, Boot: dhcpserver.Boot(c.Boot), Options: wireOptions(c.Options),
		})
	}
	return out
}

// The options that every guest gets unless the configuration says otherwise (RFC 2132, RFC 3397).
const (
	optRouter       = 3
	optDNS          = 6
	optDomainName   = 15
	optMTU          = 26
	optBroadcast    = 28
	optDomainSearch = 119

	optClasslessRoutes = 121
)

// dhcpOptions is the network's options: the defaults, overridden code by code by what the file says. An option
// without a value takes a default away.
func dhcpOptions(n config.Network) []dhcpserver.Option {
	gateway := n.Address.Addr().AsSlice()
	var defaults []dhcpserver.Option
	if n.Mode != "isolated" {
		defaults = append(defaults, dhcpserver.Option{Code: optRouter, Data: gateway})
	}
	defaults = append(defaults, dhcpserver.Option{Code: optBroadcast, Data: broadcast(n.Address).AsSlice()})
	if n.DNS.Enabled {
		defaults = append(defaults, dhcpserver.Option{Code: optDNS, Data: gateway})
	}
	if n.DNS.Domain != "" {
		defaults = append(defaults,
			dhcpserver.Option{Code: optDomainName, Data: []byte(n.DNS.Domain)},
			dhcpserver.Option{Code: optDomainSearch, Data: wireName(n.DNS.Domain)})
	}
	if mtu := n.Bridge.MTU; mtu != 1500 {
		// Always: few clients ask for it, and one that doesn't know the MTU loses every large packet.
		defaults = append(defaults, dhcpserver.Option{Code: optMTU, Data: []byte{byte(mtu >> 8), byte(mtu)}, Always: true})
	}
	if routes := guestRoutes(n, netip.Addr{}); len(routes) > 0 {
		defaults = append(defaults, dhcpserver.Option{Code: optClasslessRoutes, Data: routes})
	}
	own := wireOptions(n.DHCP.Options)
	out := slices.DeleteFunc(defaults, func(d dhcpserver.Option) bool {
		return slices.ContainsFunc(own, func(o dhcpserver.Option) bool { return o.Code == d.Code })
	})
	return append(out, slices.DeleteFunc(own, func(o dhcpserver.Option) bool { return len(o.Data) == 0 && !o.Always })...)
}

func wireOptions(options []config.Option) []dhcpserver.Option {
	var out []dhcpserver.Option
	for _, o := range options {
		out = append(out, dhcpserver.Option{Code: o.Code, Data: o.Data, Always: o.Always})
	}
	return out
}

// wireName encodes a domain name uncompressed (RFC 1035 section 3.1).
func wireName(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(name, ".") {
		out = append(out, byte(len(label)))
		out = append(out, label...)
	}
	return append(out, 0)
}

// broadcast is the last address of an IPv4 subnet.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(a)
}

func dnsNetwork(n config.Network) dnsserver.Network {
	out := dnsserver.Network{
		Name:    n.Name,
		Domain:  n.DNS.Domain,
		Address: n.Address,
		Clients: dnsClients(n),

		Secondary: n.Secondary,
		MaxTTL:    leaseNameTTL,

		LogQueries: n.DNS.QueryLog,
		QueryFile:  dnsserver.QueryFile(n.DNS.QueryFile),
		HostsFiles: n.DNS.HostsFiles,
	}
	for _, h := range n.Hosts {
		// A host without an address gets its name with its lease; one without a name was reserved at run time.
		if h.Address.IsValid() && h.Name != "" {
			out.Hosts = append(out.Hosts, dnsserver.Host{Name: h.Name, Aliases: h.Aliases, Addr: h.Address})
		}
	}
	for _, r := range n.DNS.Records {
		out.Records = append(out.Records, dnsserver.Record{Name: r.Name, Type: r.Type, Values: r.Values, TTL: r.TTL})
	}
	return out
}

func rebindPolicy(s string) dnsserver.RebindPolicy {
	switch s {
	case "private":
		return dnsserver.RebindPrivate
	case "off":
		return dnsserver.RebindOff
	}
	return dnsserver.RebindOwn
}

// upstreams is the groups of the file; without a default among them, the host's own resolvers are followed.
func upstreams(r config.Resolver) []dnsserver.UpstreamGroup {
	var out []dnsserver.UpstreamGroup
	follow := true
	for _, u := range r.Upstreams {
		out = append(out, dnsserver.UpstreamGroup{Name: u.Name, Domains: u.Domains, Servers: u.Servers})
		follow = follow && len(u.Domains) > 0
	}
	if follow {
		out = append(out, dnsserver.UpstreamGroup{Name: "host", Follow: resolvConf})
	}
	return out
}
