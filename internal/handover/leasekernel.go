package handover

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"labnet/internal/dhcpclient"
)

// putAddress makes an address of a link, or gives one that is there the lifetime of a.
func (c conn) putAddress(a address, on link) error {
	request, ok := a.request(on.index, "", on.name, 0)
	if !ok {
		return nil
	}
	if err := c.do(unix.RTM_NEWADDR, netlink.Create|netlink.Replace, request.bytes()); err != nil {
		return fmt.Errorf("adding %v to %s: %w", a.prefix(), on.name, err)
	}
	return nil
}

// takeOff removes the IPv4 addresses that are stale. With the first address of a subnet the kernel removes the others, and their routes:
// these are put back.
func (c conn) takeOff(on link, stale func(address) bool) error {
	before, err := c.take(on)
	if err != nil {
		return err
	}
	gone := false
	for _, a := range before.Addresses {
		if a.is4() && stale(a) {
			gone = true
			if err := c.delAddress(a, on.index); err != nil {
				return err
			}
		}
	}
	if !gone {
		return nil
	}
	var errs []error
	for _, a := range before.Addresses {
		if a.is4() && !stale(a) {
			errs = append(errs, c.addAddress(a, on.index, "", "", 0))
		}
	}
	now, err := c.take(on)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	back := slices.DeleteFunc(slices.Clone(before.Routes), func(r route) bool {
		gateway := r.gateway(on.index)
		return !r.is4() || r.kernel() || gateway.IsValid() && !now.reaches(gateway)
	})
	return errors.Join(append(errs, c.ensureRoutes(back, on.index, on.index))...)
}

// reaches reports whether an IPv4 address is in a subnet of the link's, or there is a route of the link's own to it.
func (s snapshot) reaches(addr netip.Addr) bool {
	return slices.ContainsFunc(s.Addresses, func(a address) bool { return a.is4() && a.prefix().Masked().Contains(addr) }) ||
		slices.ContainsFunc(s.Routes, func(r route) bool { return r.is4() && !r.viaGateway() && r.dst().Contains(addr) })
}

// lead makes the routes of a lease those that lead over a link: others by DHCP go, and default routes that the lease has another for, or
// that lead nowhere.
func (c conn) lead(on link, metric uint32, l dhcpclient.Lease) error {
	now, err := c.take(on)
	if err != nil {
		return err
	}
	var ours, rest []route
	for _, r := range now.Routes {
		if r.is4() && !r.kernel() && r.table() == unix.RT_TABLE_MAIN {
			rest = append(rest, r)
		}
	}
	var errs []error
	replaced := false
	for _, want := range l.Routes {
		replaced = replaced || want.To.Bits() == 0
		same := func(r route) bool { return r.dst() == want.To && r.gateway(on.index) == want.Via }
		if slices.ContainsFunc(rest, same) {
			rest = slices.DeleteFunc(rest, same)
			continue
		}
		ours = append(ours, byLease(want, on.index, metric))
	}
	for _, r := range ours {
		errs = append(errs, c.addRoute(r, on.index, on.index))
	}
	for _, r := range rest {
		gateway := r.gateway(on.index)
		nowhere := gateway.IsValid() && !now.reaches(gateway)
		if r.protocol() == unix.RTPROT_DHCP || r.dst().Bits() == 0 && (replaced || nowhere) {
			errs = append(errs, c.delRoute(r, on.index, on.index))
		}
	}
	return errors.Join(errs...)
}

// byLease is a route that a DHCP server has given.
func byLease(r dhcpclient.Route, index int, metric uint32) route {
	e := entry{make([]byte, unix.SizeofRtMsg), nil}
	e.header[0], e.header[1], e.header[4], e.header[5] = unix.AF_INET, byte(r.To.Bits()), unix.RT_TABLE_MAIN, unix.RTPROT_DHCP
	e.header[6], e.header[7] = unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	e = e.with(unix.RTA_TABLE, put32(unix.RT_TABLE_MAIN)).with(unix.RTA_OIF, put32(uint32(index)))
	if r.To.Bits() > 0 {
		e = e.with(unix.RTA_DST, r.To.Addr().AsSlice())
	}
	if r.Via.IsValid() {
		e = e.with(unix.RTA_GATEWAY, r.Via.AsSlice())
	} else {
		e.header[6] = unix.RT_SCOPE_LINK
	}
	if metric != 0 {
		e = e.with(unix.RTA_PRIORITY, put32(metric))
	}
	return route{e}
}
