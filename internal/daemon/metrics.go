package daemon

import (
	"context"
	"net/http"
	"strings"
	"time"

	"labnet/internal/metrics"
	"labnet/leases"
)

// countWithin is how long a scrape waits for the packet counters while the host is being changed; it does without them then.
const countWithin = time.Second

// listenMetrics opens the port for metrics, if the configuration has one and it can be had.
func (d *daemon) listenMetrics() (err error) {
	log := d.log.With("part", "metrics")
	d.noteReload()
	if d.handlers, err = metrics.New(d.opts.Version, d.reading, d.probed, log); err != nil {
		return err
	}
	d.metrics = metrics.Listen(d.cfg.Metrics.Listen, d.handlers.Port, log)
	return nil
}

// Metrics implements control.Backend.
func (d *daemon) Metrics() http.Handler { return d.handlers.Metrics }

// noteReload remembers that the configuration which is served was just read.
func (d *daemon) noteReload() {
	d.reloaded.Store(time.Now().UnixNano())
	d.unread.Store(false)
}

// reading is every counter of the parts.
func (d *daemon) reading() metrics.Reading {
	commits := d.table.Commits()
	r := metrics.Reading{
		Problems:     map[string]int{},
		ReloadFailed: d.unread.Load(), Reloaded: time.Unix(0, d.reloaded.Load()),
		Net:      d.readNet(),
		Networks: d.readDHCP(),
		Commits:  metrics.Commits{Times: commits.Times, Failed: commits.Failed, Leases: commits.Leases},
		DNS:      d.readDNS(),
	}
	l := d.seen()
	if l.at.IsZero() {
		r.Problems = nil
	}
	for _, k := range kinds() {
		if r.Problems != nil {
			r.Problems[string(k)] = 0
		}
	}
	for _, k := range l.wrong.kinds {
		r.Problems[string(k)]++
	}
	for _, h := range d.hooks.runner.Stats() {
		r.Hooks = append(r.Hooks, metrics.Hook{
			Name: h.Name, Delivered: h.Delivered, Failed: h.Failed, Dropped: h.Dropped, Waiting: h.Waiting,
		})
	}
	return r
}

func (d *daemon) readNet() metrics.Net {
	stats := d.host.Stats()
	n := metrics.Net{
		Applied: stats.Applied, ApplyFailed: stats.Failed, Repaired: stats.Repaired + d.mended.Load(), Failures: stats.Failures, Resting: stats.Resting,
	}
	ctx, cancel := context.WithTimeout(context.Background(), countWithin)
	defer cancel()
	counted, err := d.host.CountersWithin(ctx)
	if err != nil {
		d.log.Debug("packets can't be counted", "err", err)
		return n
	}
	n.Packets = map[metrics.Rule]uint64{}
	for key, packets := range counted {
		table, name, _ := strings.Cut(key, " ")
		n.Packets[metrics.Rule{Table: table, Name: name}] = packets
	}
	return n
}

// readDHCP reads the networks that lease addresses, or did: those whose leases are still there.
func (d *daemon) readDHCP() []metrics.DHCPNetwork {
	census := d.table.Census()
	var out []metrics.DHCPNetwork
	for _, l := range d.links.all() {
		n := metrics.DHCPNetwork{Name: l.cfg.Network, Decisions: l.server.Stats()}
		for _, m := range l.server.Messages() {
			n.Messages = append(n.Messages, metrics.Messages{Sent: m.Sent, Type: m.Type, Count: m.Count})
		}
		count(&n, census[n.Name])
		delete(census, n.Name)
		out = append(out, n)
	}
	for name, c := range census {
		n := metrics.DHCPNetwork{Name: name}
		count(&n, c)
		out = append(out, n)
	}
	return out
}

func count(n *metrics.DHCPNetwork, c leases.Census) {
	n.Leases = map[string]int{
		leases.Offered.String(): c.Offered, leases.Bound.String(): c.Bound, leases.Declined.String(): c.Declined,
		leases.Released.String(): c.Released, leases.Expired.String(): c.Expired,
	}
	n.Addresses, n.Leased = c.Addresses, c.Leased
}

func (d *daemon) readDNS() metrics.DNS {
	use := d.dns.CacheUse()
	out := metrics.DNS{
		Decisions:    d.dns.Stats(),
		CacheEntries: use.Entries, CacheBytes: use.Bytes, CacheLimit: use.Limit, Evicted: use.Evicted,
	}
	for _, t := range d.dns.Traffic() {
		n := metrics.DNSNetwork{Name: t.Network, UDP: t.UDP, TCP: t.TCP}
		for _, a := range t.Answers {
			n.Answers = append(n.Answers, metrics.Answers{Rcode: a.Rcode, Source: a.Source, Count: a.Count})
		}
		out.Networks = append(out.Networks, n)
	}
	for _, u := range d.dns.UpstreamTimes() {
		out.Upstreams = append(out.Upstreams, metrics.Upstream{Addr: u.Addr.String(), Up: u.Up, Times: u.Answers, Failures: u.Failures})
	}
	for _, l := range d.dns.BlockLists() {
		out.BlockedNames += l.Names
		if l.Err != nil {
			out.BlockFailing++
		}
	}
	return out
}
