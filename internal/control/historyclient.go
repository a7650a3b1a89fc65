package control

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// History lists who had which address, one tenancy after the other as they come. The error ends it.
func (c *Client) History(ctx context.Context, q HistoryQuery) iter.Seq2[Tenancy, error] {
	query := url.Values{}
	set := func(key, value string) {
		if value != "" {
			query.Set(key, value)
		}
	}
	set("network", q.Network)
	set("name", q.Name)
	set("client", q.Client)
	if q.Addresses.IsValid() {
		query.Set("address", q.Addresses.String())
	}
	for key, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			query.Set(key, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return list[Tenancy](ctx, c, "/v1/leases/history?"+query.Encode())
}
