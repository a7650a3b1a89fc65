package handover

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// step is one change of the kernel. Wherever a move ends, Back leads from there to what was.
type step struct {
	what string
	do   func() error
}

// steps lead from the snapshot to the bridge: first everything is on the bridge, then it leaves the uplink, so that there is
// always a way for an answer.
func (c conn) steps(cfg Config, s snapshot) []step {
	uplink := link{index: s.Index, name: cfg.Uplink, mac: s.MAC, mtu: s.MTU}
	bridge := func() int {
		l, err := c.current(cfg.Bridge)
		if err != nil {
			return 0 // the next request fails by it
		}
		return l.index
	}
	var steps []step
	add := func(what string, do func() error) { steps = append(steps, step{what, do}) }

	add("make "+cfg.Bridge+" with the MAC address of "+cfg.Uplink, func() error { return c.makeBridge(cfg.Bridge, uplink) })
	add("mark it", func() error {
		return c.setLink(bridge(), 0, 0, netlink.Attribute{Type: unix.IFLA_IFALIAS, Data: []byte(mark)})
	})
	add("give it the settings of "+cfg.Uplink, func() error {
		index := bridge()
		copySettings(cfg.Bridge, s.Settings)
		return errors.Join(
			c.setLink(index, 0, 0, netlink.Attribute{Type: unix.IFLA_MTU, Data: put32(uint32(s.MTU))}),
			// Its link-local address comes with the others; and nobody asks whether somebody else has what was the uplink's: it has.
			writeSetting(cfg.Bridge, addrGenMode, "1"),
			writeSetting(cfg.Bridge, acceptDAD, "0"),
			writeSetting(cfg.Bridge, acceptRA, "0"),
			s.setting(cfg.Bridge, disableIPv6))
	})
	add("bring it up", func() error { return c.setLink(bridge(), unix.IFF_UP, unix.IFF_UP) })
	for _, a := range s.wantAddresses(cfg) {
		add(fmt.Sprintf("add %v to %s", a.prefix(), cfg.Bridge), func() error {
			return c.addAddress(a, bridge(), cfg.Uplink, cfg.Bridge, s.age())
		})
	}
	for _, r := range s.Rules {
		add("let the routing policy know "+cfg.Bridge, func() error { return c.addRule(r, cfg.Uplink, cfg.Bridge) })
	}
	add("plug "+cfg.Uplink+" into "+cfg.Bridge, func() error {
		return c.setLink(s.Index, 0, 0, netlink.Attribute{Type: unix.IFLA_MASTER, Data: put32(uint32(bridge()))})
	})
	for _, r := range s.wantRoutes(cfg) {
		if !r.is4() && !r.kernel() {
			// Together they would be one route over two links, which outlives the first.
			add(fmt.Sprintf("lead %v no more over %s", r.dst(), cfg.Uplink), func() error { return c.delRoute(r, s.Index, s.Index) })
		}
		if !r.kernel() {
			add(fmt.Sprintf("lead %v over %s", r.dst(), cfg.Bridge), func() error { return c.addRoute(r, s.Index, bridge()) })
		}
	}
	for _, r := range s.Routes {
		if r.is4() && !r.kernel() {
			add(fmt.Sprintf("lead %v no more over %s", r.dst(), cfg.Uplink), func() error { return c.delRoute(r, s.Index, s.Index) })
		}
	}
	if s.Settings[disableIPv6] == "0" {
		add("end IPv6 on "+cfg.Uplink, func() error { return writeSetting(cfg.Uplink, disableIPv6, "1") })
	}
	for _, a := range slices.Backward(s.Addresses) {
		if a.is4() {
			add(fmt.Sprintf("take %v off %s", a.prefix(), cfg.Uplink), func() error { return c.delAddress(a, s.Index) })
		}
	}
	add("put back what the kernel took with it", func() error { return c.ensureRoutes(s.wantRoutes(cfg), s.Index, bridge()) })
	add("let "+cfg.Bridge+" hear routers", func() error {
		return errors.Join(s.setting(cfg.Bridge, acceptDAD), s.setting(cfg.Bridge, acceptRA))
	})
	add("tell the neighbours", func() error { return announce(bridge(), s.MAC, s.wantAddresses(cfg)) })
	return steps
}

// setting gives a link one of the snapshot's settings, if it had it.
func (s snapshot) setting(link, key string) error {
	if value, ok := s.Settings[key]; ok {
		return writeSetting(link, key, value)
	}
	return nil
}

// age is how many seconds ago the snapshot was taken.
func (s snapshot) age() uint32 { return uint32(max(0, sinceBoot()-s.Taken)) }

// ensureRoutes adds those routes that aren't there over a link.
func (c conn) ensureRoutes(routes []route, from, to int) error {
	now, err := c.routes()
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, r := range now {
		have[r.keyOver(to, to)] = true
	}
	var errs []error
	for _, r := range byReach(routes) {
		if !have[r.keyOver(from, to)] {
			errs = append(errs, c.addRoute(r, from, to))
		}
	}
	return errors.Join(errs...)
}
