package daemon

import (
	"fmt"
	"net"
	"slices"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/handover"
	"labnet/leases"
)

// waitsFor says, for people, what the TAPs of a bridged network wait for that are on no bridge.
func (d *daemon) waitsFor(n config.Network) string {
	state, err := d.hand.State()
	if err != nil || state.Phase != handover.None && state.Phase != handover.Prepared {
		return n.Bridge.Name
	}
	d.mu.Lock()
	obstacle := d.obstacle
	d.mu.Unlock()
	want, _, _ := handoverOf(&config.Config{Networks: []config.Network{n}})
	confirmed, _, err := d.hand.Confirmed(want)
	switch {
	case obstacle != nil:
		return fmt.Sprintf("%s, which can't be made now: `labnet status` says why", n.Bridge.Name)
	case err == nil && !confirmed && !d.opts.Confirmed:
		return fmt.Sprintf("%s, which `labnet apply` makes", n.Bridge.Name)
	}
	return n.Bridge.Name + ", which is made at once"
}

// heardBehind is who was heard last behind a TAP of a bridged network.
func heardBehind(t control.TAP, seen []seenGuest) (last seenGuest, ok bool) {
	for _, g := range seen {
		if g.Network == t.Network && g.port == t.Name && (!ok || g.LastSeen.After(last.LastSeen)) {
			last, ok = g, true
		}
	}
	return last, ok
}

// heardElsewhere are the MAC addresses of guests of a bridged network that are behind other ports than a TAP's.
func heardElsewhere(seen []seenGuest, k keptTAP) map[string]bool {
	macs := map[string]bool{}
	for _, g := range seen {
		if g.Network == k.Network && g.port != k.Name {
			macs[g.HWAddr.String()] = true
		}
	}
	return macs
}

// setGuest adds a guest that was heard to its TAP.
func setGuest(t *control.TAP, g seenGuest) {
	t.Address, t.Guest = g.Addr, g.RequestedName
	if t.MAC == "" {
		t.MAC = g.HWAddr.String()
	}
}

// guestByLease finds the lease of a TAP's guest: what the guest really has goes before what it was to have.
func guestByLease(t *control.TAP, heard []net.HardwareAddr, bound map[guest]leases.Lease) {
	macs := heard
	if mac, err := net.ParseMAC(t.MAC); err == nil {
		macs = append(slices.Clone(macs), mac)
	}
	for _, mac := range macs {
		if lease, ok := bound[guest{t.Network, leases.HWAddr(mac)}]; ok {
			t.Address, t.Guest = lease.Addr, lease.Name
			if t.MAC == "" {
				t.MAC = mac.String()
			}
			return
		}
	}
}
