package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Lease is one lease. Times are absent where they don't apply; no expiry means that it never ends.
type Lease struct {
	Network     string     `json:"network"`
	Address     netip.Addr `json:"address"`
	MAC         string     `json:"mac"`
	ClientID    string     `json:"client_id"`
	Name        string     `json:"name" doc:"The DNS label that it holds, empty for none"`
	State       string     `json:"state" enum:"bound,declined,released,expired"`
	Reserved    bool       `json:"reserved"`
	Start       time.Time  `json:"start,omitzero"`
	Expires     time.Time  `json:"expires,omitzero"`
	LastSeen    time.Time  `json:"last_seen,omitzero"`
	Hostname    string     `json:"hostname" doc:"The name that the client asked for"`
	VendorClass string     `json:"vendor_class"`
}

type leasesInput struct {
	Network string `query:"network" doc:"Only this network's leases"`
}

type releaseInput struct {
	Network string     `path:"network"`
	Address netip.Addr `path:"address" doc:"The leased address" example:"10.0.0.57"`
}

// registerLeases adds the list of leases, and what can be done to one.
func registerLeases(api huma.API, backend LeasesBackend, log *slog.Logger) {
	huma.Register(api, huma.Operation{
		OperationID: "list-leases", Method: http.MethodGet, Path: "/v1/leases",
		Summary: "The leases, by network and address",
	}, func(ctx context.Context, in *leasesInput) (*body[[]Lease], error) {
		found := backend.Leases(ctx, in.Network)
		if found == nil {
			found = []Lease{}
		}
		return respond(found), nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "release-lease", Method: http.MethodDelete, Path: "/v1/leases/{network}/{address}",
		Summary: "End a lease at once, whoever holds it", DefaultStatus: http.StatusOK,
	}, changing(log, "release-lease", func(ctx context.Context, in *releaseInput) (*body[Lease], error) {
		lease, err := backend.Release(ctx, in.Network, in.Address)
		if err != nil {
			return nil, problem(err)
		}
		return respond(lease), nil
	}))
}
