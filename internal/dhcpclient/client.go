package dhcpclient

import (
	"context"
	"errors"
)

// ErrRelease, as the cause with which the context of Run is cancelled (context.WithCancelCause), makes the client give its address
// back to the server before it ends. Otherwise it keeps the lease, for who comes after it.
var ErrRelease = errors.New("the address is to be given back")

// Client is a DHCP client of one interface.
type Client struct {
	cfg Config
}

// Open makes a client, with its sockets, in the network namespace of the calling thread. CAP_NET_RAW. Run must be called; it closes
// them.
func Open(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Client{cfg: cfg}, nil
}

// Run gets an address and keeps it until ctx ends, then returns nil. handle is told everything that happens, one event after the
// other, by the goroutine of Run: nothing else happens meanwhile. Its error ends Run, which returns it.
func (c *Client) Run(ctx context.Context, handle func(Event) error) error {
	<-ctx.Done()
	return nil
}
