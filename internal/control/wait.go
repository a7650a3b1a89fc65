package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// What can be waited for.
const (
	WaitLease = "lease" // a lease in force
	WaitDNS   = "dns"   // a name that resolves
)

// waitMax bounds one request; the client asks again.
const waitMax = time.Minute

// WaitQuery is what is waited for.
type WaitQuery struct {
	Key     string // a name (a label, or with its domain), an address or a MAC
	Network string // "" for any
	For     string // WaitLease or WaitDNS
}

// WaitResult is what has come, or why it hasn't.
type WaitResult struct {
	Done      bool         `json:"done"`
	Lease     *Lease       `json:"lease,omitempty" doc:"The lease in force, where there is one"`
	Name      string       `json:"name,omitempty" doc:"The name that was asked for in DNS"`
	Addresses []netip.Addr `json:"addresses,omitempty" doc:"What it resolves to"`
	Obstacle  string       `json:"obstacle,omitempty" doc:"What is missing, if the time ran out"`
}

type waitInput struct {
	Key     string `query:"key" required:"true" doc:"A name, an address or a MAC" example:"vm1"`
	Network string `query:"network" doc:"Only in this network"`
	For     string `query:"for" default:"lease" enum:"lease,dns"`
	Timeout string `query:"timeout" default:"30s" doc:"How long to wait, at most a minute" example:"10s"`
}

func registerWait(api huma.API, backend LeasesBackend, stopping context.Context) {
	huma.Register(api, huma.Operation{
		OperationID: "wait-lease", Method: http.MethodGet, Path: "/v1/leases/wait",
		Summary: "Wait until there is a lease, or a name resolves",
	}, func(ctx context.Context, in *waitInput) (*body[WaitResult], error) {
		timeout, err := time.ParseDuration(in.Timeout)
		if err != nil || timeout < 0 {
			return nil, huma.Error422UnprocessableEntity("timeout: want a duration such as 10s")
		}
		ctx, cancel := context.WithTimeout(ctx, min(timeout, waitMax))
		defer cancel()
		defer context.AfterFunc(stopping, cancel)()
		result, err := backend.WaitLease(ctx, WaitQuery{Key: in.Key, Network: in.Network, For: in.For})
		switch {
		case err != nil:
			return nil, problem(err)
		case !result.Done && stopping.Err() != nil:
			return nil, huma.Error503ServiceUnavailable("the daemon is stopping")
		}
		return respond(result), nil
	})
}

// WaitLease waits until what q names is there, for up to timeout, and a minute at most. A result that isn't Done says what is missing.
func (c *Client) WaitLease(ctx context.Context, q WaitQuery, timeout time.Duration) (WaitResult, error) {
	query := url.Values{"key": {q.Key}, "for": {q.For}, "timeout": {timeout.String()}}
	if q.Network != "" {
		query.Set("network", q.Network)
	}
	var result WaitResult
	return result, c.do(ctx, http.MethodGet, "/v1/leases/wait?"+query.Encode(), &result)
}
