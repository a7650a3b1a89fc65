package leases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

func ip(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func hw(i int) HWAddr {
	return HWAddr([]byte{0x52, 0x54, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
}

// guest is a client without a client identifier.
func guest(i int, name string) Client {
	return Client{ID: ClientIDFromHardware(1, []byte(hw(i))), HWType: 1, HWAddr: hw(i), RequestedName: name}
}

// identified is the client of the same hardware with a client identifier.
func identified(i int, id, name string) Client {
	c := guest(i, name)
	c.ID = ClientIDFromOption([]byte(id))
	return c
}

func labNetwork(last int) Network {
	return Network{
		Name: "lab", Subnet: netip.MustParsePrefix("192.0.2.0/24"), Gateway: ip("192.0.2.1"),
		Ranges:        []Range{{ip("192.0.2.10"), netip.AddrFrom4([4]byte{192, 0, 2, byte(last)})}},
		ReservedNames: []string{"hypervisor"},
	}
}

// bench is a table whose commits the test makes one by one.
type bench struct {
	*Table
	t         testing.TB
	store     *Memory
	committer committer
	broken    bool
}

var (
	errDisk        = errors.New("no space left on device")
	errNotAnswered = errors.New("not answered")
)

func newBench(t testing.TB, n Network, stored ...Lease) *bench {
	t.Helper()
	b := &bench{t: t, store: NewMemory(stored...)}
	var err error
	if b.Table, err = NewTable(Config{Networks: []Network{n}}, b.store, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := b.Load(context.Background(), epoch); err != nil {
		t.Fatal(err)
	}
	b.committer = committer{table: b.Table}
	b.store.FailWith(func([]Lease) error {
		if b.broken {
			return errDisk
		}
		return nil
	})
	return b
}

// commit makes one commit at epoch plus seconds.
func (b *bench) commit(seconds int) {
	b.t.Helper()
	b.committer.round(context.Background(), at(seconds))
	b.check()
}

// submit hands changes in and returns where their verdict will be.
func (b *bench) submit(changes ...Change) *error {
	verdict := new(error)
	*verdict = errNotAnswered
	b.Submit(changes, func(err error) { *verdict = err })
	return verdict
}

func (b *bench) bind(c Client, addr string, seconds, at_ int) Change {
	b.t.Helper()
	ch, err := b.Bind("lab", c, ip(addr), time.Duration(seconds)*time.Second, at(at_))
	if err != nil {
		b.t.Fatalf("bind %s to %v: %v", addr, c.ID, err)
	}
	return ch
}

// lease binds and commits.
func (b *bench) lease(c Client, addr string, seconds, at_ int) Lease {
	b.t.Helper()
	ch := b.bind(c, addr, seconds, at_)
	verdict := b.submit(ch)
	b.commit(at_)
	if *verdict != nil {
		b.t.Fatalf("commit: %v", *verdict)
	}
	return ch.Lease
}

func (b *bench) offer(c Client, requested string, at_ int) (string, Choice) {
	b.t.Helper()
	l, choice, err := b.Offer("lab", c, ip(requested), at(at_))
	b.check()
	if err != nil {
		return err.Error(), choice
	}
	return l.Addr.String(), choice
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// check compares every index of the table with the slots.
func (b *bench) check() {
	b.t.Helper()
	if err := b.consistent(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) consistent() error {
	t := b.Table
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, timer := range t.timers {
		if int(timer.slot.heapAt) != i+1 || i > 0 && t.timers[(i-1)/4].at > timer.at {
			return fmt.Errorf("timer %d is out of place", i)
		}
	}
	for _, n := range t.networks {
		if err := n.consistent(); err != nil {
			return fmt.Errorf("network %s: %w", n.name, err)
		}
	}
	return nil
}

func (n *netTable) consistent() error {
	listed := make(map[*slot]*list)
	for _, l := range []*list{&n.free, &n.held, &n.heldOther} {
		for s := l.front; s != nil; s = s.next {
			if listed[s] != nil || s.list != l || s.next == nil && l.back != s || s.next != nil && s.next.prev != s {
				return fmt.Errorf("%v is listed wrongly", toAddr(s.addr))
			}
			listed[s] = l
		}
	}
	var resting uint64
	bound, boundCommitted := make(map[ClientID]*slot), make(map[ClientID]*slot)
	named, namedCommitted := make(map[string]*slot), make(map[string]*slot)
	for addr, s := range n.slots {
		where := toAddr(addr)
		open := n.pool != nil && n.pool.open(addr)
		var want *list
		switch {
		case s.hold != nil && open && !s.cur.blocks():
			want = &n.held
		case s.hold != nil:
			want = &n.heldOther
		case open && !s.cur.blocks():
			want = &n.free
		}
		if listed[s] != want {
			return fmt.Errorf("%v is in the wrong list", where)
		}
		if s.cur != nil && s.cur.state == Declined {
			resting++
		}
		if s.cur.blocks() && s.cur.expiry != forEver && s.last == nil && s.heapAt == 0 {
			return fmt.Errorf("%v has no timer", where)
		}
		if s.hold != nil && (s.hold.hold != s || s.hold.offer == nil || n.clients[s.hold.id] != s.hold) {
			return fmt.Errorf("%v is held by a client that doesn't know", where)
		}
		if s.last == nil && s.cur != s.committed {
			return fmt.Errorf("%v differs from what is committed, and no change of it is pending", where)
		}
		for _, view := range []struct {
			r     *record
			bound map[ClientID]*slot
			named map[string]*slot
		}{{s.cur, bound, named}, {s.committed, boundCommitted, namedCommitted}} {
			if view.r == nil {
				continue
			}
			if view.r.state == Bound {
				if other := view.bound[view.r.id()]; other != nil {
					return fmt.Errorf("%v has both %v and %v", view.r.id(), where, toAddr(other.addr))
				}
				view.bound[view.r.id()] = s
			}
			if view.r.name() != "" {
				if other := view.named[view.r.name()]; other != nil {
					return fmt.Errorf("%s names both %v and %v", view.r.name(), where, toAddr(other.addr))
				}
				view.named[view.r.name()] = s
			}
		}
		if s.cur != nil && s.cur.state == Bound && (n.client(s.cur.id()) == nil || n.client(s.cur.id()).slot != s) {
			return fmt.Errorf("the client of %v doesn't know", where)
		}
	}
	blank := 0
	for _, s := range n.slots {
		if s.cur == nil {
			blank++
		}
	}
	if blank != n.blank {
		return fmt.Errorf("%d addresses are blank, not %d", blank, n.blank)
	}
	if resting != n.resting {
		return fmt.Errorf("%d addresses rest, not %d", resting, n.resting)
	}
	if err := n.countedWell(); err != nil {
		return err
	}
	for name, c := range n.names {
		if c.owner != named[name] || c.published != namedCommitted[name] {
			return fmt.Errorf("name %q: owner or published is wrong", name)
		}
		if c.owner == nil && c.published == nil && c.last == nil {
			return fmt.Errorf("name %q is nobody's", name)
		}
	}
	for name, s := range named {
		if n.names[name] == nil {
			return fmt.Errorf("name %q of %v is unknown", name, toAddr(s.addr))
		}
	}
	underway := make(map[ClientID]bool) // clients of what may come back, or come
	for _, s := range n.slots {
		for p := s.last; p != nil; p = p.before(&s.cell) {
			for _, e := range p.effects {
				if e.prev != nil {
					underway[e.prev.id()] = true
				}
				underway[e.next.id()] = true
			}
		}
	}
	mine := func(id ClientID, s *slot) bool {
		return s != nil && (s.cur != nil && s.cur.id() == id || s.committed != nil && s.committed.id() == id)
	}
	for id, c := range n.clients {
		if c.hold == nil && c.last == nil && !underway[id] {
			return fmt.Errorf("client %v should be settled: its own is %v", id, mine(id, c.slot))
		}
	}
	for id, s := range n.settled {
		if n.clients[id] == nil && !mine(id, s) && !underway[id] {
			return fmt.Errorf("client %v should be forgotten", id)
		}
	}
	if n.pool != nil {
		for i := range n.virgin {
			if addr := n.pool.at(i); n.slots[addr] == nil && n.pool.open(addr) {
				return fmt.Errorf("%v is lost", toAddr(addr))
			}
		}
	}
	return nil
}

// sameAddr lets go-cmp compare addresses.
var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// states is leases in short, sorted.
func states(leases []Lease) []string {
	var all []string
	for _, l := range leases {
		all = append(all, fmt.Sprintf("%v %v %v %s", l.Addr, l.ID, l.State, l.Name))
	}
	slices.Sort(all)
	return all
}
