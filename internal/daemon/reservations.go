package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// Reservations implements control.Backend.
func (d *daemon) Reservations(_ context.Context, network string) []control.Reservation {
	d.mu.Lock()
	file, kept := d.file, d.kept
	d.mu.Unlock()
	var out []control.Reservation
	for _, n := range file.Networks {
		for _, h := range n.Hosts {
			r := control.Reservation{
				Network: n.Name, MAC: leases.HWAddr(h.MAC).String(), ClientID: leases.ClientIDFromOption([]byte(h.ClientID)).String(),
				Hostname: h.Hostname, Address: h.Address, Name: h.Name, Aliases: h.Aliases, Origin: control.OriginFile,
			}
			r.Obstacle = d.holder(leases.KeptReservation{Network: n.Name, HWAddr: leases.HWAddr(h.MAC), ID: leases.ClientIDFromOption([]byte(h.ClientID)), Addr: h.Address})
			out = append(out, r)
		}
	}
	_, obstacles := withKept(file, kept)
	for i, k := range kept {
		out = append(out, d.shownReservation(k, obstacles[i]))
	}
	return slices.DeleteFunc(out, func(r control.Reservation) bool { return network != "" && r.Network != network })
}

func (d *daemon) shownReservation(k leases.KeptReservation, obstacle string) control.Reservation {
	if obstacle == "" {
		obstacle = d.holder(k)
	}
	return control.Reservation{
		Network: k.Network, MAC: k.HWAddr.String(), ClientID: k.ID.String(), Address: k.Addr, Name: k.Name,
		Origin: control.OriginRuntime, Made: k.Made, Obstacle: obstacle,
	}
}

// holder says which other client keeps the reserved address from k's for now, "" for none.
func (d *daemon) holder(k leases.KeptReservation) string {
	if !k.Addr.IsValid() || k.HWAddr == "" && k.ID == "" {
		return ""
	}
	l, ok := d.table.ByAddr(k.Network, k.Addr)
	if !ok || k.HWAddr != "" && l.HWAddr == k.HWAddr || k.ID != "" && l.ID == k.ID {
		return ""
	}
	switch l.State {
	case leases.Bound:
		return fmt.Sprintf("%v is leased to %v until its next renewal; `labnet leases release %v` ends that now", k.Addr, l.HWAddr, k.Addr)
	case leases.Declined:
		return fmt.Sprintf("%v rests, since it was found in use by %v; `labnet leases release %v` ends that", k.Addr, l.HWAddr, k.Addr)
	}
	return ""
}

