package daemon

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
	"labnet/netcfg"
)

// TAPs implements control.Backend.
func (d *daemon) TAPs(_ context.Context, network string) ([]control.TAP, error) {
	d.mu.Lock()
	cfg, kept := d.cfg, d.taps
	d.mu.Unlock()
	all, err := d.listTAPs(cfg, kept)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t control.TAP) bool { return network != "" && t.Network != network }), nil
}

// tapsNamed lists those of names, in this order. It is called in turns.
func (d *daemon) tapsNamed(names []string) ([]control.TAP, error) {
	all, err := d.listTAPs(d.cfg, d.taps)
	if err != nil {
		return nil, err
	}
	found := make([]control.TAP, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(all, func(t control.TAP) bool { return t.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%w: there is no TAP %q", control.ErrNotFound, name)
		}
		found = append(found, all[i])
	}
	return found, nil
}

// listTAPs brings together what the file says, what was made at run time, what the kernel has, and the leases.
func (d *daemon) listTAPs(cfg *config.Config, kept []keptTAP) ([]control.TAP, error) {
	links, err := d.host.TAPs()
	if err != nil {
		return nil, err
	}
	_, obstacles := withTAPs(compile(cfg, "").host, cfg, kept)
	var all []control.TAP
	listed := map[string]bool{}
	for _, n := range cfg.Networks {
		macs := guestMACs(n, kept, d.derive(n.Name))
		for _, t := range n.TAPs {
			listed[t.Name] = true
			all = append(all, control.TAP{
				Name: t.Name, Network: n.Name, Origin: control.OriginFile, Owner: ownerOf(t.Owner, t.Group), Group: t.Group, MAC: macs[t.Name], Host: t.Host,
				MultiQueue: t.MultiQueue, VnetHdr: t.VnetHdr,
			})
		}
	}
	for i, k := range kept {
		t := control.TAP{
			Name: k.Name, Network: k.Network, Origin: control.OriginRuntime, Owner: ownerOf(k.Owner, k.Group), Group: k.Group, MAC: k.MAC, Host: k.Host,
			MultiQueue: k.MultiQueue, VnetHdr: k.VnetHdr, Made: k.Made, Obstacle: obstacles[i],
		}
		if k.Run {
			t.Origin = control.OriginRun
		}
		listed[k.Name] = true
		all = append(all, t)
	}
	networks := map[string]string{} // by bridge
	for _, n := range cfg.Networks {
		networks[n.Bridge.Name] = n.Name
	}
	for _, l := range links {
		if network, ok := networks[l.Bridge]; ok && !listed[l.Name] {
			all = append(all, control.TAP{
				Name: l.Name, Network: network, Origin: control.OriginAttached, Owner: id(l.Owner), Group: id(l.Group), MultiQueue: l.MultiQueue,
			})
		}
	}
	d.seenTAPs(cfg, all, links)
	return all, nil
}

func ownerOf(owner, group string) string {
	if owner == "" && group == "" {
		return "0"
	}
	return owner
}

func id(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// guest is a MAC address in a network.
type guest struct {
	network string
	mac     leases.HWAddr
}

// seenTAPs adds what the kernel, the leases and the observers say of TAPs.
func (d *daemon) seenTAPs(cfg *config.Config, taps []control.TAP, links []netcfg.TAPLink) {
	lans, seen := map[string]config.Network{}, d.observers.guests("", time.Now())
	for _, n := range cfg.Networks {
		if n.Mode == bridged {
			lans[n.Name] = n
		}
	}
	byName := map[string]netcfg.TAPLink{}
	for _, l := range links {
		byName[l.Name] = l
	}
	bound := map[guest]leases.Lease{}
	for l := range d.table.Snapshot("").All() {
		if l.State == leases.Bound {
			bound[guest{l.Network, l.HWAddr}] = l
		}
	}
	for i := range taps {
		t := &taps[i]
		l, there := byName[t.Name]
		if !there || t.Obstacle != "" {
			continue
		}
		t.Bridge, t.InUse, t.PID, t.Process = l.Bridge, l.Used, l.PID, l.Process
		if n, ok := lans[t.Network]; ok {
			if g, ok := heardBehind(*t, seen); ok {
				setGuest(t, g)
			}
			if t.Bridge == "" {
				t.Waits = d.waitsFor(n)
			}
		} else {
			guestByLease(t, l.MACs, bound)
		}
		if t.MAC == "" && len(l.MACs) > 0 {
			t.MAC = l.MACs[0].String()
		}
	}
}
