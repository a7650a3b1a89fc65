package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// Port is a port of a network's bridge, what passes it, and the guests behind it. Counters count since the link was made, and are the guests': what
// they have sent came in there.
type Port struct {
	Network        string      `json:"network"`
	Name           string      `json:"name" doc:"Of the link"`
	Bridge         string      `json:"bridge"`
	Uplink         bool        `json:"uplink,omitempty" doc:"It is a bridged network's way out"`
	Sent           uint64      `json:"sent_bytes" doc:"By the guests"`
	SentFrames     uint64      `json:"sent_packets"`
	Received       uint64      `json:"received_bytes" doc:"By the guests"`
	ReceivedFrames uint64      `json:"received_packets"`
	Dropped        uint64      `json:"dropped_packets" doc:"For the guests, which didn't take them"`
	MACs           int         `json:"macs" doc:"Addresses that the bridge has heard behind it within the last five minutes"`
	Guests         []PortGuest `json:"guests" nullable:"false" doc:"Of these, those with a lease; in a bridged network, those that are observed"`
}

// PortGuest is a guest behind a port.
type PortGuest struct {
	MAC     string     `json:"mac"`
	Address netip.Addr `json:"address"`
	Name    string     `json:"name,omitempty" doc:"In DNS; in a bridged network, what it calls itself"`
}

// PortsBackend is what the server asks about the ports of bridges.
type PortsBackend interface {
	// Ports returns those of a network, "" for all, by network and name. The error is ErrNotFound for a network that doesn't exist.
	Ports(ctx context.Context, network string) ([]Port, error)
}

type portsInput struct {
	Network string `query:"network" doc:"Only this network's"`
}

func registerPorts(api huma.API, backend PortsBackend, stopping context.Context) {
	huma.Register(api, huma.Operation{
		OperationID: "list-ports", Method: http.MethodGet, Path: "/v1/ports",
		Summary: "The ports of the bridges, what has passed them, and the guests behind them", Responses: listResponse[Port](api, "Ports"),
	}, func(ctx context.Context, in *portsInput) (*huma.StreamResponse, error) {
		found, err := backend.Ports(ctx, in.Network)
		if err != nil {
			return nil, problem(err)
		}
		return streamList(slices.Values(found), stopping), nil
	})
}

// Ports lists the ports of a network's bridge, "" for all.
func (c *Client) Ports(ctx context.Context, network string) ([]Port, error) {
	path := "/v1/ports"
	if network != "" {
		path += "?network=" + url.QueryEscape(network)
	}
	var found []Port
	return found, c.do(ctx, http.MethodGet, path, &found)
}
