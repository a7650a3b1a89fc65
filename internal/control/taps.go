package control

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// ErrForbidden is what a Backend says when the caller may not do a thing; the server turns it into 403.
var ErrForbidden = errors.New("forbidden")

// TAP is a TAP device on a network's bridge.
type TAP struct {
	Name       string     `json:"name"`
	Network    string     `json:"network"`
	Origin     string     `json:"origin" enum:"file,runtime,run,attached" doc:"Where it was made: in the file, at run time, for a program that runs, or by others"`
	Owner      string     `json:"owner,omitempty" doc:"The user who may open it, by name or number"`
	Group      string     `json:"group,omitempty" doc:"The group whose members may"`
	MAC        string     `json:"mac,omitempty" doc:"That its guest is to have; of one that others made, that it has"`
	Host       string     `json:"host,omitempty" doc:"The host block of its guest"`
	MultiQueue bool       `json:"multi_queue"`
	VnetHdr    bool       `json:"vnet_hdr" doc:"A program that is given the device gets virtio headers before the frames"`
	Bridge     string     `json:"bridge,omitempty" doc:"The bridge that it is on"`
	InUse      bool       `json:"in_use" doc:"A program has it open"`
	PID        int        `json:"pid,omitempty" doc:"Of that program, where it can be seen"`
	Process    string     `json:"process,omitempty" doc:"That program's name"`
	Address    netip.Addr `json:"address,omitzero" doc:"Its guest's lease; in a bridged network, the address that it was heard to use"`
	Guest      string     `json:"guest,omitempty" doc:"Its guest's name; in a bridged network, what it calls itself"`
	Made       time.Time  `json:"made,omitzero" doc:"When it was made at run time"`
	Obstacle   string     `json:"obstacle,omitempty" doc:"Why it isn't made"`
	Waits      string     `json:"waits,omitempty" doc:"What it waits for, down, while it is on no bridge: the bridge, and what makes it"`
}

// Where TAPs come from, besides OriginFile and OriginRuntime.
const (
	OriginRun      = "run"
	OriginAttached = "attached"
)

// Caller is who asks.
type Caller struct {
	UID   uint32
	PID   int  // 0 if it is in another process namespace
	Admin bool // root, or a member of api.admins: may change what is others'
}

// NewTAPs is a wish for TAPs that differ in their names only.
type NewTAPs struct {
	Names      []string `json:"names" nullable:"false" minItems:"1" maxItems:"1024"`
	Network    string   `json:"network,omitempty" doc:"Absent: the only one"`
	Owner      string   `json:"owner,omitempty" doc:"Absent: the caller, if there is no group either"`
	Group      string   `json:"group,omitempty"`
	MAC        string   `json:"mac,omitempty" doc:"For the guest; absent: the host's, or one made of the name"`
	Host       string   `json:"host,omitempty" doc:"The guest's host block, or its name in a reservation"`
	MultiQueue bool     `json:"multi_queue,omitempty"`
	NoVnetHdr  bool     `json:"no_vnet_hdr,omitempty"`
	Run        bool     `json:"run,omitempty" doc:"One TAP for a program that the caller starts now: one that is there is used, another is made and goes with the program"`
}

// TAPsBackend is what the server asks about TAPs.
type TAPsBackend interface {
	// TAPs returns those of a network, "" for all: of the file, made at run time, then those of others.
	TAPs(ctx context.Context, network string) ([]TAP, error)
	// AddTAPs makes TAPs, all or none; they are remembered when it returns. The error is ErrInvalid, ErrForbidden, or ErrConflict where
	// something has such a name, or has the TAP in use.
	AddTAPs(ctx context.Context, caller Caller, n NewTAPs) ([]TAP, error)
	// DeleteTAPs removes TAPs that were made at run time, all or none. The error is ErrNotFound, ErrForbidden, or ErrConflict for those of the file
	// and, unless forced, for those in use.
	DeleteTAPs(ctx context.Context, caller Caller, names []string, force bool) ([]TAP, error)
}

type tapsInput struct {
	Network string `query:"network" doc:"Only this network's"`
}

type addTAPsInput struct{ Body NewTAPs }

type deleteTAPsInput struct {
	Names []string `query:"name,explode" required:"true" doc:"Once for each"`
	Force bool     `query:"force" doc:"Also if a program has it open"`
}

func registerTAPs(api huma.API, backend TAPsBackend, log *slog.Logger, stopping context.Context) {
	huma.Register(api, huma.Operation{
		OperationID: "list-taps", Method: http.MethodGet, Path: "/v1/taps",
		Summary: "The TAP devices on the bridges, who has them open, and their guests", Responses: listResponse[TAP](api, "TAPs"),
	}, func(ctx context.Context, in *tapsInput) (*huma.StreamResponse, error) {
		found, err := backend.TAPs(ctx, in.Network)
		if err != nil {
			return nil, problem(err)
		}
		return streamList(slices.Values(found), stopping), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "add-taps", Method: http.MethodPost, Path: "/v1/taps",
		Summary: "Make TAPs, for the caller or, by who may change things, for others", DefaultStatus: http.StatusOK,
	}, asCaller(log, "add-taps", func(ctx context.Context, caller Caller, in *addTAPsInput) (*body[[]TAP], error) {
		made, err := backend.AddTAPs(ctx, caller, in.Body)
		if err != nil {
			return nil, problem(err)
		}
		return respondList(made), nil
	}))
	huma.Register(api, huma.Operation{
		OperationID: "delete-taps", Method: http.MethodDelete, Path: "/v1/taps",
		Summary: "Remove TAPs that were made at run time: the caller's own or, by who may change things, any", DefaultStatus: http.StatusOK,
	}, asCaller(log, "delete-taps", func(ctx context.Context, caller Caller, in *deleteTAPsInput) (*body[[]TAP], error) {
		gone, err := backend.DeleteTAPs(ctx, caller, in.Names, in.Force)
		if err != nil {
			return nil, problem(err)
		}
		return respondList(gone), nil
	}))
}

// asCaller tells f who asks, and the log. What a caller may do f decides: whoever can open the socket comes this far.
func asCaller[I, O any](log *slog.Logger, op string, f func(context.Context, Caller, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		p, ok := ctx.Value(peerKey{}).(peer)
		if !ok {
			return nil, huma.Error403Forbidden("it can't be seen who asks")
		}
		log.Info("asked over the control socket", "op", op, "by", who(ctx))
		return f(ctx, Caller{UID: p.uid, PID: p.pid, Admin: p.access.mayChange(p)}, in)
	}
}

// TAPs lists the TAPs of a network, "" for all.
func (c *Client) TAPs(ctx context.Context, network string) ([]TAP, error) {
	path := "/v1/taps"
	if network != "" {
		path += "?network=" + url.QueryEscape(network)
	}
	var found []TAP
	return found, c.do(ctx, http.MethodGet, path, &found)
}

// AddTAPs makes TAPs, all or none. The daemon finds the network if n has none.
func (c *Client) AddTAPs(ctx context.Context, n NewTAPs) ([]TAP, error) {
	var made []TAP
	return made, c.send(ctx, http.MethodPost, "/v1/taps", n, &made)
}

// DeleteTAPs removes TAPs that were made at run time, all or none.
func (c *Client) DeleteTAPs(ctx context.Context, names []string, force bool) ([]TAP, error) {
	query := url.Values{"name": names, "force": {strconv.FormatBool(force)}}
	var gone []TAP
	return gone, c.do(ctx, http.MethodDelete, "/v1/taps?"+query.Encode(), &gone)
}
