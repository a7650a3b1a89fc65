package dhcpclient

import (
	"math"
	"net/netip"
	"slices"
	"time"
)

// Forever is the lifetime of a lease that doesn't end.
const Forever = time.Duration(math.MaxInt64)

// Lease is what a server has given. All of it has been checked: names can be written to files, and routes lead over the link.
type Lease struct {
	// Addr is the address, with the length of its subnet's prefix.
	Addr netip.Prefix
	// Server is the server's identifier.
	Server netip.Addr
	// Routes are the routes to be made, in this order: the classless ones if there are any (RFC 3442), else the default route.
	// Those over a router that isn't in the subnet stand behind one to that router, without a gateway.
	Routes []Route
	// Resolvers are DNS servers, in the order of preference.
	Resolvers []netip.Addr
	// Domain and Search are the domain of the client and those in which it looks for short names; "" and none if they aren't given.
	Domain string
	Search []string
	// MTU is 0 if it isn't given, else from 576.
	MTU int

	// Renew, Rebind and Lifetime are from the moment of the event on: when the lease is to be prolonged, first by its server (T1)
	// and then by any (T2), and when it ends; Forever if it doesn't.
	Renew, Rebind, Lifetime time.Duration
}

// Route is a route of a lease.
type Route struct {
	To  netip.Prefix
	Via netip.Addr // not valid: To is on the link itself
}

// same says whether two leases differ in nothing but their times.
func (l Lease) same(other Lease) bool {
	return l.Addr == other.Addr && l.Server == other.Server && slices.Equal(l.Routes, other.Routes) &&
		slices.Equal(l.Resolvers, other.Resolvers) && l.Domain == other.Domain && slices.Equal(l.Search, other.Search) && l.MTU == other.MTU
}
