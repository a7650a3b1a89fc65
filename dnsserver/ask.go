package dnsserver

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Ask asks a server for the IPv4 addresses of an absolute name, once and over UDP, as a guest does: to learn whether guests can. Without
// addresses the error says how the server answers, or why it doesn't.
func Ask(ctx context.Context, server netip.AddrPort, name string) ([]netip.Addr, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), dns.TypeA)
	answer, _, err := new(dns.Client).ExchangeContext(ctx, m, server.String())
	if err != nil {
		return nil, fmt.Errorf("asking %v: %w", server, err)
	}
	var found []netip.Addr
	for _, rr := range answer.Answer {
		if a, ok := rr.(*dns.A); ok {
			if addr, ok := netip.AddrFromSlice(a.A.To4()); ok {
				found = append(found, addr)
			}
		}
	}
	if len(found) == 0 {
		said := dns.RcodeToString[answer.Rcode]
		if answer.Rcode == dns.RcodeSuccess {
			said = "that there is no address"
		}
		return nil, fmt.Errorf("%v answers %s for %s", server, said, strings.TrimSuffix(name, "."))
	}
	return found, nil
}
