package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Reservation gives a client an address, a name, or both. Those of the file are its host blocks.
type Reservation struct {
	Network  string     `json:"network"`
	MAC      string     `json:"mac,omitempty" doc:"Whose it is; or"`
	ClientID string     `json:"client_id,omitempty" doc:"whose it is, by option 61 in hexadecimal with colons"`
	Hostname string     `json:"hostname,omitempty" doc:"whose it is, by what the client calls itself; in the file only"`
	Address  netip.Addr `json:"address,omitzero"`
	Name     string     `json:"name,omitempty" doc:"DNS label"`
	Aliases  []string   `json:"aliases,omitempty"`
	Origin   string     `json:"origin" enum:"file,runtime" doc:"Where it was made"`
	Made     time.Time  `json:"made,omitzero" doc:"When it was made at run time"`
	Obstacle string     `json:"obstacle,omitempty" doc:"Why it isn't used, or not yet"`
}

// Where reservations come from.
const (
	OriginFile    = "file"
	OriginRuntime = "runtime"
)

// ReservationsBackend is what the server asks about reservations.
type ReservationsBackend interface {
	// Reservations returns those of a network, "" for all: of the file, then made at run time.
	Reservations(ctx context.Context, network string) []Reservation
	// Reserve makes one at run time, in place of the one for the same client. It is durable when it returns; a new lease and the
	// next renewal follow it. The error is ErrInvalid, or ErrConflict where another one or the file has what it gives.
	Reserve(ctx context.Context, r Reservation) (Reservation, error)
	// Unreserve ends the one for the same client. The error is ErrNotFound, or ErrConflict for one of the file.
	Unreserve(ctx context.Context, r Reservation) (Reservation, error)
}

type reservationsInput struct {
	Network string `query:"network" doc:"Only this network's"`
}

type reserveInput struct {
	Body struct {
		Network  string     `json:"network,omitempty" doc:"Absent: the network of the address, or the only one"`
		MAC      string     `json:"mac,omitempty" doc:"Whose it is; or"`
		ClientID string     `json:"client_id,omitempty" doc:"whose it is, by option 61 in hexadecimal with colons"`
		Address  netip.Addr `json:"address,omitzero" doc:"Absent: any"`
		Name     string     `json:"name,omitempty" doc:"DNS label; absent: what the client asks for"`
	}
}

type unreserveInput struct {
	Network  string `query:"network" required:"true"`
	MAC      string `query:"mac"`
	ClientID string `query:"client_id"`
}

func registerReservations(api huma.API, backend ReservationsBackend, log *slog.Logger, stopping context.Context) {
	huma.Register(api, huma.Operation{
		OperationID: "list-reservations", Method: http.MethodGet, Path: "/v1/reservations",
		Summary: "The reservations, of the file and made at run time", Responses: listResponse[Reservation](api, "Reservations"),
	}, func(ctx context.Context, in *reservationsInput) (*huma.StreamResponse, error) {
		return streamList(slices.Values(backend.Reservations(ctx, in.Network)), stopping), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "reserve", Method: http.MethodPost, Path: "/v1/reservations",
		Summary: "Reserve an address or a name for a client, in place of what is reserved for it at run time", DefaultStatus: http.StatusOK,
	}, changing(log, "reserve", func(ctx context.Context, in *reserveInput) (*body[Reservation], error) {
		b := &in.Body
		made, err := backend.Reserve(ctx, Reservation{Network: b.Network, MAC: b.MAC, ClientID: b.ClientID, Address: b.Address, Name: b.Name})
		if err != nil {
			return nil, problem(err)
		}
		return respond(made), nil
	}))
	huma.Register(api, huma.Operation{
		OperationID: "unreserve", Method: http.MethodDelete, Path: "/v1/reservations",
		Summary: "End the reservation for a client that was made at run time; its lease stays until the next renewal, and longer if the address is in a range", DefaultStatus: http.StatusOK,
	}, changing(log, "unreserve", func(ctx context.Context, in *unreserveInput) (*body[Reservation], error) {
		ended, err := backend.Unreserve(ctx, Reservation{Network: in.Network, MAC: in.MAC, ClientID: in.ClientID})
		if err != nil {
			return nil, problem(err)
		}
		return respond(ended), nil
	}))
}

// Reservations lists the reservations of a network, "" for all.
func (c *Client) Reservations(ctx context.Context, network string) ([]Reservation, error) {
	path := "/v1/reservations"
	if network != "" {
		path += "?network=" + url.QueryEscape(network)
	}
	var found []Reservation
	return found, c.do(ctx, http.MethodGet, path, &found)
}

// Reserve makes a reservation at run time, in place of the one for the same client. The daemon finds the network if r has none.
func (c *Client) Reserve(ctx context.Context, r Reservation) (Reservation, error) {
	var in reserveInput
	in.Body.Network, in.Body.MAC, in.Body.ClientID, in.Body.Address, in.Body.Name = r.Network, r.MAC, r.ClientID, r.Address, r.Name
	var made Reservation
	return made, c.send(ctx, http.MethodPost, "/v1/reservations", in.Body, &made)
}

// Unreserve ends the reservation for the client of r.
func (c *Client) Unreserve(ctx context.Context, r Reservation) (Reservation, error) {
	query := url.Values{"network": {r.Network}}
	if r.MAC != "" {
		query.Set("mac", r.MAC)
	} else {
		query.Set("client_id", r.ClientID)
	}
	var ended Reservation
	return ended, c.do(ctx, http.MethodDelete, "/v1/reservations?"+query.Encode(), &ended)
}
