package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

func (b *builder) resolver(n *node) Resolver {
	r := Resolver{
		CacheSize: get[int64](n, "cache_size"), ServeStale: get[time.Duration](n, "serve_stale"),
		Rebind: get[string](n, "rebind_protection"), RebindAllow: list[string](n, "rebind_allow"),
	}
	for _, block := range n.blocks["block"] {
		r.Block = b.blocking(block)
	}
	if r.Rebind == "off" && len(r.RebindAllow) > 0 {
		b.warn(n, n.at("rebind_allow"), "every domain may point anywhere", `It has a meaning only with a rebind_protection.`, here(n.at("rebind_protection"), "the protection is off"))
	}
	c := &claims{b: b, taken: map[string]claim{}}
	for _, u := range n.blocks["upstream"] {
		up := Upstream{Name: u.label, Domains: list[string](u, "domains"), Servers: list[netip.AddrPort](u, "servers")}
		owner := fmt.Sprintf("upstream %q", u.label)
		if len(up.Servers) == 0 && u.has("servers") && !u.wrong("servers") {
			b.error(u, u.at("servers"), "an upstream needs a server", `Write, for instance: servers = ["udp://192.0.2.53"]. Without any upstream block, the host's own resolvers are asked.`)
		}
		for _, e := range u.elems("domains") {
			domain := e.v.(string)
			c.take(u, "domain "+domain, owner, e.at, fmt.Sprintf("the domain %q has two upstreams", domain), "Put all servers for it into one upstream.")
			b.checkUpstreamDomain(u, e)
		}
		if u.has("domains") && len(up.Domains) == 0 && !u.wrong("domains") {
			b.error(u, u.at("domains"), "the list of domains is empty", "Leave domains out for an upstream that is asked about everything.")
		}
		if !u.has("domains") {
			c.take(u, "domain", owner, u.name, "two upstreams are for every domain", "Put their servers into one, or say by domains = […] what one of them is for.")
		}
		b.checkServers(u)
		r.Upstreams = append(r.Upstreams, up)
	}
	return r
}

// checkServers finds servers that are named twice, and the loop of asking ourselves.
func (b *builder) checkServers(u *node) {
	c := &claims{b: b, taken: map[string]claim{}}
	for _, e := range u.elems("servers") {
		server := e.v.(netip.AddrPort)
		c.take(u, server.String(), "this upstream", e.at, fmt.Sprintf("the server %s stands twice", server), "Once is enough.")
		for _, p := range b.networks {
			if own, _ := p.ownIn(server.Addr().Unmap()); server.Addr().Unmap() == own.Addr() && server.Port() == 53 && p.DNS.Enabled {
				b.error(u, e.at, fmt.Sprintf("the upstream %s is labnet itself", server.Addr()),
					"It would ask itself for ever. Name the LAN's resolver, or leave the upstream out to use the host's own resolvers.", here(p.addressAt, "network %q", p.Name))
			}
		}
	}
}

// checkUpstreamDomain warns of an upstream that would never be asked.
func (b *builder) checkUpstreamDomain(u *node, e elem) {
	domain := e.v.(string)
	for _, p := range b.networks {
		if p.DNS.Enabled && p.DNS.Domain != "" && (domain == p.DNS.Domain || strings.HasSuffix(domain, "."+p.DNS.Domain)) {
			b.warn(u, e.at, fmt.Sprintf("nobody will be asked about %q", domain),
				fmt.Sprintf("Names in %s are answered by network %q and never forwarded.", p.DNS.Domain, p.Name), here(p.domainAt, "network %q", p.Name))
		}
	}
}
