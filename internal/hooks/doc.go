// Package hooks tells programs and URLs what happens to leases. Whoever reports an event never waits: each hook has a bounded queue, a few
// workers, and counters of what it missed.
package hooks
