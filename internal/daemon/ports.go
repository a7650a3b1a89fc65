package daemon

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"labnet/internal/control"
	"labnet/leases"
)

// Ports implements control.Backend.
func (d *daemon) Ports(_ context.Context, network string) ([]control.Port, error) {
	out := []control.Port{}
	known := network == ""
	for _, n := range d.config().Networks {
		if network != "" && n.Name != network {
			continue
		}
		known = true
		ports, err := d.host.Ports(n.Bridge.Name)
		if err != nil {
			return nil, err
		}
		behind := d.guestsBehind(n.Name, n.Mode == bridged)
		for _, p := range ports {
			port := control.Port{
				Network: n.Name, Name: p.Name, Bridge: p.Bridge, Uplink: n.Mode == bridged && p.Name == n.Uplink.Interface,
				Sent: p.Received.Bytes, SentFrames: p.Received.Packets, Received: p.Sent.Bytes, ReceivedFrames: p.Sent.Packets,
				Dropped: p.Dropped, MACs: len(p.MACs), Guests: []control.PortGuest{},
			}
			for _, mac := range p.MACs {
				if g, ok := behind[leases.HWAddr(mac)]; ok && !port.Uplink {
					port.Guests = append(port.Guests, g)
				}
			}
			slices.SortFunc(port.Guests, func(a, b control.PortGuest) int {
				return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.MAC, b.MAC))
			})
			port.Guests = slices.Compact(port.Guests) // a bridge with VLANs hears an address once in each
			out = append(out, port)
		}
	}
	if !known {
		return nil, fmt.Errorf("%w: there is no network %q", control.ErrNotFound, network)
	}
	return out, nil
}

// guestsBehind is the guests of a network by their MACs: those with a lease in force or, on the LAN, those that are observed.
func (d *daemon) guestsBehind(network string, lan bool) map[leases.HWAddr]control.PortGuest {
	found := map[leases.HWAddr]control.PortGuest{}
	if lan {
		for _, g := range d.observers.guests(network, time.Now()) {
			found[g.HWAddr] = control.PortGuest{MAC: g.HWAddr.String(), Address: g.Addr, Name: g.RequestedName}
		}
		return found
	}
	for l := range d.table.Snapshot(network).All() {
		if l.State == leases.Bound {
			found[l.HWAddr] = control.PortGuest{MAC: l.HWAddr.String(), Address: l.Addr, Name: l.Name}
		}
	}
	return found
}
