package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"labnet/dnsserver"
	"labnet/internal/control"
)

// servedDNS is an error where DNS isn't served in the network name.
func (d *daemon) servedDNS(name string) error {
	var names []string
	for _, n := range d.config().Networks {
		if n.DNS.Enabled {
			names = append(names, n.Name)
		}
	}
	switch {
	case len(names) == 0:
		return fmt.Errorf("%w: DNS is served in no network", control.ErrConflict)
	case name != "" && !slices.Contains(names, name):
		return fmt.Errorf("%w: DNS is served in no network %q; it is in: %s", control.ErrInvalid, name, strings.Join(names, ", "))
	}
	return nil
}

// dnsProblem is an error of the DNS server for the API.
func dnsProblem(err error) error {
	if errors.Is(err, dnsserver.ErrQuestion) {
		return fmt.Errorf("%w: %s", control.ErrInvalid, strings.TrimPrefix(err.Error(), dnsserver.ErrQuestion.Error()+": "))
	}
	return err
}

// TraceDNS implements control.Backend.
func (d *daemon) TraceDNS(f control.DNSTraceFilter) (control.DNSTrace, error) {
	if err := d.servedDNS(f.Network); err != nil {
		return nil, err
	}
	match, err := dnsserver.Filter{Network: f.Network, Client: f.Client, Under: f.Name, Type: f.Type, Reason: f.Reason, Rcode: f.Rcode}.Matcher()
	if err != nil {
		return nil, dnsProblem(err)
	}
	if d.dns.Tracer().Watchers() >= maxTraces {
		return nil, fmt.Errorf("%w: %d watch already; end one first", control.ErrConflict, maxTraces)
	}
	return dnsTrace{d.dns.Tracer().Subscribe(match)}, nil
}

// dnsTrace is a subscription in the API's terms.
type dnsTrace struct{ sub *dnsserver.Subscription }

func (t dnsTrace) Close() { t.sub.Close() }

func (t dnsTrace) Next(ctx context.Context) (control.DNSEvent, uint64, error) {
	e, lost, err := t.sub.Next(ctx)
	if err != nil || lost > 0 {
		return control.DNSEvent{}, lost, err
	}
	return control.DNSEvent{
		Time: e.Time.UTC(), Network: e.Network, Client: e.Client.Addr(), Port: e.Client.Port(), TCP: e.TCP, Name: e.Name, Type: e.Type,
		Rcode: e.Rcode, Answer: e.Answer(), Reason: e.Reason, Text: e.Text, Cached: e.Cached, Upstream: e.Upstream, Server: addrPort(e.Server),
		Took: e.Took.Microseconds(),
	}, 0, nil
}

// DNSCache implements control.Backend.
func (d *daemon) DNSCache() control.DNSCache {
	stats, outcomes := d.dns.CacheStats(), d.dns.Outcomes()
	out := control.DNSCache{
		CacheUse: control.CacheUse{Entries: stats.Entries, Bytes: stats.Bytes, Limit: stats.Limit},
		Hits:     outcomes.Hits, Negative: outcomes.Negative, Failures: outcomes.Failures, Misses: outcomes.Misses, Evicted: stats.Evicted,
		Groups: []control.DNSCacheGroup{},
	}
	for _, g := range stats.Groups {
		out.Groups = append(out.Groups, control.DNSCacheGroup{
			Group: g.Name, Own: g.Ours, Entries: g.Entries, Bytes: g.Bytes, Negative: g.Negative, Failures: g.Failures, Expired: g.Expired,
		})
	}
	return out
}

// cacheUse is how full the cache is.
func (d *daemon) cacheUse() control.CacheUse {
	entries, bytes := d.dns.Cache()
	return control.CacheUse{Entries: entries, Bytes: bytes, Limit: d.config().Resolver.CacheSize}
}

// FlushDNS implements control.Backend.
func (d *daemon) FlushDNS(name string, below bool) (control.FlushedDNS, error) {
	n, err := d.dns.Flush(name, below)
	return control.FlushedDNS{Flushed: n}, dnsProblem(err)
}
