package leases

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"labnet/internal/histogram"
)

// Why a table refuses an address to a client. The DHCP server's decisions branch on them.
var (
	ErrUnknownNetwork = errors.New("no such network")
	ErrExhausted      = errors.New("no free address")
	ErrTaken          = errors.New("another client has the address")
	ErrReserved       = errors.New("the address is reserved for another client")
	ErrMoved          = errors.New("the client has a reservation at another address")
	ErrOutOfPool      = errors.New("the address is not in the pool")
	ErrQuarantined    = errors.New("the address was declined and rests")
	ErrNotHolder      = errors.New("the client does not hold the address")
	ErrDenied         = errors.New("the client has no reservation and unknown clients are not served")
)

var (
	errNoIdentity = errors.New("the client has no identity")
	errClosed     = errors.New("the lease table no longer runs")
)

// Choice says why Offer chose an address; it becomes part of the decision's reason code.
type Choice string

// The reasons for an address, in the order in which they are tried.
const (
	ChoseReservation Choice = "reservation"
	ChoseBinding     Choice = "binding"    // the client's active lease
	ChoseHold        Choice = "hold"       // what it was offered a moment ago
	ChoseFormer      Choice = "former"     // its last address, still free
	ChoseRequested   Choice = "requested"  // option 50
	ChoseDerived     Choice = "derived"    // from its hardware address
	ChoseOldest      Choice = "oldest"     // free for the longest
	ChoseTakenBack   Choice = "taken_back" // the oldest hold that was never requested
)

// Change is a decided change of one lease that is not durable yet. Decisions see it at once; names, lists and
// watchers see it once it is committed. Every change must be handed to Submit.
type Change struct {
	Lease   Lease // as it will be
	pending *pending
}

// Table is who has which address, in every network. All methods may be called by any goroutine. Times that are handed in
// are the present, on the same clock as time.Now, by which Run ends leases.
type Table struct {
	store Store
	log   *slog.Logger
	wake  chan struct{} // holds a token when Run has something to do

	refusedNames, declines chatter

	commitTimes              *histogram.Histogram
	committed, commitsFailed atomic.Uint64 // leases, transactions

	mu       sync.Mutex // guards everything below, and everything that it leads to
	networks map[string]*netTable
	timers   timers
	feed     feed
	clock    *clock          // ahead may be read without the lock
	steps    []time.Duration // of the time of day, not logged yet
	seq      uint64          // of the last change
	batches  uint64
	waiting  queue
	late     []lateWrite
	sleeping int64 // when Run wakes by itself, Unix seconds
	closed   bool
	storeErr error // of the last commit
}

// NewTable returns a table for cfg that keeps its leases in store; Load fills it. It fails where cfg contradicts itself:
// what an address or a name is reserved for, or a range, that isn't the subnet's.
func NewTable(cfg Config, store Store, log *slog.Logger) (*Table, error) {
	t := &Table{
		store: store, log: log,
		wake:     make(chan struct{}, 1),
		networks: make(map[string]*netTable),
		clock:    newClock(),

		commitTimes: newCommitTimes(),
	}
	pools, err := newPools(cfg)
	if err != nil {
		return nil, err
	}
	t.apply(pools)
	return t, nil
}

// Configure replaces the networks. Leases stay: one whose address is no longer in the pool, or reserved for another
// client, ends by its client's next renewal being refused. On an error nothing has changed.
func (t *Table) Configure(cfg Config, now time.Time) error {
	pools, err := newPools(cfg)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(t.seconds(now), expireAll)
	t.apply(pools)
	return nil
}

func newPools(cfg Config) (map[string]*pool, error) {
	pools := make(map[string]*pool, len(cfg.Networks))
	for _, n := range cfg.Networks {
		p, err := newPool(n)
		if err != nil {
			return nil, err
		}
		if pools[n.Name] != nil {
			return nil, errors.New("network " + n.Name + " appears twice")
		}
		pools[n.Name] = p
	}
	return pools, nil
}

func (t *Table) apply(pools map[string]*pool) {
	for name := range pools {
		t.networkOf(name)
	}
	for name, n := range t.networks {
		n.configure(pools[name])
	}
}

func (t *Table) networkOf(name string) *netTable {
	n := t.networks[name]
	if n == nil {
		n = newNetwork(name, &t.timers, &t.feed, t.clock)
		t.networks[name] = n
	}
	return n
}

