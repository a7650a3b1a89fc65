package daemon

import (
	"context"
	"iter"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// historyAge is for how long the store keeps the history.
func historyAge(cfg config.Daemon) time.Duration {
	if cfg.LeaseHistory == 0 {
		return leases.NoHistory
	}
	return cfg.LeaseHistory
}

// History implements control.Backend.
func (d *daemon) History(ctx context.Context, q control.HistoryQuery) (iter.Seq2[control.Tenancy, error], error) {
	all, err := d.store.History(ctx, storeQuery(q), time.Now())
	if err != nil {
		return nil, err
	}
	return controlTenancies(all), nil
}

// History is what a daemon of these paths would say, for when none runs; it changes nothing. Where there is no database it is fs.ErrNotExist.
// The sequence holds the file open until it has ended.
func History(ctx context.Context, paths Paths, q control.HistoryQuery) (iter.Seq2[control.Tenancy, error], error) {
	q, err := q.Clean()
	if err != nil {
		return nil, err
	}
	all, err := leases.ReadHistory(ctx, paths.leases(), storeQuery(q), time.Now())
	if err != nil {
		return nil, err
	}
	return controlTenancies(all), nil
}

func storeQuery(q control.HistoryQuery) leases.HistoryQuery {
	out := leases.HistoryQuery{Network: q.Network, Addrs: q.Addresses, From: q.Since, To: q.Until}
	if q.Name != "" || q.Client != "" {
		out.Match = func(t *leases.Tenancy) bool {
			shown := controlTenancy(t)
			return q.Match(&shown)
		}
	}
	return out
}

func controlTenancies(all iter.Seq2[leases.Tenancy, error]) iter.Seq2[control.Tenancy, error] {
	return func(yield func(control.Tenancy, error) bool) {
		for t, err := range all {
			if !yield(controlTenancy(&t), err) {
				return
			}
		}
	}
}

func controlTenancy(t *leases.Tenancy) control.Tenancy {
	return control.Tenancy{
		Network: t.Network, Address: t.Addr, MAC: t.HWAddr, ClientID: t.Client, Name: t.Name, State: t.State,
		Since: t.Since, Until: t.Until, Expires: t.Expiry,
	}
}
