package leases

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// Why a table refuses an address to a client. The DHCP server's decisions branch on them.
var (
	ErrUnknownNetwork = errors.New("no such network")
	ErrExhausted      = errors.New("no free address")
	ErrTaken          = errors.New("another client has the address")
	ErrReserved       = errors.New("the address is reserved for another client")
	ErrMoved          = errors.New("the client has a reservation at another address")
	ErrOutOfPool      = errors.New("the address is not in the pool")
	ErrQuarantined    = errors.New("the address was declined and rests")
	ErrNotHolder      = errors.New("the client does not hold the address")
	ErrDenied         = errors.New("the client has no reservation and unknown clients are not served")
)

// Choice says why Offer chose an address; it becomes part of the decision's reason code.
type Choice string

// The reasons for an address, in the order in which they are tried.
const (
	ChoseReservation Choice = "reservation"
	ChoseBinding     Choice = "binding"    // the client's active lease
	ChoseHold        Choice = "hold"       // what it was offered a moment ago
	ChoseFormer      Choice = "former"     // its last address, still free
	ChoseRequested   Choice = "requested"  // option 50
	ChoseDerived     Choice = "derived"    // from its hardware address
	ChoseOldest      Choice = "oldest"     // free for the longest
	ChoseTakenBack   Choice = "taken_back" // the oldest hold that was never requested
)

// Change is a decided change of one lease that is not durable yet. Decisions see it at once; names, lists and
// watchers see it once it is committed.
type Change struct {
	Lease Lease // as it will be
	// unexported: what it replaces
}

// Table is who has which address, in every network. All methods may be called by any goroutine.
type Table struct{}

// NewTable returns a table for cfg that keeps its leases in store; Load fills it.
func NewTable(cfg Config, store Store, log *slog.Logger) (*Table, error) { panic("stub") }

// Load reads the store. It is called once, before Run.
func (t *Table) Load(ctx context.Context, now time.Time) error { panic("stub") }

// Configure replaces the networks. Leases stay.
func (t *Table) Configure(cfg Config, now time.Time) error { panic("stub") }

// Run commits what Submit hands in, and expires leases, until ctx ends; then it commits what still waits.
func (t *Table) Run(ctx context.Context) error { panic("stub") }

// Offer finds an address for c and holds it in RAM. requested may be invalid.
func (t *Table) Offer(network string, c Client, requested netip.Addr, now time.Time) (Lease, Choice, error) {
	panic("stub")
}

// Withdraw ends the hold that c has on an offered address (it chose another server). A binding stays.
func (t *Table) Withdraw(network string, id ClientID, now time.Time) { panic("stub") }

// Bind gives addr to c for d, if c may have it: it is free, held for c, or already c's. The change is pending
// until a Submit commits it.
func (t *Table) Bind(network string, c Client, addr netip.Addr, d time.Duration, now time.Time) (Change, error) {
	panic("stub")
}

// Release ends c's lease of addr; both identity and hardware address must be the holder's.
func (t *Table) Release(network string, c Client, addr netip.Addr, now time.Time) (Change, error) {
	panic("stub")
}

// Decline puts addr into quarantine, since its holder c found it in use.
func (t *Table) Decline(network string, c Client, addr netip.Addr, now time.Time) (Change, error) {
	panic("stub")
}

// ReleaseAddr ends the lease of addr, whoever holds it: for the operator.
func (t *Table) ReleaseAddr(network string, addr netip.Addr, now time.Time) (Change, error) {
	panic("stub")
}

// Submit hands changes to the committer: one transaction and one fsync serve everything that waits. done is called
// once, from the committer's goroutine and in the order of submission, when all of them are durable (nil) or taken
// back (the error). It must not block.
func (t *Table) Submit(changes []Change, done func(error)) { panic("stub") }

// Durable returns the committed lease that ch would have replaced, if it belongs to the same client and is still running
// at now: what may be acknowledged although ch could not be committed.
func (t *Table) Durable(ch Change, now time.Time) (Lease, bool) { panic("stub") }

// ByClient returns the lease (offered, bound or former) of a client, pending changes included.
func (t *Table) ByClient(network string, id ClientID) (Lease, bool) { panic("stub") }

// ByAddr returns the lease at an address, pending changes included.
func (t *Table) ByAddr(network string, addr netip.Addr) (Lease, bool) { panic("stub") }

// Leases returns the committed leases of a network ("" for all), ordered by network and address.
func (t *Table) Leases(network string) []Lease { panic("stub") }

// AddrOf returns the address of the client that holds name in network, and how long the lease still runs.
func (t *Table) AddrOf(network, name string, now time.Time) (netip.Addr, time.Duration, bool) {
	panic("stub")
}

// NameOf returns the name that the client at addr holds in network, and how long the lease still runs.
func (t *Table) NameOf(network string, addr netip.Addr, now time.Time) (string, time.Duration, bool) {
	panic("stub")
}

// ReservationFor returns the reservation of a client.
func (t *Table) ReservationFor(network string, c Client) (Reservation, bool) { panic("stub") }
