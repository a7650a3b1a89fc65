package netcfg

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Route is a subnet that lies behind a guest.
type Route struct {
	Subnet netip.Prefix
	Via    netip.Addr // of a guest on the link
}

// routeProtocol marks routes as made by us: `ip route` calls it proto 108.
const routeProtocol = 0x6c

const groupRoutes = "routes"

// guestRoute is a route over a link of ours, in the main table.
type guestRoute struct {
	link   string
	subnet netip.Prefix
	via    netip.Addr
}

func (r guestRoute) String() string { return fmt.Sprintf("%s via %s on %s", r.subnet, r.via, r.link) }

type (
	addRoute struct{ guestRoute }
	delRoute struct{ guestRoute }
)

func (c addRoute) Group() string { return groupRoutes }
func (c delRoute) Group() string { return groupRoutes }

func (c addRoute) String() string { return "+ route " + c.guestRoute.String() }
func (c delRoute) String() string { return "- route " + c.guestRoute.String() }

// haveRoutes are our routes, by their mark. Those over a link that is no network's any more are ours too.
func (f *facts) haveRoutes(s *state) {
	for _, r := range f.routes {
		if r.protocol != routeProtocol || r.table != unix.RT_TABLE_MAIN || len(r.links) != 1 || !r.via.IsValid() {
			continue
		}
		if name := f.linkName(r.links[0]); name != "" {
			s.routes[guestRoute{name, r.dst, r.via}] = true
		}
	}
}

func (n Network) wantRoutes(s *state) {
	for _, r := range n.Routes {
		s.routes[guestRoute{n.Bridge, r.Subnet, r.Via}] = true
	}
}

// planRoutes makes the routes that lack, and removes those that are wanted no more. One that leads by another guest is replaced at once.
func planRoutes(have, want *state) (grow, shrink []Change) {
	replaced := map[netip.Prefix]bool{}
	for _, r := range sortedRoutes(want.routes) {
		if !have.routes[r] {
			grow = append(grow, addRoute{r})
			replaced[r.subnet] = true
		}
	}
	for _, r := range sortedRoutes(have.routes) {
		if !want.routes[r] && !replaced[r.subnet] {
			shrink = append(shrink, delRoute{r})
		}
	}
	return grow, shrink
}

func sortedRoutes(set map[guestRoute]bool) []guestRoute {
	var list []guestRoute
	for r := range set {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b guestRoute) int {
		return cmp.Or(strings.Compare(a.link, b.link), a.subnet.Addr().Compare(b.subnet.Addr()), cmp.Compare(a.subnet.Bits(), b.subnet.Bits()), a.via.Compare(b.via))
	})
	return list
}

// changeRoute makes a route, in place of one to the same subnet, or removes it. One that has gone by itself is gone.
func (ns *namespace) changeRoute(step Change) error {
	switch c := step.(type) {
	case addRoute:
		l, err := findLink(ns.route, c.link)
		if err != nil {
			return err
		}
		return wrap(requestRoute(ns.route, unix.RTM_NEWROUTE, netlink.Create|netlink.Replace, l.index, c.guestRoute), "adding the route %s", c.guestRoute)
	case delRoute:
		l, err := findLink(ns.route, c.link)
		if errors.Is(err, errNoLink) {
			return nil
		}
		if err != nil {
			return err
		}
		err = requestRoute(ns.route, unix.RTM_DELROUTE, 0, l.index, c.guestRoute)
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return wrap(err, "removing the route %s", c.guestRoute)
	}
	return nil
}

func requestRoute(conn *netlink.Conn, kind uint16, flags netlink.HeaderFlags, link int, r guestRoute) error {
	header := make([]byte, unix.SizeofRtMsg)
	header[0], header[1] = unix.AF_INET, byte(r.subnet.Bits())
	header[4], header[5], header[6], header[7] = unix.RT_TABLE_MAIN, routeProtocol, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	return request(conn, kind, flags, header,
		attr(unix.RTA_DST, r.subnet.Addr().AsSlice()),
		attr(unix.RTA_GATEWAY, r.via.AsSlice()),
		attrNative32(unix.RTA_OIF, uint32(link)))
}

// routedFrom matches, under a strict guard, what a guest sends that has an address: it may pass on what comes from behind it.
func (g guestRules) routedFrom(via netip.Addr) part {
	return part{iifTo(reg1), frameSource.to(afterName), constant(afterNameMAC, via), lookup(boundTo + g.n.Name)}
}

// roamingFrom is the same of a guest whose port isn't known.
func (g guestRules) roamingFrom(via netip.Addr) part {
	return part{frameSource.to(reg1), constant(afterMAC, via), lookup(roaming + g.n.Name)}
}
