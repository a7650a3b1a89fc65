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

// Import imports leases into the store of a configuration that no daemon runs by; a dry run leaves the store as it is, and makes none. The
// error names the process that has the store, if one has.
func Import(ctx context.Context, cfg *config.Config, paths Paths, log *slog.Logger, request control.ImportRequest) (answer control.ImportAnswer, err error) {
	p := compile(cfg, hostName())
	if request.DryRun {
		now, err := StoredLeases(ctx, paths, log)
		if err != nil {
			return answer, err
		}
		return tryImport(ctx, p, now, request)
	}
	if err := os.MkdirAll(paths.StateDir, 0o750); err != nil {
		return answer, fmt.Errorf("making the state directory: %w; name another one with --state-dir", err)
	}
	store, err := leases.OpenSQLite(leases.SQLiteConfig{Path: paths.leases(), Log: log})
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return importInto(ctx, p, store, log, request)
}

// StoredLeases returns the leases of a store that no daemon has open, none where there is no store.
func StoredLeases(ctx context.Context, paths Paths, log *slog.Logger) (found []leases.Lease, err error) {
	if _, err := os.Stat(paths.leases()); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	store, err := leases.OpenSQLite(leases.SQLiteConfig{Path: paths.leases(), Log: log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	found, _, err = store.Load(ctx)
	return found, err
}

// StoredList is StoredLeases as a daemon would list them.
func StoredList(ctx context.Context, paths Paths, log *slog.Logger) ([]control.Lease, error) {
	found, err := StoredLeases(ctx, paths, log)
	out := make([]control.Lease, 0, len(found))
	for _, l := range found {
		out = append(out, controlLease(l))
	}
	return out, err
}
