package leases

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRandomSequences lets clients do anything in any order, with commits that fail, submissions that come late and in
// another order than the decisions, and restarts; after every step all indexes agree with one another, and what is
// published is what the store has.
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
	random := rand.New(rand.NewPCG(seed, 0))
	n := labNetwork(17) // 8 addresses for 12 clients
	n.NameConflict = NameConflict(seed % 3)
	n.Reservations = []Reservation{
		{Name: "web", HWAddr: hw(1), Addr: ip("192.0.2.12")},
		{Name: "db", ID: ClientIDFromOption([]byte("id2")), Addr: ip("192.0.2.200")},
		{Name: "nameonly", HWAddr: hw(3)},
		{Name: "byname", Hostname: "byname", Addr: ip("192.0.2.14")},
	}
	b := newBench(t, n)
	names := []string{"", "a", "b", "a", "web", "byname", "UPPER.example.org", "-bad", "hypervisor"}
	type waiting struct {
		change  Change
		verdict *error
	}
	var decided []Change
	var submitted []waiting
	var all []Change // ever decided
	clock := 0
	anyAddr := func() netip.Addr {
		return netip.AddrFrom4([4]byte{192, 0, 2, []byte{10, 11, 12, 13, 14, 15, 16, 17, 200, 1, 0, 99}[random.IntN(12)]})
	}
	anyClient := func() Client {
		i := random.IntN(8)
		name := names[random.IntN(len(names))]
		if random.IntN(3) == 0 {
			return identified(i, fmt.Sprintf("id%d", i), name)
		}
		return guest(i, name)
	}
	settle := func() {
		b.commit(clock)
		stored, _, err := b.store.Load(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := soundStore(stored); err != nil {
			t.Fatalf("seed %d: the store contradicts itself: %v", seed, err)
		}
		at := make(map[netip.Addr]Lease)
		for _, l := range stored {
			at[l.Addr] = l
		}
		for _, w := range submitted {
			l := w.change.Lease
			switch {
			case *w.verdict == nil && at[l.Addr].LastSeen.Before(l.LastSeen):
				t.Fatalf("seed %d: acknowledged %+v, stored %+v", seed, l, at[l.Addr])
			case errors.Is(*w.verdict, errNotAnswered):
				t.Fatalf("seed %d: a submitted change was not answered", seed)
			case w.change.pending.outcome == takenBack && at[l.Addr] == l && !slices.ContainsFunc(all, func(ch Change) bool { return ch.Lease == l && ch.pending.outcome == done }):
				t.Fatalf("seed %d: taken back, and stored all the same: %+v", seed, l)
			}
		}
		submitted = nil
	}
	for step := range 400 {
		c, addr := anyClient(), anyAddr()
		switch op := random.IntN(20); {
		case op < 4:
			if err := b.offerAsExplained(c, addr, at(clock), random.IntN(2) == 0); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		case op < 10:
			if l, ok := b.ByClient("lab", c.ID); ok && random.IntN(2) == 0 {
				addr = l.Addr
			}
			foretold := b.Allowed("lab", c, addr, at(clock))
			ch, err := b.Bind("lab", c, addr, time.Duration(1+random.IntN(200))*time.Second, at(clock))
			if !errors.Is(err, foretold) {
				t.Fatalf("seed %d, step %d: binding %v: %v, foretold %v", seed, step, addr, err, foretold)
			}
			if err == nil {
				decided, all = append(decided, ch), append(all, ch)
			}
		case op < 12:
			if l, ok := b.ByClient("lab", c.ID); ok {
				if ch, err := b.Release("lab", c, l.Addr, at(clock)); err == nil {
					decided, all = append(decided, ch), append(all, ch)
				}
			}
		case op < 13:
			if l, ok := b.ByClient("lab", c.ID); ok {
				if ch, err := b.Decline("lab", c, l.Addr, at(clock)); err == nil {
					decided, all = append(decided, ch), append(all, ch)
				}
			}
		case op < 14:
			if ch, err := b.ReleaseAddr("lab", addr, at(clock)); err == nil {
				decided, all = append(decided, ch), append(all, ch)
			}
			b.Withdraw("lab", c.ID, at(clock))
			// A free address is found in use, by a machine that may be a client too.
			if ch, err := b.Conflict("lab", anyAddr(), hw(random.IntN(8)), at(clock)); err == nil {
				decided, all = append(decided, ch), append(all, ch)
			}
			for _, ch := range importSome(t, b, random, clock, anyClient, anyAddr) {
				decided, all = append(decided, ch), append(all, ch)
			}
		case op < 17 && len(decided) > 0:
			// One change or two, not always in the order of their decisions.
			var group []Change
			for range 1 + random.IntN(2) {
				if len(decided) > 0 {
					i := random.IntN(len(decided))
					group = append(group, decided[i])
					decided = append(decided[:i], decided[i+1:]...)
				}
			}
			verdict := b.submit(group...)
			for _, ch := range group {
				submitted = append(submitted, waiting{ch, verdict})
			}
		case op < 18:
			b.broken = random.IntN(3) == 0
			settle()
		case op < 19:
			clock += random.IntN(40)
		default:
			if random.IntN(8) == 0 {
				if random.IntN(2) == 0 {
					n.Ranges = []Range{{ip("192.0.2.10"), ip("192.0.2.13")}, {ip("192.0.2.15"), ip("192.0.2.17")}}
				} else {
					n.Ranges = []Range{{ip("192.0.2.10"), ip("192.0.2.17")}}
				}
				if err := b.Configure(Config{Networks: []Network{n}}, at(clock)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := b.consistent(); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, step, err)
		}
	}

	// A restart finds what was published.
	b.broken = false
	b.submit(decided...)
	settle()
	b.commit(clock)
	published := b.Leases("")
	stored, _, err := b.store.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(published, stored, sameAddr); diff != "" {
		t.Fatalf("seed %d: published and stored differ (-published +stored):\n%s", seed, diff)
	}
	again := &bench{t: t, store: b.store}
	again.Table = must[*Table](t)(NewTable(Config{Networks: []Network{n}}, b.store, b.log))
	if err := again.Load(context.Background(), at(clock)); err != nil {
		t.Fatal(err)
	}
	again.check()
	if diff := cmp.Diff(published, again.Leases(""), sameAddr); diff != "" {
		t.Fatalf("seed %d: after a restart (-before +after):\n%s", seed, diff)
	}
}

// soundStore reports two clients' claims to one name, or two addresses of one client, at one time.
func soundStore(stored []Lease) error {
	clients, names := make(map[ClientID]Lease), make(map[string]Lease)
	for _, l := range stored {
		if l.State != Bound {
			continue
		}
		if other, twice := clients[l.ID]; twice {
			return fmt.Errorf("%v has %v and %v", l.ID, l.Addr, other.Addr)
		}
		clients[l.ID] = l
		if other, twice := names[l.Name]; twice && l.Name != "" {
			return fmt.Errorf("%s names %v and %v", l.Name, l.Addr, other.Addr)
		}
		names[l.Name] = l
	}
	return nil
}
