package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
	"labnet/netcfg"
)

type (
	downRequest struct{ done chan downAnswer }
	downAnswer  struct {
		changes []control.Change
		err     error
	}
)

// Status implements control.Backend.
func (d *daemon) Status(context.Context) control.Status {
	cfg := d.config()
	status := control.Status{
		State:     control.Ready,
		PID:       os.Getpid(),
		Version:   d.opts.Version,
		Started:   d.started,
		Config:    d.opts.ConfigPath,
		Ephemeral: d.opts.Ephemeral,
		Networks:  []control.Network{},
		Upstreams: []control.Upstream{},
		Block:     []control.BlockList{},
		DNS:       d.dns.Stats(),
		Cache:     d.cacheUse(),
		Hooks:     d.hooks.status(),
		Problems:  d.troubles(cfg).problems(),
		Takeover:  d.former.takeover,
	}
	routes, err := returnRoutes(d.host, compile(cfg, hostName()).host)
	if err != nil {
		d.log.Warn("the routes that the LAN needs can't be told", "err", err)
	}
	for _, n := range cfg.Networks {
		network := d.network(n)
		for _, r := range routes {
			if r.Network == n.Name {
				network.Routes = append(network.Routes, r)
			}
		}
		status.Networks = append(status.Networks, network)
	}
	for _, u := range d.dns.Upstreams() {
		status.Upstreams = append(status.Upstreams, control.Upstream{
			Group: u.Group, Server: u.Addr.String(), Healthy: !u.Down && !u.Looping, Looping: u.Looping, RTT: rtt(u.RTT),
		})
	}
	for _, b := range d.dns.BlockLists() {
		list := control.BlockList{File: b.File, Names: b.Names, Bad: b.Bad}
		if b.Err != nil {
			list.Error = b.Err.Error()
		}
		status.Block = append(status.Block, list)
	}
	status.HostsFiles = hostsFiles(d.dns.HostsFiles())
	if len(status.Problems) > 0 {
		status.State = control.Degraded
	}
	return status
}

// rtt is a round trip for people; "" before the first.
func rtt(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(10 * time.Microsecond).String()
}

func (d *daemon) network(n config.Network) control.Network {
	if n.Mode == bridged {
		return d.bridgedNetwork(n)
	}
	out := control.Network{
		Name:       n.Name,
		Mode:       n.Mode,
		Bridge:     n.Bridge.Name,
		Address:    n.Address,
		Secondary:  n.Secondary,
		Uplink:     n.Uplink.Interface,
		Masquerade: n.Uplink.Masquerade,
		Domain:     n.DNS.Domain,
		DHCP:       d.links.counters(n.Name),

		OtherServers: d.links.others(n.Name),
	}
	for l := range d.table.Snapshot(n.Name).All() {
		if l.State != leases.Bound {
			continue
		}
		out.Bound++
		if inRanges(n.DHCP.Ranges, l.Addr) {
			out.Leased++
		}
	}
	for _, r := range n.DHCP.Ranges {
		out.Addresses += rangeSize(r)
	}
	return out
}

func inRanges(ranges []config.AddrRange, addr netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(r config.AddrRange) bool { return !addr.Less(r.Start) && !r.End.Less(addr) })
}

// rangeSize counts the addresses of an IPv4 range.
func rangeSize(r config.AddrRange) int {
	start, end := r.Start.As4(), r.End.As4()
	size := 1
	for i := range start {
		size += (int(end[i]) - int(start[i])) << (8 * (3 - i))
	}
	return size
}

