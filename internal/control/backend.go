package control

import (
	"context"
	"errors"
	"net/netip"
)

// What a Backend says when it can't do a thing; the server turns them into 404 and 409.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict")
)

// Backend is what the server asks. Implementations: the daemon, and a table in tests.
type Backend interface {
	Status(ctx context.Context) Status
	// Leases returns the leases of a network, "" for all, ordered by network and address.
	Leases(ctx context.Context, network string) []Lease
	// Release ends the lease of an address at once, whoever holds it.
	Release(ctx context.Context, network string, addr netip.Addr) (Lease, error)
	// Down stops serving, removes everything of ours from the host, and lets the daemon end.
	Down(ctx context.Context) ([]Change, error)
}
