package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// Import imports leases into the store of a configuration that no daemon runs by; a dry run leaves what is stored as it is, and makes no
// store. The error names the process that has the store, if one has, or is ErrNotFound for a network that doesn't exist.
func Import(ctx context.Context, file *config.Config, paths Paths, log *slog.Logger, request control.ImportRequest) (answer control.ImportAnswer, err error) {
	defer func() { err = errors.Join(err, paths.entrust()) }()
	if !request.DryRun {
		if err := os.MkdirAll(paths.StateDir, 0o750); err != nil {
			return answer, fmt.Errorf("making the state directory: %w; name another one with --state-dir", err)
		}
	} else if !stored(paths) {
		return tryImport(ctx, compile(file, hostName()), nil, request)
	}
	store, err := leases.OpenSQLite(leases.SQLiteConfig{Path: paths.leases(), Log: log})
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	kept, _, err := store.Reservations(ctx)
	if err != nil {
		return answer, err
	}
	cfg, _ := withKept(file, kept)
	p := compile(cfg, hostName())
	if !request.DryRun {
		return importInto(ctx, p, store, log, request)
	}
	now, _, err := store.Load(ctx)
	if err != nil {
		return answer, err
	}
	return tryImport(ctx, p, now, request)
}

// stored reports whether there is a store.
func stored(paths Paths) bool {
	_, err := os.Stat(paths.leases())
	return !errors.Is(err, os.ErrNotExist)
}

// StoredLeases returns what a daemon would list of a store that no daemon has open; nothing where there is no store.
func StoredLeases(ctx context.Context, paths Paths, log *slog.Logger) (out []control.Lease, err error) {
	if !stored(paths) {
		return nil, nil
	}
	defer func() { err = errors.Join(err, paths.entrust()) }()
	store, err := leases.OpenSQLite(leases.SQLiteConfig{Path: paths.leases(), Log: log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	found, _, err := store.Load(ctx)
	for _, l := range found {
		out = append(out, controlLease(l))
	}
	return out, err
}
