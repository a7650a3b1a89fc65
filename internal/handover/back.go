package handover

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// restore leads from wherever a move got to, or from long after it, to the snapshot. What others have made meanwhile stays: their
// addresses and routes on the bridge go over to the uplink. It tries everything, and returns every failure.
func (c conn) restore(cfg Config, s snapshot, l leased) error {
	links, err := c.links()
	if err != nil {
		return err
	}
	bridge, there := find(links, cfg.Bridge)
	if there && !bridge.ours(s) {
		return fmt.Errorf("%s isn't labnet's any more; what was moved to it is left alone", cfg.Bridge)
	}
	uplink, ok := byIndex(links, s.Index)
	if !ok {
		// The card is gone; with it goes what it had.
		err := fmt.Errorf("the interface %s is gone: there is nothing to put its addresses back on", cfg.Uplink)
		if there {
			err = errors.Join(err, c.removeBridge(bridge))
		}
		return err
	}
	var errs []error
	try := func(err error) { errs = append(errs, err) }
	var extra carried
	if there {
		extra, err = c.carry(cfg, s, l, bridge)
		try(err)
	}
	if !uplink.up {
		try(c.setLink(s.Index, unix.IFF_UP, unix.IFF_UP))
	}
	// IPv6 first: it asks nobody whether the addresses are free, for they were the uplink's a moment ago.
	try(writeSetting(uplink.name, acceptDAD, "0"))
	try(s.setting(uplink.name, disableIPv6))
	for _, a := range s.Addresses {
		if !a.temporary() {
			try(c.addAddress(a, s.Index, cfg.Uplink, uplink.name, s.age()))
		}
	}
	for _, a := range extra.addresses {
		try(c.addAddress(a, s.Index, bridge.name, uplink.name, 0))
	}
	try(c.ensureRoutes(s.Routes, s.Index, s.Index))
	for _, r := range s.Rules {
		try(c.addRule(r, cfg.Uplink, uplink.name))
		try(c.delRule(r, cfg.Uplink, cfg.Bridge))
	}
	if there {
		try(c.removeBridge(bridge))
	}
	// With the bridge the kernel takes away the routes from the addresses that were on it too.
	try(c.ensureRoutes(slices.Concat(s.Routes, extra.routes), s.Index, s.Index))
	try(s.setting(uplink.name, acceptDAD))
	try(announce(s.Index, s.MAC, s.Addresses))
	return errors.Join(errs...)
}

// ours reports whether a bridge is the one that took over: it is marked, or it was killed before its marking.
func (l link) ours(s snapshot) bool {
	return l.kind == "bridge" && (l.alias == mark || l.alias == "" && l.mac == s.MAC)
}

// removeBridge lets the uplink go first of all, so that it hears before the bridge is deaf.
func (c conn) removeBridge(bridge link) error {
	err := c.do(unix.RTM_DELLINK, 0, ifinfo(bridge.index, 0, 0))
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing the bridge %s: %w", bridge.name, err)
	}
	return nil
}

// carried is what others have added to a bridge, with the routes in the words of the uplink.
type carried struct {
	addresses []address
	routes    []route
}

// carry finds what goes over to the uplink besides what was the uplink's.
func (c conn) carry(cfg Config, s snapshot, l leased, bridge link) (carried, error) {
	var out carried
	now, err := c.take(bridge)
	if err != nil {
		return out, err
	}
	moved := map[string]bool{}
	for _, a := range s.wantAddresses(cfg) {
		moved[a.prefix().String()] = true
	}
	for _, a := range now.Addresses {
		leased := cfg.DHCP && a.prefix() == l.Addr
		if !moved[a.prefix().String()] && !a.linkLocal() && a.valid() == forever && !leased {
			out.addresses = append(out.addresses, a)
		}
	}
	known := map[string]bool{}
	for _, r := range slices.Concat(s.wantRoutes(cfg), s.Routes) {
		known[r.keyOver(s.Index, bridge.index)] = true
	}
	for _, r := range now.Routes {
		leased := cfg.DHCP && r.protocol() == unix.RTPROT_DHCP
		if !r.kernel() && r.protocol() != unix.RTPROT_RA && !leased && !known[r.keyOver(bridge.index, bridge.index)] {
			out.routes = append(out.routes, route{r.request(bridge.index, s.Index)})
		}
	}
	return out, nil
}
