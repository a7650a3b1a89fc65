package dnsserver

import (
	"context"
	"log/slog"

	"labnet/dnsserver/querylog"
)

// QueryFile is a file that a network's questions are written to, in place of the log.
type QueryFile struct {
	Path string // absolute; "": none. Networks may share one, and its bounds
	Size int64  // bytes, after which a new one begins
	Keep int    // former ones, PATH.1 to PATH.n
}

// openLog is a query log that is written to.
type openLog struct {
	file    *querylog.File
	queries *slog.Logger
	run     func(ctx context.Context)
	stop    context.CancelFunc // of the goroutine that writes; nil: there is none yet
}

// queryLogs returns the logs of a configuration by path: those that are open, and new ones, which nobody writes yet. s.mu is held.
func (s *Server) queryLogs(cfg *Config) map[string]*openLog {
	logs := map[string]*openLog{}
	for i := range cfg.Networks {
		q := cfg.Networks[i].QueryFile
		if !cfg.Networks[i].LogQueries || q.Path == "" || logs[q.Path] != nil {
			continue
		}
		l := s.logs[q.Path]
		if l == nil {
			file := querylog.New(q.Path, querylog.Bounds{Size: q.Size, Keep: q.Keep}, s.log)
			l = &openLog{file: file, run: file.Run, queries: slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{ReplaceAttr: bare}))}
		}
		logs[q.Path] = l
	}
	return logs
}

// bare leaves out what is the same in every line.
func bare(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

// logTo gives the views their logs.
func (snap *snapshot) logTo(cfg *Config, logs map[string]*openLog) {
	for _, v := range snap.views {
		for i := range cfg.Networks {
			if n := &cfg.Networks[i]; n.Name == v.network {
				if l := logs[n.QueryFile.Path]; l != nil && v.logged {
					v.queries = l.queries
				}
			}
		}
	}
}

// replaceLogs sets the logs of the configuration, with its bounds. Those that are no longer written to are closed when they have what was said until
// now. s.mu is held.
func (s *Server) replaceLogs(cfg *Config, logs map[string]*openLog) {
	for path, old := range s.logs {
		if logs[path] == nil && old.stop != nil {
			old.stop()
		}
	}
	s.logs = logs
	for i := range cfg.Networks {
		if q := cfg.Networks[i].QueryFile; logs[q.Path] != nil {
			logs[q.Path].file.Bound(querylog.Bounds{Size: q.Size, Keep: q.Keep})
		}
	}
	if s.state == serving {
		s.writeLogs()
	}
}

// writeLogs has every log written. s.mu is held.
func (s *Server) writeLogs() {
	for _, l := range s.logs {
		if l.stop == nil {
			var ctx context.Context
			ctx, l.stop = context.WithCancel(s.base)
			s.work.Go(func() { l.run(ctx) })
		}
	}
}
