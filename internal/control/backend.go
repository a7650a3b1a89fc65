package control

import (
	"context"
	"errors"
	"iter"
	"net/netip"
)

// What a Backend says when it can't do a thing; the server turns them into 404, 409 and 422.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict")
	ErrInvalid  = errors.New("invalid")
)

// Backend is what the server asks. Implementations: the daemon, and a table in tests.
type Backend interface {
	Status(ctx context.Context) Status
	LeasesBackend
	// Trace starts to show DHCP messages. The error is ErrInvalid for a network or a reason that doesn't exist, or ErrConflict
	// where too many watch already.
	Trace(filter TraceFilter) (Trace, error)
	// ExplainDHCP says what a client would get now, in each network that the query means.
	ExplainDHCP(ctx context.Context, q DHCPQuery) ([]DHCPExplanation, error)
	// Down stops serving, removes everything of ours from the host, and lets the daemon end.
	Down(ctx context.Context) ([]Change, error)
}

// LeasesBackend is what the server asks about leases.
type LeasesBackend interface {
	// Leases returns leases, as they were at the time of the call.
	Leases(ctx context.Context, q LeaseQuery) iter.Seq[Lease]
	// Release ends the lease of an address at once, whoever holds it.
	Release(ctx context.Context, network string, addr netip.Addr) (Lease, error)
}
