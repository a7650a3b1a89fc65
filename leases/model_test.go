package leases

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// TestRandomSequences lets clients do anything in any order, with commits that fail, submissions that come late and in another order
// than the decisions, clocks that are set, other configurations, and crashes; after every step all indexes agree with one another,
// and what is published is what the store has.
func TestRandomSequences(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomSequence(t, seed) })
	}
}

func FuzzSequences(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { randomSequence(t, seed) })
}

func randomSequence(t *testing.T, seed uint64) {
	w := newWalk(t, seed)
	for step := range 400 {
		if err := w.step(); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, step, err)
		}
		if err := w.consistent(); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, step, err)
		}
	}
	w.broken = false
	w.submitAll()
	for range 2 { // the second one writes what the first one ended
		if err := w.settle(); err != nil {
			t.Fatalf("seed %d, at the end: %v", seed, err)
		}
	}
	if err := w.restart(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

// walk is one random sequence.
type walk struct {
	*bench
	random  *rand.Rand
	configs []Config
	config  int
	names   []string

	clock int // the time of day, in seconds since epoch
	// by how much the time of day is ahead after each time that it was set. The nanosecond of a moment says which one is its.
	aheads []time.Duration
	unsaid bool // the clock was set, and nothing was stored since

	decided   []decided // not submitted
	submitted []decided
	all       []Change // ever decided
}

// decided is a change that waits.
type decided struct {
	Change
	aheads  int    // how often the clock had been set
	future  bool   // about who was last heard of in the future: a clock was wrong, and a crash came before that was stored
	verdict *error // nil: not submitted
}

func newWalk(t *testing.T, seed uint64) *walk {
	w := &walk{
		random: rand.New(rand.NewPCG(seed, 0)), configs: walkConfigs(NameConflict(seed % 3)), aheads: []time.Duration{0},
		names: []string{"", "a", "b", "a", "web", "byname", "UPPER.example.org", "-bad", "hypervisor"},
	}
	w.bench = newBench(t, w.configs[0].Networks[0]) // 8 addresses for 16 clients
	w.Table.clock.between = w.between
	return w
}

// walkConfigs are the configurations that a walk goes through.
func walkConfigs(conflict NameConflict) []Config {
	whole := labNetwork(17)
	whole.NameConflict = conflict
	whole.Reservations = []Reservation{
		{Name: "web", HWAddr: hw(1), Addr: ip("192.0.2.12")},
		{Name: "db", ID: ClientIDFromOption([]byte("id2")), Addr: ip("192.0.2.200")},
		{Name: "nameonly", HWAddr: hw(3)},
		{Name: "byname", Hostname: "byname", Addr: ip("192.0.2.14")},
	}
	split := whole
	split.Ranges = []Range{{ip("192.0.2.10"), ip("192.0.2.13")}, {ip("192.0.2.15"), ip("192.0.2.17")}}
	moved := whole // reservations at other clients and addresses, and a gateway where a client may be
	moved.Gateway = ip("192.0.2.11")
	moved.Reservations = []Reservation{
		{Name: "web", HWAddr: hw(2), Addr: ip("192.0.2.12")},
		{Name: "db", ID: ClientIDFromOption([]byte("id2")), Addr: ip("192.0.2.13")},
		{Name: "a", HWAddr: hw(4), Aliases: []string{"b"}},
	}
	small := Network{Name: "lab", Subnet: netip.MustParsePrefix("192.0.2.0/28"), Gateway: ip("192.0.2.1"), Ranges: []Range{{ip("192.0.2.9"), ip("192.0.2.14")}}}
	return []Config{{[]Network{whole}}, {[]Network{split}}, {[]Network{moved}}, {[]Network{small}}, {}}
}

// now is the present.
func (w *walk) now() time.Time { return at(w.clock).Add(time.Duration(len(w.aheads) - 1)) }

// between is by a clock that nobody sets. The committer reads the real one to know when to wake; that is none of the walk's moments.
func (w *walk) between(from, to time.Time) time.Duration {
	if to.Location() != time.UTC {
		return to.Sub(from)
	}
	return to.Add(-w.aheads[to.Nanosecond()]).Sub(from.Add(-w.aheads[from.Nanosecond()]))
}

func (w *walk) anyClient() Client {
	i := w.random.IntN(8)
	name := w.names[w.random.IntN(len(w.names))]
	if w.random.IntN(3) == 0 {
		return identified(i, fmt.Sprintf("id%d", i), name)
	}
	return guest(i, name)
}

func (w *walk) anyAddr() netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, 2, []byte{10, 11, 12, 13, 14, 15, 16, 17, 200, 1, 0, 99}[w.random.IntN(12)]})
}

