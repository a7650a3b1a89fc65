package leases

import (
	"context"
	"time"
)

const (
	// checkpointAfter is how many leases are written before the log is copied into the file: a few MB of log.
	checkpointAfter = 1000
	// maxFrames is the length of the log, in pages, at which commits wait for a checkpoint: 64 MiB.
	maxFrames = 16384
	// warnFrames is a length that only a reader can cause that never ends its transaction.
	warnFrames = 4 * maxFrames
	// warnEvery bounds how often it is said.
	warnEvery = 10 * time.Minute
)

// checkpoints copies the log into the file when enough was written, until ctx ends.
func (s *SQLite) checkpoints(ctx context.Context) {
	defer close(s.stopped)
	var warned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		frames, copied, err := s.checkpoint(ctx)
		if err == nil && copied < frames && frames > maxFrames {
			// Commits come so fast that the log never ends. With the writer waiting the rest is short, and SQLite begins the
			// log anew with the next commit.
			s.mu.Lock()
			frames, copied, err = s.checkpoint(ctx)
			s.mu.Unlock()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("the log of the lease database can't be copied into it; it grows until it can", "file", s.path, "err", err)
		case copied < frames && frames > warnFrames && time.Since(warned) > warnEvery:
			warned = time.Now()
			s.log.Warn("another program reads the lease database without end and lets its log grow", "file", s.path, "pages", frames)
		}
	}
}

// checkpoint copies what no reader needs as it is. It returns the pages of the log, and how many of them are copied.
func (s *SQLite) checkpoint(ctx context.Context) (frames, copied int, err error) {
	var busy int
	err = s.aside.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &copied)
	return frames, copied, err
}
