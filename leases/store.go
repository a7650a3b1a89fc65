package leases

import "context"

// Store makes leases durable. Implementations: the SQLite file of OpenSQLite, and memory for tests.
type Store interface {
	// Load returns every lease, and the records that it could not understand and set aside.
	Load(ctx context.Context) (leases []Lease, bad []BadRecord, err error)
	// Commit writes leases in one transaction, keyed by network and address; it is durable when Commit returns nil.
	Commit(ctx context.Context, leases []Lease) error
	Close() error
}

// BadRecord is a record that Load could not understand.
type BadRecord struct {
	Key, Reason string
}
