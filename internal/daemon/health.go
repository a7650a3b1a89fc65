package daemon

import (
	"slices"
	"sync"
	"time"

	"labnet/internal/control"
	"labnet/internal/metrics"
	"labnet/netcfg"
)

// kind is what a problem is about.
type kind string

// The kinds of problems. The set is closed: it is in the API and in a metric.
const (
	ofHost       kind = "host"       // the kernel, other firewalls, sockets that are taken
	ofDrift      kind = "drift"      // a fight with another program
	ofStore      kind = "store"      // leases that can't be made durable
	ofUplink     kind = "uplink"     // the uplink of a bridged network
	ofUpstreams  kind = "upstream"   // DNS servers
	ofBlockLists kind = "block_list" // files of names
	ofHostsFiles kind = "hosts_file" // of names and addresses
	ofPublish    kind = "publish"    // ports of the host
	ofHooks      kind = "hook"
	ofAccess     kind = "access"  // groups that may change things
	ofMetrics    kind = "metrics" // their port
)

func kinds() []kind {
	return []kind{ofHost, ofDrift, ofStore, ofUplink, ofUpstreams, ofBlockLists, ofHostsFiles, ofPublish, ofHooks, ofAccess, ofMetrics}
}

// troubles are problems with their kinds.
type troubles struct {
	kinds []kind
	found []netcfg.Problem
}

func (t *troubles) add(k kind, found ...netcfg.Problem) {
	for _, p := range found {
		t.kinds, t.found = append(t.kinds, k), append(t.found, p)
	}
}

func (t troubles) problems() []control.Problem { return controlProblems(t.found) }

func (t troubles) reasons() []control.Reason {
	out := make([]control.Reason, 0, len(t.found))
	for i, p := range t.problems() {
		out = append(out, control.Reason{Kind: string(t.kinds[i]), Problem: p})
	}
	return out
}

// A look at the host takes milliseconds of work, and much longer where there are many rules of others.
const (
	// lookEvery is how old a look may be that is told to probes and scrapes.
	lookEvery = 5 * time.Second
	// lookPatience is how long is waited for a look that somebody else is taking, before an older one is told.
	lookPatience = 2 * time.Second
)

// look is what was wrong at a time.
type look struct {
	at    time.Time
	wrong troubles
}

// seen returns a look at how things are that isn't old.
func (d *daemon) seen() look {
	return d.looks.get(lookEvery, lookPatience, func() look {
		return look{at: time.Now(), wrong: d.troubles(d.config())}
	})
}

// Health implements control.Backend.
func (d *daemon) Health() control.Health {
	l := d.seen()
	h := control.Health{State: control.Ready, Checked: l.at.UTC(), Reasons: l.wrong.reasons()}
	if len(h.Reasons) > 0 || l.at.IsZero() {
		h.State = control.Degraded
	}
	return h
}

// probed is the daemon's health for the port, where everybody may ask: only of what kind the problems are.
func (d *daemon) probed() metrics.Health {
	l := d.seen()
	h := metrics.Health{Ready: !l.at.IsZero() && len(l.wrong.found) == 0}
	for _, k := range l.wrong.kinds {
		if !slices.Contains(h.Kinds, string(k)) {
			h.Kinds = append(h.Kinds, string(k))
		}
	}
	return h
}

// recent keeps what is dear to find out, for those who ask often.
type recent[T any] struct {
	mu    sync.Mutex // guards the rest
	value T
	at    time.Time     // when find began; zero: never
	under chan struct{} // closed when the look that somebody takes is done; nil: nobody does
}

// get returns a value that is no older than age, found by find if need be. Who comes while another one finds it waits for that, and after
// patience takes what there is: an older one, or none.
func (r *recent[T]) get(age, patience time.Duration, find func() T) T {
	r.mu.Lock()
	began := time.Now()
	if !r.at.IsZero() && began.Sub(r.at) < age {
		defer r.mu.Unlock()
		return r.value
	}
	under := r.under
	if under == nil {
		under = make(chan struct{})
		r.under = under
		r.mu.Unlock()
		return r.find(find, began)
	}
	r.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-under:
	case <-timer.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value
}

// find takes the look that began then; the others are let go also where it panics.
func (r *recent[T]) find(find func() T, began time.Time) T {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		close(r.under)
		r.under = nil
	}()
	value := find()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value, r.at = value, began
	return value
}
