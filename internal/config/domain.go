package config

import (
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"
)

func lower(s string) string { return strings.ToLower(s) }

// checkDomain says what speaks against a domain for the guests.
func (b *builder) checkDomain(p *networkParts) {
	domain := p.DNS.Domain
	instead := fmt.Sprintf("Use %q, or a subdomain of a domain that is yours.", p.Name+".internal")
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	suffix, listed := publicsuffix.PublicSuffix(domain)
	switch {
	case last == "local":
		b.warn(p.dns, p.domainAt, fmt.Sprintf("the domain %q belongs to multicast DNS", domain),
			"Many guests never ask a server for names in local (RFC 6762). "+instead)
	case last == "localhost" || last == "invalid" || last == "onion":
		b.error(p.dns, p.domainAt, fmt.Sprintf("the domain %q has a meaning of its own", domain),
			"Programs treat names in it specially and never ask (RFC 6761, RFC 7686). "+instead)
	case last == "arpa" && domain != "home.arpa" && !strings.HasSuffix(domain, ".home.arpa"):
		b.error(p.dns, p.domainAt, fmt.Sprintf("the domain %q is not for names of hosts", domain),
			"Reverse names are answered by themselves. "+instead)
	case listed && suffix == domain && domain != "home.arpa":
		b.warn(p.dns, p.domainAt, fmt.Sprintf("the domain %q is a public one", domain),
			fmt.Sprintf("It is answered here alone: no guest could reach any name in %s outside. %s", domain, instead))
	}
}
