package leases

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"

	"labnet/leases/redolog"
)

// ReadSQLite returns what the lease database at path and its redo log say, without changing them: for listing while no daemon
// runs. Records that can't be understood are left out.
func ReadSQLite(ctx context.Context, path string) ([]Lease, error) {
	leases, err := readSQLite(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("lease database %s: %w", path, err)
	}
	return leases, nil
}

func readSQLite(ctx context.Context, path string) ([]Lease, error) {
	// The file itself must not be opened here: closing it would end the locks that SQLite has in this process.
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := openDB(path, "ro")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	version, err := verifyVersion(ctx, db)
	if err != nil {
		return nil, err
	}
	if version == 1 { // it had no redo log
		leases, _, err := readLeases(ctx, db)
		return leases, err
	}
	return readBoth(ctx, path, db)
}

// readBoth reads the log before the database, and of it what the database doesn't have: a daemon may be moving it meanwhile.
func readBoth(ctx context.Context, path string, db *sql.DB) ([]Lease, error) {
	segments, err := redolog.Read(path)
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, damaged(err)
	}
	defer func() { _ = tx.Rollback() }()
	id, moved, err := redoState(ctx, tx)
	if err != nil {
		return nil, err
	}
	commits, _, err := unmoved(segments, path, id, moved)
	if err != nil {
		return nil, err
	}
	newer, err := parseCommits(commits)
	if err != nil {
		return nil, err
	}
	older, _, err := readLeases(ctx, tx)
	if err != nil {
		return nil, err
	}
	return merge(older, newer), nil
}

// merge returns the last state of each lease.
func merge(older, newer []Lease) []Lease {
	all := make(map[place]Lease, len(older))
	for _, l := range slices.Concat(older, newer) {
		all[place{l.Network, l.Addr}] = l
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Lease) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), a.Addr.Compare(b.Addr))
	})
}
