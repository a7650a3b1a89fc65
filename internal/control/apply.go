package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
)

// ApplyRequest asks for the configuration to be read again and applied.
type ApplyRequest struct {
	ConfirmWithin int  `json:"confirm_within,omitempty" minimum:"0" maximum:"3600" doc:"Seconds until a change of an uplink goes back unless it is confirmed; 0: the configuration's"`
	Force         bool `json:"force,omitempty" doc:"Overrule what stands against a change of an uplink, as far as that is possible"`
}

// Applied is what came of it.
type Applied struct {
	Changes []Change `json:"changes" nullable:"false" doc:"What was changed on the host"`
	Pending *Pending `json:"pending,omitempty" doc:"A change of an uplink that is prepared, and nothing changed so far; or that is made and waits to be confirmed"`
}

// Pending is a change of an uplink that isn't confirmed.
type Pending struct {
	Network string   `json:"network"`
	Uplink  string   `json:"uplink"`
	Bridge  string   `json:"bridge"`
	Token   string   `json:"token" doc:"That names the change"`
	Within  int      `json:"confirm_within" doc:"Seconds until it goes back"`
	Steps   []string `json:"steps,omitempty" doc:"What is to be done, for people"`
	Notes   []string `json:"notes,omitempty" doc:"What a person should know first"`
}

// Handover is how far a bridged network's bridge has taken over from its uplink.
type Handover struct {
	State string `json:"state" enum:"pending,waiting,kept" doc:"pending: labnet apply does it; waiting: to be confirmed; kept: confirmed"`
	Left  int    `json:"seconds_left,omitempty" doc:"Until it goes back, while it waits"`
}

// The states of a Handover.
const (
	HandoverPending = "pending"
	HandoverWaiting = "waiting"
	HandoverKept    = "kept"
)

// ApplyBackend is what the server asks about changes of the configuration.
type ApplyBackend interface {
	// Apply reads the configuration again and applies it, unless that changes an uplink: then it prepares that, and changes nothing. The
	// error is ErrInvalid for a configuration with errors, or ErrConflict for what stands against it.
	Apply(ctx context.Context, r ApplyRequest) (Applied, error)
	// Commit makes the change that was prepared under a token; somebody must stand by to take it back. The error is ErrConflict if it
	// can't be, or went back at once.
	Commit(ctx context.Context, token string) (Applied, error)
}

type applyInput struct{ Body ApplyRequest }

type commitInput struct {
	Token string `path:"token"`
}

func registerApply(api huma.API, backend ApplyBackend, log *slog.Logger) {
	huma.Register(api, huma.Operation{
		OperationID: "apply", Method: http.MethodPost, Path: "/v1/apply", DefaultStatus: http.StatusOK,
		Summary: "Read the configuration again and apply it; prepare a change of an uplink",
	}, changing(log, "apply", func(ctx context.Context, in *applyInput) (*body[Applied], error) {
		return applied(backend.Apply(ctx, in.Body))
	}))
	huma.Register(api, huma.Operation{
		OperationID: "commit", Method: http.MethodPost, Path: "/v1/apply/{token}", DefaultStatus: http.StatusOK,
		Summary: "Make a change of an uplink that is prepared, while somebody stands by to take it back",
	}, changing(log, "commit", func(ctx context.Context, in *commitInput) (*body[Applied], error) {
		return applied(backend.Commit(ctx, in.Token))
	}))
}

func applied(a Applied, err error) (*body[Applied], error) {
	if err != nil {
		return nil, problem(err)
	}
	if a.Changes == nil {
		a.Changes = []Change{}
	}
	return respond(a), nil
}

// Apply lets the daemon read its configuration again and apply it.
func (c *Client) Apply(ctx context.Context, r ApplyRequest) (Applied, error) {
	var a Applied
	return a, c.send(ctx, http.MethodPost, "/v1/apply", r, &a)
}

// Commit lets the daemon make the change of a token.
func (c *Client) Commit(ctx context.Context, token string) (Applied, error) {
	var a Applied
	return a, c.do(ctx, http.MethodPost, "/v1/apply/"+url.PathEscape(token), &a)
}
