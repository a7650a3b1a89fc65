package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
)

// Leases lists the leases of a network, "" for all.
func (c *Client) Leases(ctx context.Context, network string) ([]Lease, error) {
	var found []Lease
	path := "/v1/leases"
	if network != "" {
		path += "?network=" + url.QueryEscape(network)
	}
	return found, c.do(ctx, http.MethodGet, path, &found)
}

// Release ends the lease of an address at once.
func (c *Client) Release(ctx context.Context, network string, addr netip.Addr) (Lease, error) {
	var lease Lease
	path := "/v1/leases/" + url.PathEscape(network) + "/" + addr.String()
	return lease, c.do(ctx, http.MethodDelete, path, &lease)
}
