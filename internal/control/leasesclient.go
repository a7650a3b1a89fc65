package control

import (
	"context"
	"iter"
	"net/http"
	"net/netip"
	"net/url"
)

// Leases lists leases, one after the other as they come. The error ends it.
func (c *Client) Leases(ctx context.Context, q LeaseQuery) iter.Seq2[Lease, error] {
	query := url.Values{}
	for key, value := range map[string]string{"network": q.Network, "filter": q.Filter.String(), "sort": q.Order.String()} {
		if value != "" {
			query.Set(key, value)
		}
	}
	return list[Lease](ctx, c, "/v1/leases?"+query.Encode())
}

// Release ends the lease of an address at once. Unless forced, it is ErrConflict where a machine still uses the address.
func (c *Client) Release(ctx context.Context, network string, addr netip.Addr, force bool) (Lease, error) {
	var lease Lease
	path := "/v1/leases/" + url.PathEscape(network) + "/" + addr.String()
	if force {
		path += "?force=true"
	}
	return lease, c.do(ctx, http.MethodDelete, path, &lease)
}