// decide notes a change, if there is one.
func (w *walk) decide(ch Change, err error) {
	if err == nil {
		w.decided, w.all = append(w.decided, decided{Change: ch, aheads: len(w.aheads), future: ch.Lease.LastSeen.After(w.now())}), append(w.all, ch)
	}
}

// step is one thing that happens.
func (w *walk) step() error {
	switch op := w.random.IntN(40); {
	case op < 8:
		if len(w.configs[w.config].Networks) == 0 {
			return nil
		}
		return w.offerAsExplained(w.anyClient(), w.anyAddr(), w.now(), w.random.IntN(2) == 0)
	case op < 20:
		return w.request()
	case op < 28:
		w.giveBack(op)
	case op < 34:
		w.submitSome()
	case op < 36:
		w.broken = w.random.IntN(3) == 0
		return w.settle()
	case op < 38:
		w.clock += w.random.IntN(40)
	default:
		switch w.random.IntN(12) {
		case 0, 1, 2:
			w.config = w.random.IntN(len(w.configs))
			return w.Configure(w.configs[w.config], w.now())
		case 3, 4:
			w.setClock()
		case 5:
			return w.restart()
		}
	}
	return nil
}

func (w *walk) request() error {
	c, addr := w.anyClient(), w.anyAddr()
	if l, ok := w.ByClient("lab", c.ID); ok && w.random.IntN(2) == 0 {
		addr = l.Addr
	}
	lasts := time.Duration(1+w.random.IntN(200)) * time.Second
	if w.random.IntN(10) == 0 {
		lasts = Infinite
	}
	foretold := w.Allowed("lab", c, addr, w.now())
	ch, err := w.Bind("lab", c, addr, lasts, w.now())
	if !errors.Is(err, foretold) {
		return fmt.Errorf("binding %v: %w, foretold %v", addr, err, foretold)
	}
	w.decide(ch, err)
	return nil
}

// giveBack ends something.
func (w *walk) giveBack(op int) {
	c, addr := w.anyClient(), w.anyAddr()
	l, known := w.ByClient("lab", c.ID)
	switch {
	case op < 24 && known:
		w.decide(w.Release("lab", c, l.Addr, w.now()))
	case op < 26 && known:
		w.decide(w.Decline("lab", c, l.Addr, w.now()))
	default:
		w.decide(w.ReleaseAddr("lab", addr, w.now()))
		w.Withdraw("lab", c.ID, w.now())
		// A free address is found in use, by a machine that may be a client too.
		w.decide(w.Conflict("lab", w.anyAddr(), hw(w.random.IntN(8)), w.now()))
		if len(w.configs[w.config].Networks) > 0 {
			for _, ch := range w.importSome() {
				w.decide(ch, nil)
			}
		}
	}
}

// submitSome hands in one change or two, not always in the order of their decisions.
func (w *walk) submitSome() {
	var group []decided
	for range 1 + w.random.IntN(2) {
		if len(w.decided) > 0 {
			i := w.random.IntN(len(w.decided))
			group = append(group, w.decided[i])
			w.decided = append(w.decided[:i], w.decided[i+1:]...)
		}
	}
	w.submitGroup(group)
}

func (w *walk) submitAll() {
	w.submitGroup(w.decided)
	w.decided = nil
}

func (w *walk) submitGroup(group []decided) {
	changes := make([]Change, len(group))
	for i := range group {
		changes[i] = group[i].Change
	}
	verdict := w.submit(changes...)
	for _, ch := range group {
		ch.verdict = verdict
		w.submitted = append(w.submitted, ch)
	}
}

// setClock sets the time of day, by seconds or by years, forward or back.
func (w *walk) setClock() {
	by := 3 + w.random.IntN(600)
	if w.random.IntN(2) == 0 {
		by *= 100_000
	}
	if w.random.IntN(2) == 0 {
		by = -by
	}
	w.clock += by
	w.aheads = append(w.aheads, w.aheads[len(w.aheads)-1]+time.Duration(by)*time.Second)
	w.unsaid = true
}

// restart is a crash: what wasn't committed is lost, and another table goes on with what the store has.
func (w *walk) restart() error {
	if !w.unsaid {
		w.endWhatHasRunOut(w.now())
	}
	before := w.Leases("")
	again, err := NewTable(w.configs[w.config], w.store, w.log)
	if err != nil {
		return err
	}
	again.clock.between = w.between
	if err := again.Load(context.Background(), w.now()); err != nil {
		return err
	}
	w.Table, w.committer = again, committer{table: again}
	w.decided, w.submitted = nil, nil
	if err := w.consistent(); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	if w.unsaid {
		w.unsaid = false // which leases had run out by the clock before, nobody knows any more
		return nil
	}
	return w.sameAs(before)
}