// Reserve implements control.Backend.
func (d *daemon) Reserve(ctx context.Context, r control.Reservation) (control.Reservation, error) {
	k, err := d.keptReservation(r)
	if err != nil {
		return control.Reservation{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	switch {
	case !k.Addr.IsValid() && k.Name == "":
		return control.Reservation{}, fmt.Errorf("%w: reserve an address, a name, or both", control.ErrInvalid)
	case r.Address.IsValid() && !r.Address.Is4():
		return control.Reservation{}, fmt.Errorf("%w: %v is not an IPv4 address", control.ErrInvalid, r.Address)
	}
	k.Made = time.Now().UTC().Truncate(time.Second)
	err = d.inTurn(ctx, func(t turn) error {
		kept := append(slices.DeleteFunc(slices.Clone(d.kept), k.Same), k)
		cfg, obstacles := withKept(d.file, kept)
		if obstacle := obstacles[len(kept)-1]; obstacle != "" {
			return fmt.Errorf("%w: %s", control.ErrConflict, obstacle)
		}
		return d.change(t, cfg, kept, func() error { return d.store.Reserve(ctx, k) })
	})
	if err != nil {
		return control.Reservation{}, err
	}
	d.log.Info("reserved", "network", k.Network, "hwaddr", k.HWAddr.String(), "client", k.ID.String(), "addr", k.Addr, "name", k.Name)
	return d.shownReservation(k, ""), nil
}

// Unreserve implements control.Backend.
func (d *daemon) Unreserve(ctx context.Context, r control.Reservation) (control.Reservation, error) {
	k, err := d.keptReservation(r)
	if err != nil {
		return control.Reservation{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	var ended leases.KeptReservation
	err = d.inTurn(ctx, func(t turn) error {
		at := slices.IndexFunc(d.kept, k.Same)
		if at < 0 {
			return d.notKept(k)
		}
		ended = d.kept[at]
		kept := slices.Delete(slices.Clone(d.kept), at, at+1)
		cfg, _ := withKept(d.file, kept)
		return d.change(t, cfg, kept, func() error { return d.store.Unreserve(ctx, k) })
	})
	if err != nil {
		return control.Reservation{}, err
	}
	d.log.Info("reservation ended", "network", k.Network, "hwaddr", k.HWAddr.String(), "client", k.ID.String(), "addr", ended.Addr, "name", ended.Name)
	return d.shownReservation(ended, ""), nil
}

// notKept says why there is nothing to end.
func (d *daemon) notKept(k leases.KeptReservation) error {
	own := keptHost(k)
	for _, n := range d.file.Networks {
		for _, h := range n.Hosts {
			if n.Name == k.Network && (own.MAC != "" && h.MAC == own.MAC || own.ClientID != "" && h.ClientID == own.ClientID) {
				return fmt.Errorf("%w: it is of the file: take host %q out of %s, and reload", control.ErrConflict, h.Name, d.opts.ConfigPath)
			}
		}
	}
	return fmt.Errorf("%w: nothing is reserved for that client in network %q", control.ErrNotFound, k.Network)
}

// keptReservation reads r, and finds its network.
func (d *daemon) keptReservation(r control.Reservation) (k leases.KeptReservation, err error) {
	if err := k.HWAddr.UnmarshalText([]byte(strings.ToLower(strings.ReplaceAll(r.MAC, "-", ":")))); err != nil {
		return k, fmt.Errorf("mac: %w", err)
	}
	if err := k.ID.UnmarshalText([]byte(r.ClientID)); err != nil {
		return k, fmt.Errorf("client_id: %w", err)
	}
	if _, ok := k.ID.Option(); k.ID != "" && !ok {
		return k, fmt.Errorf("client_id: %q is no client identifier; reserve by mac", r.ClientID)
	}
	if (k.HWAddr == "") == (k.ID == "") {
		return k, fmt.Errorf("a reservation is for one client: give either its mac or its client_id")
	}
	k.Network, k.Addr = r.Network, r.Address
	if r.Name != "" {
		var ok bool
		if k.Name, ok = leases.CleanName(r.Name); !ok || !strings.EqualFold(k.Name, r.Name) {
			return k, fmt.Errorf("name: %q is not a DNS label of 1 to 63 letters, digits and hyphens", r.Name)
		}
	}
	if k.Network == "" {
		k.Network, err = d.networkFor(k.Addr)
	}
	return k, err
}

// networkFor is the network of an address, or else the only one.
func (d *daemon) networkFor(addr netip.Addr) (string, error) {
	networks := d.config().Networks
	for _, n := range networks {
		if addr.IsValid() && n.Address.Masked().Contains(addr) {
			return n.Name, nil
		}
	}
	if len(networks) == 1 {
		return networks[0].Name, nil
	}
	return "", fmt.Errorf("there are several networks: say in which one")
}

// change serves cfg, which differs in kept from what is served, and stores that. If either fails, all is as it was. (Who is served by what isn't
// stored in the end has a lease like others.)
func (d *daemon) change(t turn, cfg *config.Config, kept []leases.KeptReservation, store func() error) error {
	err := d.serveHosts(t, cfg)
	if err == nil {
		err = store()
	}
	if err != nil {
		return errors.Join(err, d.serveHosts(t, d.cfg))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cfg, d.kept = cfg, kept
	return nil
}

// serveHosts brings the parts to a configuration that differs in its hosts only.
func (d *daemon) serveHosts(t turn, cfg *config.Config) error {
	next := compile(cfg, hostName())
	if err := d.table.Configure(next.leases, time.Now()); err != nil {
		return err
	}
	if err := d.dns.Reconfigure(next.dns); err != nil {
		return err
	}
	d.rules.reconfigure(cfg)
	return d.links.reconfigure(t.ctx, t.front, next.dhcp)
}

// warnOfKept says which reservations aren't used.
func (d *daemon) warnOfKept(kept []leases.KeptReservation, obstacles []string) {
	for i, k := range kept {
		if obstacles[i] != "" {
			d.log.Warn("a reservation that was made at run time is not used; `labnet leases reservations` lists them", "network", k.Network,
				"hwaddr", k.HWAddr.String(), "client", k.ID.String(), "addr", k.Addr, "name", k.Name, "reason", obstacles[i])
		}
	}
}
