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
	State       string     `json:"state" enum:"bound,declined,released,expired,observed"`
	Reserved    bool       `json:"reserved"`
	Start       time.Time  `json:"start,omitzero"`
	Expires     time.Time  `json:"expires,omitzero"`
	LastSeen    time.Time  `json:"last_seen,omitzero"`
	Hostname    string     `json:"hostname" doc:"The name that the client asked for"`
	VendorClass string     `json:"vendor_class"`

	HardwareType uint8  `json:"hardware_type,omitempty" doc:"ARP hardware type; absent: 1, Ethernet"`
	Port         string `json:"port,omitempty" doc:"The port of the bridge at which a guest of a bridged network is observed"`
}

type leasesInput struct {
	Network string `query:"network" doc:"Only this network's leases"`
	Filter  string `query:"filter" doc:"FIELD=VALUE or FIELD!=VALUE, with commas between them; values with * and ?, and with | between several" example:"state=bound,name=web*"`
	Sort    string `query:"sort" doc:"Fields with commas between them, - before a field for descending order" example:"-expires"`
}

func (in *leasesInput) query() (q LeaseQuery, err error) {
	q.Network = in.Network
	if q.Filter, err = ParseLeaseFilter(in.Filter); err != nil {
		return q, huma.Error422UnprocessableEntity(err.Error())
	}
	if q.Order, err = ParseLeaseOrder(in.Sort); err != nil {
		return q, huma.Error422UnprocessableEntity(err.Error())
	}
	return q, nil
}

type releaseInput struct {
	Network string     `path:"network"`
	Address netip.Addr `path:"address" doc:"The leased address" example:"10.0.0.57"`
	Force   bool       `query:"force" doc:"Also if a machine still uses the address"`
}

// registerLeases adds the list of leases, which ends when stopping does, and what can be done to one.
func registerLeases(api huma.API, backend LeasesBackend, log *slog.Logger, stopping context.Context) {
	huma.Register(api, huma.Operation{
		OperationID: "list-leases", Method: http.MethodGet, Path: "/v1/leases",
		Summary:   "The leases, by network and address",
		Responses: listResponse[Lease](api, "Leases"),
	}, func(ctx context.Context, in *leasesInput) (*huma.StreamResponse, error) {
		q, err := in.query()
		if err != nil {
			return nil, err
		}
		return streamList(backend.Leases(ctx, q), stopping), nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "release-lease", Method: http.MethodDelete, Path: "/v1/leases/{network}/{address}",
		Summary: "End a lease at once, whoever holds it; 409 if ARP says that a machine still uses the address", DefaultStatus: http.StatusOK,
	}, changing(log, "release-lease", func(ctx context.Context, in *releaseInput) (*body[Lease], error) {
		lease, err := backend.Release(ctx, in.Network, in.Address, in.Force)
		if err != nil {
			return nil, problem(err)
		}
		return respond(lease), nil
	}))
}
