package daemon

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/observe"
	"labnet/leases"
)

// observed is the state of an address that nobody here leases. It is no state of a lease table's.
const (
	observed      = "observed"
	observedState = leases.Expired + 1
)

// observers sees the guests of the bridged networks.
type observers struct {
	log *slog.Logger

	mu  sync.Mutex          // guards all
	all map[string]*watched // by the network's name
}

type watched struct {
	cfg      observe.Config // without its log
	observer *observe.Observer
	stop     context.CancelFunc
}

// observedBridges maps a configuration to what is to be observed: the bridge of each bridged network.
func observedBridges(cfg *config.Config) map[string]observe.Config {
	out := map[string]observe.Config{}
	for _, n := range cfg.Networks {
		if n.Mode == "bridged" {
			out[n.Name] = observe.Config{Bridge: n.Bridge.Name, Uplink: n.Uplink.Interface}
		}
	}
	return out
}

// follow observes these bridges from now on, until ctx ends, and no others. That a bridge isn't observed is no reason not to serve.
func (o *observers) follow(ctx context.Context, group *errgroup.Group, bridges map[string]observe.Config) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, w := range o.all {
		if bridges[name] != w.cfg {
			w.stop()
			delete(o.all, name)
		}
	}
	for name, cfg := range bridges {
		if o.all[name] != nil {
			continue
		}
		logged := cfg
		logged.Log = o.log.With("network", name)
		observer, err := observe.Open(logged)
		if err != nil {
			o.log.Warn("the guests of a bridged network aren't seen", "network", name, "err", err)
			continue
		}
		runCtx, stop := context.WithCancel(ctx)
		if o.all == nil {
			o.all = map[string]*watched{}
		}
		o.all[name] = &watched{cfg, observer, stop}
		group.Go(func() error {
			if err := observer.Run(runCtx); err != nil {
				o.log.Warn("the guests of a bridged network are no longer seen", "network", name, "err", err)
			}
			return nil
		})
	}
}

// observes says whether a network's guests are observed.
func (o *observers) observes(network string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all[network] != nil
}

// seenGuest is a guest that was observed, in the words of leases.
type seenGuest struct {
	leases.Lease
	port string
}

// guests is who has been seen in a network, "" for all.
func (o *observers) guests(network string, now time.Time) []seenGuest {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []seenGuest
	for name, w := range o.all {
		if network != "" && network != name {
			continue
		}
		for _, g := range w.observer.Guests(now) {
			all = append(all, seenGuest{leases.Lease{
				Network: name, Addr: g.Addr, HWType: 1, HWAddr: leases.HWAddr(g.MAC[:]), State: observedState,
				Start: g.First.UTC(), Expiry: g.Expires.UTC(), LastSeen: g.Last.UTC(), RequestedName: g.Hostname,
			}, g.Port})
		}
	}
	return all
}

func (g seenGuest) control() control.Lease {
	out := controlLease(g.Lease)
	out.ClientID, out.State, out.Port = "", observed, g.port
	return out
}

// withObserved is leases, which are ordered as q wants it, and among them the guests that fit.
func withObserved(found iter.Seq[leases.Lease], guests []seenGuest, q control.LeaseQuery) iter.Seq[control.Lease] {
	compare := byPlace
	if len(q.Order) > 0 {
		compare = comparer(q.Order)
	}
	guests = slices.DeleteFunc(guests, func(g seenGuest) bool {
		shown := g.control()
		return !q.Filter.Match(&shown)
	})
	slices.SortFunc(guests, func(a, b seenGuest) int { return cmp.Or(compare(a.Lease, b.Lease), byPlace(a.Lease, b.Lease)) })
	return func(yield func(control.Lease) bool) {
		rest := guests
		for l := range found {
			for len(rest) > 0 && compare(rest[0].Lease, l) < 0 {
				if !yield(rest[0].control()) {
					return
				}
				rest = rest[1:]
			}
			if !yield(controlLease(l)) {
				return
			}
		}
		for _, g := range rest {
			if !yield(g.control()) {
				return
			}
		}
	}
}

// byPlace is the order of a list that nobody wants in another.
func byPlace(a, b leases.Lease) int {
	return cmp.Or(cmp.Compare(a.Network, b.Network), a.Addr.Compare(b.Addr))
}
