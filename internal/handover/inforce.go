package handover

import (
	"sync"
	"time"

	"labnet/internal/dhcpclient"
)

// inForce is the lease that this process keeps on the bridge, if any. Safe for concurrent use.
type inForce struct {
	mu    sync.Mutex // guards what follows
	lease *dhcpclient.Lease
	since int64 // seconds since boot
}

// set takes a lease whose times count from now on; nil: there is none.
func (f *inForce) set(l *dhcpclient.Lease) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lease, f.since = l, sinceBoot()
}

// get returns the lease with what is left of its time, counted in whole seconds against it; ok is false if there is none, or hardly any.
func (f *inForce) get() (l dhcpclient.Lease, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lease == nil {
		return l, false
	}
	l = *f.lease
	if l.Lifetime != dhcpclient.Forever {
		l.Lifetime -= time.Duration(sinceBoot()-f.since+1) * time.Second
	}
	return l, l.Lifetime > time.Second
}
