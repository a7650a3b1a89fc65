package handover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// verifyFor is how long the bridge may take until everything works.
const verifyFor = 10 * time.Second

// verify waits until the bridge does what the uplink did, and returns what is amiss if it doesn't.
func (c conn) verify(ctx context.Context, cfg Config, s snapshot, gateways []netip.Addr) error {
	deadline := time.Now().Add(verifyFor)
	for {
		err := c.works(cfg, s, gateways)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v: %w", verifyFor, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c conn) works(cfg Config, s snapshot, gateways []netip.Addr) error {
	links, err := c.links()
	if err != nil {
		return err
	}
	bridge, ok := find(links, cfg.Bridge)
	uplink, still := byIndex(links, s.Index)
	switch {
	case !ok:
		return fmt.Errorf("%s is gone", cfg.Bridge)
	case !still:
		return fmt.Errorf("%s is gone", cfg.Uplink)
	case uplink.master != bridge.index:
		return fmt.Errorf("%s is no port of %s", cfg.Uplink, cfg.Bridge)
	case uplink.portState != stateForwarding:
		return fmt.Errorf("the port %s of %s doesn't forward", cfg.Uplink, cfg.Bridge)
	}
	now, err := c.take(bridge)
	if err != nil {
		return err
	}
	const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
	for _, a := range s.wantAddresses(cfg) {
		if _, alive := a.request(0, "", "", s.age()); alive && !slices.ContainsFunc(now.Addresses, func(b address) bool {
			return b.prefix() == a.prefix() && b.flags()&unusable == 0
		}) {
			return fmt.Errorf("%s can't use %v", cfg.Bridge, a.prefix())
		}
	}
	want := s.wantRoutes(cfg)
	for _, gw := range defaults(want, s.Index) {
		if !slices.Contains(defaults(now.Routes, bridge.index), gw) {
			return fmt.Errorf("the default route by %v doesn't lead over %s", gw, cfg.Bridge)
		}
	}
	for _, gw := range gateways {
		answers, err := answersARP(bridge.index, s.MAC, senderFor(s.wantAddresses(cfg), gw), gw, time.Second)
		if err != nil {
			return err
		}
		if !answers {
			return fmt.Errorf("the gateway %v doesn't answer over %s", gw, cfg.Bridge)
		}
	}
	return nil
}

// senderFor is the own address from which a gateway is asked; 0.0.0.0 if there is none of its subnet.
func senderFor(addresses []address, gateway netip.Addr) netip.Addr {
	for _, a := range addresses {
		if a.prefix().Contains(gateway) {
			return a.prefix().Addr()
		}
	}
	return netip.IPv4Unspecified()
}

var errStale = errors.New("the host has changed since the plan was made; run `labnet apply` again")
