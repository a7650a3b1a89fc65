package leases

import (
	"context"
	"time"
)

const (
	// checkpointAfter is how many leases are written before SQLite's own log, the WAL, is copied into the file.
	checkpointAfter = 1000
	// warnFrames is a length of it, in pages, that only a reader can cause that never ends its transaction: 256 MiB.
	warnFrames = 65536
	// warnEvery bounds how often it is said.
	warnEvery = 10 * time.Minute
)

// checkpoint copies the WAL into the file when enough was written. dbMu is held, so nobody writes meanwhile, and unless somebody
// reads all of it is copied; then SQLite begins it anew.
func (s *SQLite) checkpoint(ctx context.Context) {
	if s.written < checkpointAfter || s.writer == nil {
		return
	}
	s.written = 0
	var busy, frames, copied int
	err := s.writer.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &copied)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Warn("the WAL of the lease database can't be copied into it; it grows until it can", "file", s.path, "err", err)
	case copied < frames && frames > warnFrames && time.Since(s.warned) > warnEvery:
		s.warned = time.Now()
		s.log.Warn("another program reads the lease database without end and lets its WAL grow", "file", s.path, "pages", frames)
	}
}
