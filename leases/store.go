package leases

import "context"

// Store makes leases durable. Implementations: the SQLite file of OpenSQLite, and Memory for tests.
type Store interface {
	// Load returns every lease, and the records that it could not understand and set aside.
	Load(ctx context.Context) (leases []Lease, bad []BadRecord, err error)
	// Commit writes leases in one transaction, keyed by network and address; it is durable when Commit returns nil. Where an
	// address appears more than once the later one stays. After an error none of them is written, and the next Commit may
	// succeed. The slice is the caller's again when Commit returns. A Table calls it from one goroutine at a time.
	Commit(ctx context.Context, leases []Lease) error
	// Err returns what is wrong with the store although commits succeed, or nil.
	Err() error
	Close() error
}

// BadRecord is a record that Load could not understand.
type BadRecord struct {
	Key, Reason string
}
