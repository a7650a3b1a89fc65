package leases

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"time"
)

const (
	tenancyColumns = "id, network, addr, client, hwaddr, name, state, since, until, NULL"

	historySQL = "SELECT " + tenancyColumns + " FROM history WHERE (until, id) > (?, ?) AND id <= ? ORDER BY until, id LIMIT ?"

	historyOfAddrSQL = "SELECT " + tenancyColumns + " FROM history WHERE addr = ? AND (since, id) > (?, ?) AND id <= ? ORDER BY since, id LIMIT ?"

	newerSQL = "SELECT " + tenancyColumns + " FROM history WHERE id > ? ORDER BY id"

	boundSQL = "SELECT 0, network, addr, client, hwaddr, name, state, " + sinceOfBound + ", NULL, expiry FROM leases WHERE state = 'bound'"

	leaseOfSQL = "SELECT network, addr, client, hwtype, hwaddr, name, state, start, expiry, seen, requested_name, vendor, reserved FROM leases WHERE network = ? AND addr = ?"

	// The last row of an address, for the begin of the one after it.
	lastOfSQL = "SELECT network, addr, client, hwaddr, name, state, since, until FROM history WHERE addr = ? AND network = ? ORDER BY since DESC, id DESC LIMIT 1"
)

// querier is a database, or a view of it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// eachTenancy calls f for the rows of a query with the columns id, network, addr, client, hwaddr, name, state, since, until, expiry.
func eachTenancy(ctx context.Context, db querier, query string, args []any, f func(t Tenancy, id int64)) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return damaged(err)
	}
	defer rows.Close()
	for rows.Next() {
		var t Tenancy
		var id, since int64
		var addr string
		var until, expiry sql.NullInt64
		if err := rows.Scan(&id, &t.Network, &addr, &t.Client, &t.HWAddr, &t.Name, &t.State, &since, &until, &expiry); err != nil {
			return damaged(err)
		}
		t.Addr, _ = netip.ParseAddr(addr)
		t.Since = time.Unix(since, 0).UTC()
		if until.Valid {
			t.Until = time.Unix(until.Int64, 0).UTC()
		}
		if expiry.Valid {
			t.Expiry = time.Unix(expiry.Int64, 0).UTC()
		}
		f(t, id)
	}
	if err := rows.Err(); err != nil {
		return damaged(err)
	}
	return nil
}

// replay returns what the history gets, and which leases are bound, when leases are written into db: by a database in memory that has what
// matters of db, so that the trigger of the schema decides.
func replay(ctx context.Context, db querier, leases []*Lease) (ended, bound []Tenancy, err error) {
	memory, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, nil, err
	}
	defer memory.Close()
	memory.SetMaxOpenConns(1)
	if _, err := memory.ExecContext(ctx, schema); err != nil {
		return nil, nil, err
	}
	tx, err := memory.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = tx.Rollback() }()
	seen := make(map[place]bool)
	for _, l := range leases {
		if seen[place{l.Network, l.Addr}] {
			continue
		}
		seen[place{l.Network, l.Addr}] = true
		if err := copyRow(ctx, tx, 13, insertLeaseSQL, db, leaseOfSQL, l.Network, l.Addr.String()); err != nil {
			return nil, nil, err
		}
		if err := copyRow(ctx, tx, 8, insertHistorySQL, db, lastOfSQL, l.Addr.String(), l.Network); err != nil {
			return nil, nil, err
		}
	}
	var last int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM history").Scan(&last); err != nil {
		return nil, nil, err
	}
	upsert, err := tx.PrepareContext(ctx, upsertSQL)
	if err != nil {
		return nil, nil, err
	}
	defer upsert.Close()
	for _, l := range leases {
		if _, err := upsert.ExecContext(ctx, appendRow(nil, l)...); err != nil {
			return nil, nil, err
		}
	}
	err = eachTenancy(ctx, tx, newerSQL, []any{last}, func(t Tenancy, _ int64) { ended = append(ended, t) })
	return ended, bound, errors.Join(err, eachTenancy(ctx, tx, boundSQL, nil, func(t Tenancy, _ int64) { bound = append(bound, t) }))
}

const (
	insertLeaseSQL = `INSERT INTO leases (network, addr, client, hwtype, hwaddr, name, state, start, expiry, seen, requested_name, vendor, reserved)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertHistorySQL = `INSERT INTO history (network, addr, client, hwaddr, name, state, since, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
)

// copyRow inserts the row that a query finds, if it finds one, as it is.
func copyRow(ctx context.Context, to *sql.Tx, columns int, insert string, from querier, query string, args ...any) error {
	row := make([]any, columns)
	into := make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	switch err := from.QueryRowContext(ctx, query, args...).Scan(into...); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return damaged(err)
	}
	_, err := to.ExecContext(ctx, insert, row...)
	return err
}
