package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"labnet/dhcpserver"
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// ExplainDHCP implements control.Backend.
func (d *daemon) ExplainDHCP(_ context.Context, q control.DHCPQuery) ([]control.DHCPExplanation, error) {
	if q.Network != "" {
		if err := d.servedNetwork(q.Network); err != nil {
			return nil, err
		}
	}
	query := dhcpserver.Query{
		HWAddr: leases.HWAddr(q.MAC), ClientID: q.ClientID, Hostname: q.Hostname, Vendor: q.VendorClass, UserClass: q.UserClass,
		Arch: q.Arch, Requested: q.Requested,
	}
	var out []control.DHCPExplanation
	for _, s := range d.links.all() {
		if q.Network != "" && q.Network != s.cfg.Network {
			continue
		}
		e, err := s.server.Explain(query, time.Now())
		switch {
		case errors.Is(err, dhcpserver.ErrQuery):
			return nil, fmt.Errorf("%w: %w", control.ErrInvalid, err)
		case err != nil:
			return nil, err
		}
		out = append(out, explanation(e))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: DHCP is served in no network", control.ErrConflict)
	}
	return out, nil
}

func explanation(e dhcpserver.Explanation) control.DHCPExplanation {
	out := control.DHCPExplanation{
		Network: e.Network, Identity: string(e.Identity), Client: e.Client.ID.String(), Classes: e.Classes,
		Discover: answer(e.Discover),
		Running:  leaseOrNil(e.Leases.Running), Held: leaseOrNil(e.Leases.Held), Former: leaseOrNil(e.Leases.Former),
		Pool:        control.DHCPPool(e.Leases.Pool),
		Quarantined: []control.Lease{},
	}
	if e.Discover.Reply != "" && e.Discover.Name == "" {
		out.NameObstacle, out.NameHolder = string(e.Leases.NameObstacle), leaseOrNil(e.Leases.NameHolder)
	}
	if e.Reboot.Reason != "" {
		reboot := answer(e.Reboot)
		out.Reboot = &reboot
	}
	if e.Leases.MatchedBy != leases.MatchNone {
		out.Reservation = &control.DHCPReservation{
			Host: e.Leases.Reservation.Name, Address: e.Leases.Reservation.Addr, MatchedBy: string(e.Leases.MatchedBy),
			Blocker: leaseOrNil(e.Leases.ReservedFor),
		}
		if e.Leases.Obstacle != nil {
			out.Reservation.Obstacle = e.Leases.Obstacle.Error()
		}
	}
	for _, l := range e.Leases.Quarantined {
		out.Quarantined = append(out.Quarantined, controlLease(l))
	}
	return out
}

func leaseOrNil(l leases.Lease) *control.Lease {
	if !l.Addr.IsValid() {
		return nil
	}
	out := controlLease(l)
	return &out
}

func answer(f dhcpserver.Foretold) control.DHCPAnswer {
	out := control.DHCPAnswer{
		Reply: f.Reply, Reason: string(f.Reason), Text: f.Reason.Text(), Address: f.Addr, Name: f.Name,
		NextServer: f.NextServer, ServerName: f.ServerName, BootFile: f.BootFile, UsedBy: f.UsedBy.String(), Error: f.Err,
	}
	switch f.LeaseTime {
	case 0:
	case leases.Infinite:
		out.LeaseTime = "infinite"
	default:
		out.LeaseTime = f.LeaseTime.String()
	}
	for i, o := range f.Options {
		name, value := config.DescribeOption(o.Code, o.Data)
		out.Options = append(out.Options, control.DHCPOption{Code: o.Code, Name: name, Value: value, Hex: hex.EncodeToString(o.Data), From: f.Origins[i]})
	}
	return out
}