// troubles is what a person should look at now.
func (d *daemon) troubles(cfg *config.Config) (found troubles) {
	p := d.compile(cfg)
	host, err := d.host.Check(p.host)
	if err != nil {
		host = append(host, netcfg.Problem{Summary: "the host's network can't be read: " + err.Error()})
	}
	found.add(ofHost, host...)
	found.add(ofDrift, d.host.Alarms()...)
	if err := d.table.StoreErr(); err != nil {
		found.add(ofStore, netcfg.Problem{
			Summary: "leases can't be made durable: " + err.Error(),
			Remedy:  "make room, or mend the disk, where " + d.opts.Paths.StateDir + " is; new leases wait until then, and it recovers by itself",
		})
	} else if err := d.table.StoreWarning(); err != nil {
		found.add(ofStore, netcfg.Problem{
			Summary: "leases can't be moved from the redo log into the database: " + err.Error(),
			Remedy:  "make room, or mend the disk, where " + d.opts.Paths.StateDir + " is; nothing is lost, but the log holds a few thousand leases only",
		})
	}
	d.mu.Lock()
	obstacle := d.obstacle
	notAdmitted := d.notAdmitted
	d.mu.Unlock()
	found.add(ofAccess, notAdmitted...)
	found.add(ofUplink, handoverProblems(d.hand, cfg, obstacle)...)
	if want, _, ok := handoverOf(cfg); ok {
		state, _ := d.hand.State() // why it can't be read is said above
		found.add(ofUplink, d.tenant.problems(want.Network, d.hand.Address(state))...)
	}
	found.add(ofUpstreams, loops(d.dns.Upstreams())...)
	found.add(ofBlockLists, blockProblems(d.dns.BlockLists())...)
	found.add(ofHostsFiles, hostsFileProblems(d.dns.HostsFiles())...)
	found.add(ofPublish, publishProblems(p.host)...)
	found.add(ofHooks, d.hooks.problems(p.hooks)...)
	if err := d.metrics.Missing(); err != nil {
		found.add(ofMetrics, netcfg.Problem{Summary: "metrics are not served: " + err.Error(), Remedy: "end what has the port, and it is taken within seconds"})
	}
	return found
}

// loops are the upstreams that aren't asked because they would ask us.
func loops(upstreams []dnsserver.UpstreamStatus) (found []netcfg.Problem) {
	for _, u := range upstreams {
		if u.Looping {
			found = append(found, netcfg.Problem{
				Summary: fmt.Sprintf("the upstream %v sends questions back to labnet, in a circle", u.Addr),
				Remedy:  "take it out of the configuration, or labnet out of its; it isn't asked until then, and tried every minute",
			})
		}
	}
	return found
}

// blockProblems are the block lists that can't be read.
func blockProblems(lists []dnsserver.BlockList) []netcfg.Problem {
	var found []netcfg.Problem
	for _, l := range lists {
		if l.Err == nil {
			continue
		}
		remedy := "put it there, or mend it; nothing is blocked by it until then"
		if l.Names > 0 {
			remedy = fmt.Sprintf("put it there, or mend it; the %d names that it had before are blocked until then", l.Names)
		}
		found = append(found, netcfg.Problem{Summary: "a block list can't be read: " + l.Err.Error(), Remedy: remedy})
	}
	return found
}

func controlProblems(found []netcfg.Problem) []control.Problem {
	out := make([]control.Problem, 0, len(found))
	for _, p := range found {
		out = append(out, control.Problem{Network: p.Network, Fatal: p.Fatal, Summary: p.Summary, Remedy: p.Remedy})
	}
	return out
}

// Down implements control.Backend.
func (d *daemon) Down(ctx context.Context) ([]control.Change, error) {
	request := downRequest{make(chan downAnswer, 1)}
	select {
	case d.down <- request:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-d.ended:
		return nil, fmt.Errorf("%w: the daemon is ending already", control.ErrConflict)
	}
	answer := <-request.done
	return answer.changes, answer.err
}

// changes is a plan as the API shows it.
func changes(p netcfg.Plan) []control.Change {
	out := make([]control.Change, 0, len(p.Grow)+len(p.Shrink))
	for _, part := range [][]netcfg.Change{p.Grow, p.Shrink} {
		for _, c := range part {
			out = append(out, control.Change{Group: c.Group(), Text: c.String()})
		}
	}
	return out
}
