package handover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Mend puts back what others have taken from a bridge that is kept: the bridge itself, its mark, its being up, the uplink's place in it, and the
// addresses that stay or are leased, with the routes that the kernel takes away with those. It returns what it changed, in words.
// An uplink that is gone, or is down, is left alone, and so is a route by itself. Any process may call it, and often: where nothing is amiss
// it reads links and addresses, and little else.
func (h *Host) Mend(ctx context.Context) ([]string, error) {
	s, err := h.State()
	if err != nil || s.Phase != Kept {
		return nil, err
	}
	if found, err := h.amiss(s); err != nil || len(found) == 0 {
		return nil, err
	}
	unlock, err := h.lock(lockFile, 0)
	if errors.Is(err, errLocked) {
		return nil, nil // whoever is at work on it may be taking it down
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	release, err := h.namespace(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	// Another process may have taken it down, or mended it, meanwhile.
	if s, err = h.State(); err != nil || s.Phase != Kept {
		return nil, err
	}
	found, err := h.amiss(s)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found, errors.Join(h.conn.mend(s), h.mendLease(s))
}

// amiss is what a kept bridge lacks, its lease included.
func (h *Host) amiss(s State) ([]string, error) {
	out, err := h.conn.amiss(s)
	l, ok := h.inForce.get()
	if err != nil || !ok || !s.Leases() {
		return out, err
	}
	bridge, err := h.conn.current(s.Config.Bridge)
	if errors.Is(err, unix.ENODEV) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	now, err := h.conn.addressesOf(bridge)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(now, func(a address) bool { return a.prefix().Addr() == l.Addr.Addr() }) {
		out = append(out, fmt.Sprintf("+ address %v on %s", l.Addr, s.Config.Bridge))
	}
	return out, nil
}

// mendLease puts a lease in force on the bridge again.
func (h *Host) mendLease(s State) error {
	l, ok := h.inForce.get()
	if !ok || !s.Leases() {
		return nil
	}
	bridge, err := h.conn.current(s.Config.Bridge)
	if err != nil {
		return err
	}
	return errors.Join(h.conn.putAddress(lease(l), bridge), h.conn.lead(bridge, s.Snapshot.metric(), l))
}

// lasting is the part of a snapshot that is to be on the bridge as long as it is kept: nothing that has a lifetime, and nothing that comes
// from a server or a router.
func (s State) lasting() snapshot {
	out := s.Snapshot
	out.Addresses = slices.DeleteFunc(slices.Clone(out.Addresses), func(a address) bool { return s.Config.DHCP && a.is4() || a.valid() != forever })
	out.Routes = slices.DeleteFunc(slices.Clone(out.Routes), func(r route) bool { return s.Config.DHCP && r.is4() || r.protocol() == unix.RTPROT_RA })
	return out
}

// amiss is what a kept bridge lacks, as the changes that would mend it. What is somebody else's by now is an error.
func (c conn) amiss(s State) ([]string, error) {
	cfg, want := s.Config, s.lasting()
	links, err := c.links()
	if err != nil {
		return nil, err
	}
	uplink, ok := byIndex(links, want.Index)
	if !ok {
		return nil, fmt.Errorf("the interface %s is gone, and with it the way of %s to the LAN", cfg.Uplink, cfg.Bridge)
	}
	bridge, ok := find(links, cfg.Bridge)
	if !ok {
		if uplink.master != 0 {
			return nil, fmt.Errorf("%s is gone, and %s is a port of another bridge", cfg.Bridge, cfg.Uplink)
		}
		return []string{"+ link " + cfg.Bridge}, nil
	}
	var out []string
	switch {
	case !bridge.ours(s.Snapshot):
		return nil, fmt.Errorf("%s isn't labnet's any more: its alias is %q, not %q", cfg.Bridge, bridge.alias, mark)
	case uplink.master != 0 && uplink.master != bridge.index:
		return nil, fmt.Errorf("%s is a port of another bridge than %s", cfg.Uplink, cfg.Bridge)
	case uplink.master == 0:
		out = append(out, fmt.Sprintf("+ port %s on %s", cfg.Uplink, cfg.Bridge))
	}
	if bridge.alias != mark {
		out = append(out, fmt.Sprintf("~ link %s (alias %s)", cfg.Bridge, mark))
	}
	if !bridge.up {
		out = append(out, fmt.Sprintf("~ link %s (down -> up)", cfg.Bridge))
	}
	now, err := c.addressesOf(bridge)
	if err != nil {
		return nil, err
	}
	for _, a := range want.wantAddresses(cfg) {
		if !slices.ContainsFunc(now, func(b address) bool { return b.prefix() == a.prefix() }) {
			out = append(out, fmt.Sprintf("+ address %v on %s", a.prefix(), cfg.Bridge))
		}
	}
	if want.Settings[disableIPv6] == "0" && readSetting(uplink.name, disableIPv6) == "0" {
		out = append(out, fmt.Sprintf("~ sysctl net.ipv6.conf.%s.disable_ipv6 0 -> 1", uplink.name))
	}
	return out, nil
}

// mend makes again what is missing, by the steps of a move: each leaves alone what is there.
func (c conn) mend(s State) error {
	cfg, want := s.Config, s.lasting()
	bridge, err := c.current(cfg.Bridge)
	if errors.Is(err, unix.ENODEV) {
		for _, one := range c.steps(cfg, want) {
			if err := one.do(); err != nil {
				return fmt.Errorf("making %s again: %s: %w", cfg.Bridge, one.what, err)
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	links, err := c.links()
	if err != nil {
		return err
	}
	port, _ := byIndex(links, want.Index)
	errs := []error{
		c.setLink(bridge.index, 0, 0, netlink.Attribute{Type: unix.IFLA_IFALIAS, Data: []byte(mark)}),
		// Nobody else has what was the uplink's: nobody is asked.
		writeSetting(cfg.Bridge, acceptDAD, "0"),
		c.setLink(bridge.index, unix.IFF_UP, unix.IFF_UP),
	}
	for _, a := range want.wantAddresses(cfg) {
		errs = append(errs, c.addAddress(a, bridge.index, cfg.Uplink, cfg.Bridge, 0))
	}
	if port.master == 0 {
		errs = append(errs, c.setLink(want.Index, 0, 0, netlink.Attribute{Type: unix.IFLA_MASTER, Data: put32(uint32(bridge.index))}))
	}
	if want.Settings[disableIPv6] == "0" {
		errs = append(errs, writeSetting(port.name, disableIPv6, "1"))
	}
	errs = append(errs,
		c.ensureRoutes(want.wantRoutes(cfg), want.Index, bridge.index),
		want.setting(cfg.Bridge, acceptDAD),
		announce(bridge.index, want.MAC, want.wantAddresses(cfg)))
	return errors.Join(errs...)
}
