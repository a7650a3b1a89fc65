package dhcpserver

import (
	"sync"
	"time"
)

// warnInterval is how often a warning about the same thing is repeated, and maxWarned how many things are remembered.
const (
	warnInterval = 10 * time.Minute
	maxWarned    = 1024
)

// warnings remembers what was warned of lately. It may be used by any goroutine.
type warnings[K comparable] struct {
	mu     sync.Mutex
	warned map[K]time.Time // guarded by mu
}

// first says whether a warning is due, and takes it for given. Where too many are remembered none is due.
func (w *warnings[K]) first(key K, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.warned[key]
	if ok && now.Sub(last) < warnInterval {
		return false
	}
	if !ok && len(w.warned) >= maxWarned {
		for k, at := range w.warned {
			if now.Sub(at) >= warnInterval {
				delete(w.warned, k)
			}
		}
		if len(w.warned) >= maxWarned {
			return false
		}
	}
	if w.warned == nil {
		w.warned = make(map[K]time.Time)
	}
	w.warned[key] = now
	return true
}
