package dnsserver

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Bounds on what is logged of rebinding: a name once an hour, and so many names.
const (
	rebindLogEvery = time.Hour
	rebindLogNames = 50
)

// rebindLog keeps names of strangers from filling the log.
type rebindLog struct {
	mu         sync.Mutex // guards the rest
	names      map[name]bool
	until      time.Time // then names is forgotten
	suppressed int
}

// admit tells whether a name may be logged, and how many weren't since the last one.
func (r *rebindLog) admit(n name, now time.Time) (ok bool, suppressed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.until) {
		r.names, r.until = map[name]bool{}, now.Add(rebindLogEvery)
	}
	switch {
	case r.names[n]:
		return false, 0
	case len(r.names) >= rebindLogNames:
		r.suppressed++
		return false, 0
	}
	r.names[n] = true
	suppressed, r.suppressed = r.suppressed, 0
	return true, suppressed
}

// rebound notes that addresses of a name were withheld.
func (s *Server) rebound(n name, addr netip.Addr) {
	level := slog.LevelWarn
	if addr.IsUnspecified() {
		// What other resolvers answer for names that they block.
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("name", n.String()), slog.String("addr", addr.String())}
	if level == slog.LevelWarn {
		ok, suppressed := s.rebinds.admit(n, time.Now())
		if !ok {
			return
		}
		if suppressed > 0 {
			attrs = append(attrs, slog.Int("suppressed", suppressed))
		}
	}
	s.log.LogAttrs(s.base, level, "a name of the outside points inside; the address is withheld (rebind_allow in the resolver lets a domain through)", attrs...)
}
