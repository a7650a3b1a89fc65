package netcfg

import (
	"context"
	"fmt"
	"net/netip"
)

// ReturnRoute is a route that the router of an uplink's LAN needs to a network that isn't masqueraded: without it, answers to guests
// go astray.
type ReturnRoute struct {
	Network string // its name in the configuration
	Subnet  netip.Prefix
	Via     netip.Addr // of the host on the uplink
}

// String is the command that adds it, for a router that runs Linux.
func (r ReturnRoute) String() string { return fmt.Sprintf("ip route add %s via %s", r.Subnet, r.Via) }

// ReturnRoutes are those that a configuration needs, one for each uplink that a network has now. It needs no privilege.
func (h *Host) ReturnRoutes(cfg Config) ([]ReturnRoute, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	if err := h.enter(context.Background()); err != nil {
		return nil, err
	}
	defer h.leave()
	rec, err := h.record.load()
	if err != nil {
		return nil, err
	}
	f, err := h.ns.observeNetwork(cfg, rec, nil)
	if err != nil {
		return nil, err
	}
	return returnRoutes(cfg, f), nil
}

func returnRoutes(cfg Config, f *facts) []ReturnRoute {
	var routes []ReturnRoute
	for _, n := range cfg.Networks {
		if n.Masquerade || n.Isolated {
			continue
		}
		for _, name := range (Config{Networks: []Network{n}}).uplinks(f) {
			l, _ := f.link(name)
			if via, ok := f.firstAddress(l.index); ok && !cfg.owns(name) {
				for _, subnet := range n.reach() {
					routes = append(routes, ReturnRoute{Network: n.Name, Subnet: subnet, Via: via})
				}
			}
		}
	}
	return routes
}

// firstAddress is the first IPv4 address of a link, its primary one.
func (f *facts) firstAddress(index int) (netip.Addr, bool) {
	for _, a := range f.addresses {
		if a.link == index && a.prefix.Addr().Is4() && !a.prefix.Addr().IsLinkLocalUnicast() {
			return a.prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}
