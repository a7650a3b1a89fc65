package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// claims remembers who has something that only one may have.
type claims struct {
	b     *builder
	taken map[string]claim
}

type claim struct {
	owner string
	at    hcl.Range
}

// take claims a key for owner, or complains that another one has it.
func (c *claims) take(n *node, key, owner string, at hcl.Range, summary, detail string) bool {
	if earlier, ok := c.taken[key]; ok {
		c.b.error(n, at, summary, detail, here(earlier.at, "%s has it already", earlier.owner))
		return false
	}
	c.taken[key] = claim{owner, at}
	return true
}

func (b *builder) hostsOf(p *networkParts) {
	c := &claims{b: b, taken: map[string]claim{}}
	c.taken["name gateway"] = claim{"the host's own address", p.addressAt}
	for _, n := range p.hosts {
		h := Host{
			Name:      lower(n.label),
			MAC:       get[string](n, "mac"),
			ClientID:  get[string](n, "client_id"),
			Hostname:  get[string](n, "hostname"),
			Address:   get[netip.Addr](n, "address"),
			Aliases:   list[string](n, "aliases"),
			LeaseTime: get[time.Duration](n, "lease_time"),
			Boot:      b.boot(n),
			Options:   b.options(n, p),
		}
		b.checkHost(p, n, h, c)
		p.Hosts = append(p.Hosts, h)
	}
}

func (b *builder) checkHost(p *networkParts, n *node, h Host, c *claims) {
	owner := fmt.Sprintf("host %q", n.label)
	if err := CheckHostName(n.label); err != nil {
		b.fault(n, n.name, err)
	} else if h.Name == "gateway" {
		b.error(n, n.name, `the name "gateway" is the gateway's own`, "Give the host another name.", here(p.addressAt, "the gateway"))
	} else if h.Name == "localhost" {
		b.error(n, n.name, `"localhost" is every guest's own name for itself`, "Give the host another name.")
	} else {
		c.take(n, "name "+h.Name, owner, n.name, fmt.Sprintf("the name %q is used twice", h.Name), "Names are unique in a network; letter case does not count.")
	}
	for _, e := range n.elems("aliases") {
		alias := e.v.(string)
		c.take(n, "name "+alias, owner, e.at, fmt.Sprintf("the name %q is used twice", alias), "Names and aliases are unique in a network; letter case does not count.")
	}
	b.checkHostIdentity(n, h, owner, c)
	if h.Address.IsValid() && p.Address.IsValid() {
		b.checkHostAddress(p, n, h, owner, c)
	}
}

func (b *builder) checkHostIdentity(n *node, h Host, owner string, c *claims) {
	var given []string
	for _, name := range []string{"mac", "client_id", "hostname"} {
		if n.has(name) {
			given = append(given, name)
		}
	}
	switch {
	case len(given) > 1:
		b.error(n, n.at(given[1]), fmt.Sprintf("a host is recognised by one thing, not by %s", enumerate(given, "and")), "Keep the one that never changes, mostly mac.",
			here(n.at(given[0]), "the first one"))
	case len(given) == 0 && !n.has("address"):
		b.error(n, n.name, "a host needs an address, or something to recognise it by",
			"Write mac = \"52:54:00:12:34:56\" for a guest that asks by DHCP, or address = … for one that sets its address itself.")
	}
	const detail = "One client can't be two hosts of a network."
	if h.MAC != "" {
		c.take(n, "mac "+h.MAC, owner, n.at("mac"), fmt.Sprintf("the MAC address %s belongs to two hosts", macText(h.MAC)), detail)
	}
	if h.ClientID != "" {
		c.take(n, "id "+h.ClientID, owner, n.at("client_id"), "the client identifier belongs to two hosts", detail)
	}
	if h.Hostname != "" {
		c.take(n, "hostname "+h.Hostname, owner, n.at("hostname"), fmt.Sprintf("the hostname %q recognises two hosts", h.Hostname), detail)
	}
}

func (b *builder) checkHostAddress(p *networkParts, n *node, h Host, owner string, c *claims) {
	own, ownAt := p.ownIn(h.Address)
	subnet := own.Masked()
	at := n.at("address")
	switch h.Address {
	case own.Addr():
		b.error(n, at, fmt.Sprintf("%s is the host's own address, the guests' gateway", h.Address), addressesOf(own), here(ownAt, "the gateway"))
		return
	case subnet.Addr():
		b.error(n, at, fmt.Sprintf("%s is the network address of %s", h.Address, subnet), addressesOf(own))
		return
	case broadcast(subnet):
		b.error(n, at, fmt.Sprintf("%s is the broadcast address of %s", h.Address, subnet), addressesOf(own))
		return
	}
	b.checkSecondaryHost(p, n, h)
	if !subnet.Contains(h.Address) {
		b.error(n, at, fmt.Sprintf("the address %s is outside the network", h.Address), addressesOf(p.Address), here(p.addressAt, "network %q", p.Name))
		return
	}
	c.take(n, "addr "+h.Address.String(), owner, at, fmt.Sprintf("the address %s belongs to two hosts", h.Address), "Give one of them another. "+addressesOf(p.Address))
}

func macText(raw string) string {
	text := ""
	for i := range len(raw) {
		if i > 0 {
			text += ":"
		}
		text += fmt.Sprintf("%02x", raw[i])
	}
	return text
}