// configured returns a network that addresses are given out in.
func (t *Table) configured(name string) (*netTable, error) {
	if n := t.networks[name]; n != nil && n.pool != nil {
		return n, nil
	}
	return nil, ErrUnknownNetwork
}

// Durable returns the committed lease that ch would have replaced, if it belongs to the same client and is still running
// at now: what may be acknowledged although ch could not be committed.
func (t *Table) Durable(ch Change, now time.Time) (Lease, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.find(ch.Lease.Network, ch.Lease.Addr)
	if s == nil || !s.committed.running(t.seconds(now)) || s.committed.id() != ch.Lease.ID {
		return Lease{}, false
	}
	return s.committed.lease(s), true
}

func (t *Table) find(network string, addr netip.Addr) *slot {
	n := t.networks[network]
	v, ok := key(addr)
	if n == nil || !ok {
		return nil
	}
	return n.slots[v]
}

// ByClient returns the lease of a client, pending changes included: the one it has (Bound), else what it was offered, else
// its former one. A lease that is Bound may have passed its Expiry a moment ago.
func (t *Table) ByClient(network string, id ClientID) (Lease, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.networks[network]
	if n == nil {
		return Lease{}, false
	}
	c := n.client(id)
	if c == nil {
		return Lease{}, false
	}
	s := c.slot
	mine := s != nil && s.cur != nil && s.cur.id() == id
	switch {
	case mine && s.cur.state == Bound:
		return s.cur.lease(s), true
	case c.hold != nil:
		return c.offer.lease(c.hold), true
	case mine:
		return s.cur.lease(s), true
	}
	return Lease{}, false
}

// ByAddr returns the lease at an address, pending changes included: the one that is Bound or Declined, else the one that is
// Offered, else the former one.
func (t *Table) ByAddr(network string, addr netip.Addr) (Lease, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.find(network, addr)
	switch {
	case s == nil:
		return Lease{}, false
	case s.cur.blocks():
		return s.cur.lease(s), true
	case s.hold != nil:
		return s.hold.offer.lease(s), true
	case s.cur != nil:
		return s.cur.lease(s), true
	}
	return Lease{}, false
}

// AddrOf returns the address of the client that holds name (a lower-case label) in network, or whose reservation has it for
// an alias, and how long the lease still runs: Infinite for one that doesn't end.
func (t *Table) AddrOf(network string, name []byte, now time.Time) (netip.Addr, time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.networks[network]
	if n == nil {
		return netip.Addr{}, 0, false
	}
	c := n.names[string(name)]
	if n.pool != nil {
		if r := n.pool.byAlias[string(name)]; r != nil {
			c = n.names[r.Name]
		}
	}
	if c == nil || c.published == nil {
		return netip.Addr{}, 0, false
	}
	left, ok := t.remaining(c.published.committed, now)
	return toAddr(c.published.addr), left, ok
}

// NameOf returns the name that the client at addr holds in network, and how long the lease still runs.
func (t *Table) NameOf(network string, addr netip.Addr, now time.Time) (string, time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.find(network, addr)
	if s == nil || s.committed == nil || s.committed.name() == "" {
		return "", 0, false
	}
	left, ok := t.remaining(s.committed, now)
	return s.committed.name(), left, ok
}

// remaining returns how long r still runs.
func (t *Table) remaining(r *record, now time.Time) (time.Duration, bool) {
	if !r.running(t.seconds(now)) {
		return 0, false
	}
	if r.expiry == forEver {
		return Infinite, true
	}
	return t.clock.wall(r.expiry).Sub(now), true
}

// ReservationFor returns the reservation that was made for a client. A reservation by host name may be in the hands of
// another client that sends the same name; then this one is not given its address and name.
func (t *Table) ReservationFor(network string, c Client) (Reservation, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.configured(network)
	if err != nil {
		return Reservation{}, false
	}
	label, _ := CleanName(c.RequestedName)
	r, _ := n.pool.match(c, label)
	if r == nil {
		return Reservation{}, false
	}
	return *r, true
}

// StoreErr returns why the last commit failed, or nil if it didn't: for health and status.
func (t *Table) StoreErr() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.storeErr
}

// StoreWarning returns what is wrong with the store although commits succeed, or nil: for status.
func (t *Table) StoreWarning() error { return t.store.Err() }
