package daemon

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// guestMACs are the MAC addresses that the guests of a network's TAPs are to have, by the TAP's name: what is said of them, and else one made of the name
// by derive that nobody has yet. Where derived ones collide, the later TAP has the next. It is pure.
func guestMACs(n config.Network, kept []keptTAP, derive func(name string, try int) net.HardwareAddr) map[string]string {
	macs, taken := map[string]string{}, map[string]bool{}
	for _, h := range n.Hosts {
		if h.MAC != "" {
			taken[net.HardwareAddr(h.MAC).String()] = true
		}
	}
	set := func(name, mac string) { macs[name], taken[mac] = mac, true }
	for _, t := range n.TAPs {
		if t.MAC != "" {
			set(t.Name, net.HardwareAddr(t.MAC).String())
		}
	}
	for _, k := range kept {
		if _, ofFile := macs[k.Name]; k.Network == n.Name && !ofFile {
			set(k.Name, k.MAC)
		}
	}
	for _, t := range n.TAPs {
		if t.MAC == "" {
			set(t.Name, freeMAC(taken, func(try int) net.HardwareAddr { return derive(t.Name, try) }))
		}
	}
	return macs
}

// freeMAC is the first of the derived addresses that isn't taken.
func freeMAC(taken map[string]bool, derive func(try int) net.HardwareAddr) string {
	for try := 0; ; try++ {
		if mac := derive(try).String(); !taken[mac] {
			return mac
		}
	}
}

// macFor is the MAC address that the guest of a new TAP is to have: as was said, the host's, or one made of the name.
func (d *daemon) macFor(caller control.Caller, n config.Network, k keptTAP, said string, kept []keptTAP) (string, error) {
	taken := map[string]bool{}
	for _, mac := range guestMACs(n, kept, d.derive(n.Name)) {
		taken[mac] = true
	}
	if k.Host != "" {
		i := slices.IndexFunc(n.Hosts, func(h config.Host) bool { return h.Name == k.Host })
		switch {
		case i < 0:
			return "", fmt.Errorf("%w: network %q has no host %q", control.ErrNotFound, n.Name, k.Host)
		case n.Hosts[i].MAC == "":
			return "", fmt.Errorf("%w: the host %q has no mac that the TAP's guest could have", control.ErrConflict, k.Host)
		}
		mac := net.HardwareAddr(n.Hosts[i].MAC).String()
		if taken[mac] {
			return "", fmt.Errorf("%w: the host %q has a TAP already", control.ErrConflict, k.Host)
		}
		return mac, nil
	}
	for _, h := range n.Hosts {
		// Whoever may say so gives the host's MAC to the host's TAP.
		if h.MAC != "" && !caller.Admin {
			taken[net.HardwareAddr(h.MAC).String()] = true
		}
	}
	// Another machine's lease is not to go with this one's TAP.
	if !caller.Admin || k.Run {
		for l := range d.table.Snapshot(n.Name).All() {
			if l.State == leases.Bound {
				taken[l.HWAddr.String()] = true
			}
		}
		maps.Copy(taken, heardElsewhere(d.observers.guests(n.Name, time.Now()), k))
	}
	if said == "" {
		for _, h := range n.Hosts {
			if h.MAC != "" {
				taken[net.HardwareAddr(h.MAC).String()] = true
			}
		}
		return freeMAC(taken, func(try int) net.HardwareAddr { return d.host.GuestMAC(n.Name, k.Name, try) }), nil
	}
	mac, err := net.ParseMAC(said)
	switch {
	case err != nil || len(mac) != 6:
		return "", fmt.Errorf("%w: %q is not a MAC address such as 52:54:00:12:34:56", control.ErrInvalid, said)
	case mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00":
		return "", fmt.Errorf("%w: %s is the MAC of a group or of nobody, not a guest's", control.ErrInvalid, mac)
	case taken[mac.String()]:
		return "", fmt.Errorf("%w: another guest of network %q has the MAC %s", control.ErrConflict, n.Name, mac)
	}
	return mac.String(), nil
}

func (d *daemon) derive(network string) func(name string, try int) net.HardwareAddr {
	return func(name string, try int) net.HardwareAddr { return d.host.GuestMAC(network, name, try) }
}
