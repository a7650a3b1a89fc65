package daemon

import (
	"net/netip"
	"slices"

	"labnet/internal/config"
)

// guestRoutes is option 121 for guests (RFC 3442): the subnets behind other guests, as far as those are on the link that DHCP leases. It is
// not for the guest that routes, and not where guests don't reach one another.
func guestRoutes(n config.Network, to netip.Addr) []byte {
	var data []byte
	for _, r := range n.Routes {
		if n.Bridge.IsolateGuests || r.Via == to || !n.Address.Contains(r.Via) {
			continue
		}
		octets := r.Subnet.Addr().As4()
		data = append(data, byte(r.Subnet.Bits()))
		data = append(data, octets[:(r.Subnet.Bits()+7)/8]...)
		data = append(data, r.Via.AsSlice()...)
	}
	return data
}

// hostsThatRoute is the hosts of a network, of which those that route are not told of what is behind themselves. Whatever the file says of
// the option counts.
func hostsThatRoute(n config.Network) []config.Host {
	said := func(options []config.Option) bool {
		return slices.ContainsFunc(options, func(o config.Option) bool { return o.Code == optClasslessRoutes })
	}
	if len(n.Routes) == 0 || said(n.DHCP.Options) {
		return n.Hosts
	}
	hosts := slices.Clone(n.Hosts)
	for i, h := range hosts {
		routes := slices.ContainsFunc(n.Routes, func(r config.Route) bool { return r.Via == h.Address })
		if routes && !said(h.Options) {
			own := config.Option{Name: "classless_routes", Code: optClasslessRoutes, Data: guestRoutes(n, h.Address)}
			hosts[i].Options = append(slices.Clone(h.Options), own)
		}
	}
	return hosts
}

// dnsClients may ask besides the network's own guests.
func dnsClients(n config.Network) []netip.Prefix {
	clients := slices.Clone(n.DNS.Clients)
	for _, r := range n.Routes {
		clients = append(clients, r.Subnet)
	}
	return clients
}
