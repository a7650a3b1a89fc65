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
	HealthBackend
	LeasesBackend
	ReservationsBackend
	TAPsBackend
	PortsBackend
	ImportBackend
	HistoryBackend
	// Trace starts to show DHCP messages. The error is ErrInvalid for a network or a reason that doesn't exist, or ErrConflict
	// where too many watch already.
	Trace(filter TraceFilter) (Trace, error)
	// ExplainDHCP says what a client would get now, in each network that the query means.
	ExplainDHCP(ctx context.Context, q DHCPQuery) ([]DHCPExplanation, error)
	DNSBackend
	ApplyBackend
	UpgradeBackend
	// Down stops serving, removes everything of ours from the host, and lets the daemon end.
	Down(ctx context.Context) ([]Change, error)
}

// LeasesBackend is what the server asks about leases.
type LeasesBackend interface {
	// Leases returns leases, as they were at the time of the call.
	Leases(ctx context.Context, q LeaseQuery) iter.Seq[Lease]
	// WatchLeases tells emit what happens to leases, until ctx ends or emit fails: the error is theirs. It begins with a resync unless w
	// goes on where an earlier one ended, and has one wherever events are lost.
	WatchLeases(ctx context.Context, w LeaseWatch, emit func(LeaseEvent) error) error
	// WaitLease returns when what q names is there, or with the end of ctx: then the result isn't Done and says what is missing. The error is
	// ErrNotFound for a network, or ErrInvalid for a domain, that doesn't exist.
	WaitLease(ctx context.Context, q WaitQuery) (WaitResult, error)
	// Release ends the lease of an address at once, whoever holds it. Unless forced, it is ErrConflict where a machine still uses the address.
	Release(ctx context.Context, network string, addr netip.Addr, force bool) (Lease, error)
}

// DNSBackend is what the server asks about DNS.
type DNSBackend interface {
	// ExplainDNS says how a question is answered now, in each network that the query means. The error is ErrInvalid for a name, a type or a
	// network that there isn't.
	ExplainDNS(ctx context.Context, q DNSQuery) ([]DNSExplanation, error)
	// TraceDNS starts to show the questions and their answers. The error is ErrInvalid for a filter that nothing can fit, or ErrConflict where
	// too many watch already.
	TraceDNS(filter DNSTraceFilter) (DNSTrace, error)
	// DNSCache says how the cache does.
	DNSCache() DNSCache
	// FlushDNS takes answers out of the cache: all, or for a name, or with below also what is under it. The error is ErrInvalid for what is no name.
	FlushDNS(name string, below bool) (FlushedDNS, error)
}
