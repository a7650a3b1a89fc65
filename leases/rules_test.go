package leases

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestOfferOrder(t *testing.T) {
	n := labNetwork(13) // .10 to .13
	n.Reservations = []Reservation{{Name: "web", HWAddr: hw(9), Addr: ip("192.0.2.200")}, {Addr: ip("192.0.2.13")}}
	for _, c := range []struct {
		name      string
		prepare   func(b *bench)
		client    Client
		requested string
		want      string
		choice    Choice
	}{
		{"reservation before its own lease", func(b *bench) { b.lease(guest(8, ""), "192.0.2.10", 100, 0) }, guest(9, ""), "192.0.2.10", "192.0.2.200", ChoseReservation},
		{"its lease before what it asks for", func(b *bench) { b.lease(guest(1, ""), "192.0.2.11", 100, 0) }, guest(1, ""), "192.0.2.12", "192.0.2.11", ChoseBinding},
		{"what it was offered", func(b *bench) { b.offer(guest(1, ""), "192.0.2.12", 5) }, guest(1, ""), "192.0.2.11", "192.0.2.12", ChoseHold},
		{"its former address", func(b *bench) { b.lease(guest(1, ""), "192.0.2.12", 5, 0) }, guest(1, ""), "192.0.2.11", "192.0.2.12", ChoseFormer},
		{"what it asks for", func(*bench) {}, guest(1, ""), "192.0.2.12", "192.0.2.12", ChoseRequested},
		{"derived from its hardware", func(*bench) {}, guest(1, ""), "", "192.0.2.10", ChoseDerived},
		{"derived, not what is off the net", func(*bench) {}, guest(1, ""), "198.51.100.1", "192.0.2.10", ChoseDerived},
		{"derived, not what is reserved", func(*bench) {}, guest(1, ""), "192.0.2.13", "192.0.2.10", ChoseDerived},
		{"the free one that nobody had", func(b *bench) {
			b.lease(guest(2, ""), "192.0.2.11", 5, 0)
			b.lease(guest(3, ""), "192.0.2.10", 5, 1)
		}, guest(1, ""), "", "192.0.2.12", ChoseDerived},
		{"the longest free", func(b *bench) {
			b.lease(guest(2, ""), "192.0.2.11", 6, 0)
			b.lease(guest(3, ""), "192.0.2.10", 4, 0)
			b.lease(guest(4, ""), "192.0.2.12", 5, 0)
		}, guest(1, ""), "", "192.0.2.10", ChoseOldest},
		{"the oldest offer, back from its client", func(b *bench) {
			b.offer(guest(2, ""), "192.0.2.12", 1)
			b.offer(guest(3, ""), "192.0.2.10", 2)
			b.lease(guest(4, ""), "192.0.2.11", 1000, 3)
		}, guest(1, ""), "", "192.0.2.12", ChoseTakenBack},
		{"nothing", func(b *bench) {
			b.lease(guest(2, ""), "192.0.2.12", 1000, 1)
			b.lease(guest(3, ""), "192.0.2.10", 1000, 2)
			b.lease(guest(4, ""), "192.0.2.11", 1000, 3)
		}, guest(1, ""), "", ErrExhausted.Error(), ""},
		{"an offer that ran out is nobody's", func(b *bench) { b.offer(guest(2, ""), "192.0.2.12", -51) }, guest(1, ""), "192.0.2.12", "192.0.2.12", ChoseRequested},
		{"a withdrawn offer is nobody's", func(b *bench) {
			b.offer(guest(2, ""), "192.0.2.12", 5)
			b.Withdraw("lab", guest(2, "").ID, at(6))
		}, guest(1, ""), "192.0.2.12", "192.0.2.12", ChoseRequested},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, n)
			c.prepare(b)
			if got, choice := b.offer(c.client, c.requested, 10); got != c.want || choice != c.choice {
				t.Errorf("offered %s (%s), want %s (%s)", got, choice, c.want, c.choice)
			}
		})
	}
}

func TestBindRefuses(t *testing.T) {
	n := labNetwork(20)
	n.Ranges[0].Start = ip("192.0.2.0")
	n.Reservations = []Reservation{
		{Name: "web", HWAddr: hw(9), Addr: ip("192.0.2.200")},
		{Name: "busy", HWAddr: hw(8), Addr: ip("192.0.2.201")},
		{Addr: ip("192.0.2.13")},
	}
	for _, c := range []struct {
		name   string
		client Client
		addr   string
		want   error
	}{
		{"free", guest(1, ""), "192.0.2.12", nil},
		{"its own", guest(2, ""), "192.0.2.10", nil},
		{"another one's", guest(1, ""), "192.0.2.10", ErrTaken},
		{"another one's by client id", identified(2, "two", ""), "192.0.2.10", ErrTaken},
		{"offered to another", guest(1, ""), "192.0.2.11", ErrTaken},
		{"offered to it", guest(3, ""), "192.0.2.11", nil},
		{"declined", guest(1, ""), "192.0.2.14", ErrQuarantined},
		{"declined by itself", guest(4, ""), "192.0.2.14", ErrQuarantined},
		{"reserved for another", guest(1, ""), "192.0.2.200", ErrReserved},
		{"reserved for nobody", guest(1, ""), "192.0.2.13", ErrReserved},
		{"reserved for it", guest(9, ""), "192.0.2.200", nil},
		{"reserved for it, by its newest identity", identified(9, "os", ""), "192.0.2.200", nil},
		{"its reservation is elsewhere", guest(9, ""), "192.0.2.12", ErrMoved},
		{"its reservation is not free yet", guest(8, ""), "192.0.2.12", nil},
		{"its reservation is another one's still", guest(8, ""), "192.0.2.201", ErrTaken},
		{"outside the ranges", guest(1, ""), "192.0.2.100", ErrOutOfPool},
		{"outside the subnet", guest(1, ""), "198.51.100.1", ErrOutOfPool},
		{"outside the subnet, with a reservation", guest(9, ""), "198.51.100.1", ErrOutOfPool},
		{"the gateway", guest(1, ""), "192.0.2.1", ErrOutOfPool},
		{"the network", guest(1, ""), "192.0.2.0", ErrOutOfPool},
		{"the broadcast address", guest(1, ""), "192.0.2.255", ErrOutOfPool},
		{"none", guest(1, ""), "", ErrOutOfPool},
		{"IPv6", guest(1, ""), "2001:db8::1", ErrOutOfPool},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, n, Lease{
				Network: "lab", Addr: ip("192.0.2.201"), ID: guest(7, "").ID, HWAddr: hw(7), State: Bound,
				Start: at(0), Expiry: at(1000), LastSeen: at(0),
			})
			b.lease(guest(2, ""), "192.0.2.10", 100, 0)
			b.offer(guest(3, ""), "192.0.2.11", 0)
			b.lease(guest(4, ""), "192.0.2.14", 100, 0)
			must[Change](t)(b.Decline("lab", guest(4, ""), ip("192.0.2.14"), at(1)))
			_, err := b.Bind("lab", c.client, ip(c.addr), time.Minute, at(2))
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			b.check()
		})
	}
	b := newBench(t, n)
	if _, err := b.Bind("other", guest(1, ""), ip("192.0.2.12"), time.Minute, at(0)); !errors.Is(err, ErrUnknownNetwork) {
		t.Errorf("unknown network: %v", err)
	}
}

func TestReservationFollowsTheHardware(t *testing.T) {
	n := labNetwork(20)
	n.Reservations = []Reservation{{Name: "web", HWAddr: hw(9), Addr: ip("192.0.2.200")}}
	b := newBench(t, n)
	b.lease(guest(9, "rom"), "192.0.2.200", 1000, 0)
	installed := identified(9, "installed", "whatever")
	if got, choice := b.offer(installed, "", 10); got != "192.0.2.200" || choice != ChoseReservation {
		t.Fatalf("offered %s (%s)", got, choice)
	}
	got := b.lease(installed, "192.0.2.200", 1000, 11)
	if got.Name != "web" || !got.Reserved || !got.Start.Equal(at(11)) {
		t.Errorf("leased %+v", got)
	}
	if _, ok := b.ByClient("lab", guest(9, "").ID); ok {
		t.Error("the boot ROM has a lease still")
	}
	if name, left, ok := b.NameOf("lab", ip("192.0.2.200"), at(12)); name != "web" || left != 999*time.Second || !ok {
		t.Errorf("the name is %q for %v (%v)", name, left, ok)
	}
}

func TestNames(t *testing.T) {
	n := labNetwork(20)
	n.Reservations = []Reservation{
		{Name: "web", Aliases: []string{"www"}, HWAddr: hw(9)},
		{Name: "printer", Hostname: "hp1234", Addr: ip("192.0.2.50")},
	}
	type step struct {
		client Client
		addr   string
		want   string
	}
	for _, c := range []struct {
		name   string
		policy NameConflict
		steps  []step
	}{
		{"cleaned", FirstWins, []step{{guest(1, "A1.example.org"), "192.0.2.11", "a1"}}},
		{"dropped", FirstWins, []step{{guest(1, "my_host"), "192.0.2.11", ""}}},
		{"first wins", FirstWins, []step{{guest(1, "a"), "192.0.2.11", "a"}, {guest(2, "a"), "192.0.2.12", ""}}},
		{"reject", Reject, []step{{guest(1, "a"), "192.0.2.11", "a"}, {guest(2, "A"), "192.0.2.12", ""}}},
		{"suffix", Suffix, []step{{guest(1, "a"), "192.0.2.11", "a"}, {guest(2, "a"), "192.0.2.12", "a-2"}, {guest(3, "a"), "192.0.2.13", "a-3"}, {guest(2, "a"), "192.0.2.12", "a-2"}}},
		{"kept without a word", FirstWins, []step{{guest(1, "a"), "192.0.2.11", "a"}, {guest(1, ""), "192.0.2.11", "a"}}},
		{"kept on the way to another address", FirstWins, []step{{guest(1, "a"), "192.0.2.11", "a"}, {guest(1, "a"), "192.0.2.12", "a"}}},
		{"changed, and free for others", FirstWins, []step{{guest(1, "a"), "192.0.2.11", "a"}, {guest(1, "b"), "192.0.2.11", "b"}, {guest(2, "a"), "192.0.2.12", "a"}}},
		{"reserved words", FirstWins, []step{{guest(1, "localhost"), "192.0.2.11", ""}, {guest(2, "WPAD"), "192.0.2.12", ""}, {guest(3, "hypervisor"), "192.0.2.13", ""}}},
		{"names of reservations", FirstWins, []step{{guest(1, "web"), "192.0.2.11", ""}, {guest(2, "www"), "192.0.2.12", ""}, {guest(9, "own"), "192.0.2.13", "web"}}},
		{"the name moves to the newest identity", FirstWins, []step{{guest(9, ""), "192.0.2.11", "web"}, {identified(9, "os", ""), "192.0.2.12", "web"}}},
		{"reserved by host name", FirstWins, []step{{guest(1, "HP1234"), "192.0.2.50", "printer"}, {guest(2, "hp1234"), "192.0.2.12", "hp1234"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.NameConflict = c.policy
			b := newBench(t, n)
			for i, s := range c.steps {
				l := b.lease(s.client, s.addr, 1000, i)
				if l.Name != s.want {
					t.Errorf("step %d: the name is %q, want %q", i, l.Name, s.want)
				}
				if addr, _, ok := b.AddrOf("lab", []byte(s.want), at(i)); s.want != "" && (!ok || addr != ip(s.addr)) {
					t.Errorf("step %d: %q is %v (%v)", i, s.want, addr, ok)
				}
			}
		})
	}
}

func TestANameEndsWithTheLease(t *testing.T) {
	b := newBench(t, labNetwork(20))
	b.lease(guest(1, "a"), "192.0.2.11", 100, 0)
	ch := must[Change](t)(b.Release("lab", guest(1, "a"), ip("192.0.2.11"), at(10)))
	if _, _, ok := b.AddrOf("lab", []byte("a"), at(10)); !ok {
		t.Error("the name is gone before the commit")
	}
	b.submit(ch)
	b.commit(10)
	if _, _, ok := b.AddrOf("lab", []byte("a"), at(10)); ok {
		t.Error("the name is there after the release")
	}
	if _, _, ok := b.NameOf("lab", ip("192.0.2.11"), at(10)); ok {
		t.Error("the address has a name after the release")
	}
	b.lease(guest(2, "a"), "192.0.2.12", 100, 20)
	if _, left, ok := b.AddrOf("lab", []byte("a"), at(119)); !ok || left != time.Second {
		t.Errorf("the name runs %v (%v)", left, ok)
	}
	if _, _, ok := b.AddrOf("lab", []byte("a"), at(120)); ok {
		t.Error("the name outlives the lease")
	}
	if l := b.lease(guest(3, "a"), "192.0.2.13", 100, 120); l.Name != "a" {
		t.Errorf("the next one gets %q", l.Name)
	}
}

func TestReleaseIsForTheHolder(t *testing.T) {
	b := newBench(t, labNetwork(20))
	b.lease(identified(1, "one", ""), "192.0.2.11", 100, 0)
	for name, c := range map[string]Client{"other hardware": identified(2, "one", ""), "other identity": identified(1, "two", ""), "stranger": guest(1, "")} {
		if _, err := b.Release("lab", c, ip("192.0.2.11"), at(1)); !errors.Is(err, ErrNotHolder) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.Decline("lab", c, ip("192.0.2.11"), at(1)); !errors.Is(err, ErrNotHolder) {
			t.Errorf("decline by %s: %v", name, err)
		}
	}
	must[Change](t)(b.ReleaseAddr("lab", ip("192.0.2.11"), at(1)))
	if _, err := b.Release("lab", identified(1, "one", ""), ip("192.0.2.11"), at(1)); !errors.Is(err, ErrNotHolder) {
		t.Errorf("after its release: %v", err)
	}
}

func TestQuarantine(t *testing.T) {
	b := newBench(t, labNetwork(17)) // 8 addresses: 2 may rest
	var rests []time.Duration
	clock := 0
	for range 3 {
		b.lease(guest(1, ""), "192.0.2.11", 100, clock)
		ch := must[Change](t)(b.Decline("lab", guest(1, ""), ip("192.0.2.11"), at(clock)))
		b.submit(ch)
		b.commit(clock)
		rest := ch.Lease.Expiry.Sub(at(clock))
		rests = append(rests, rest)
		if got, _ := b.offer(guest(1, ""), "192.0.2.11", clock); got == "192.0.2.11" {
			t.Error("it is offered again")
		}
		clock += int(rest.Seconds())
		b.commit(clock)
	}
	if diff := cmp.Diff([]time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute}, rests); diff != "" {
		t.Errorf("rests (-want +got):\n%s", diff)
	}
	for i := range 8 { // a client that declines everything
		l, _, err := b.Offer("lab", guest(2, ""), netip.Addr{}, at(clock))
		if err != nil {
			t.Fatal(i, err)
		}
		b.lease(guest(2, ""), l.Addr.String(), 100, clock)
		b.submit(must[Change](t)(b.Decline("lab", guest(2, ""), l.Addr, at(clock))))
		b.commit(clock)
	}
	b.commit(clock)
	if resting := b.networks["lab"].resting; resting != 2 {
		t.Errorf("%d of 8 addresses rest", resting)
	}
}

func TestFailedCommitTakesBackWhatBuildsOnIt(t *testing.T) {
	b := newBench(t, labNetwork(20))
	b.lease(guest(1, "a"), "192.0.2.11", 1000, 0)
	before := b.Leases("")
	b.broken = true
	release := must[Change](t)(b.Release("lab", guest(1, "a"), ip("192.0.2.11"), at(1)))
	first := b.submit(release)
	b.store.FailWith(func([]Lease) error {
		// While the release is being committed, others build on it.
		if len(b.waiting.groups) == 0 && first != nil {
			taken := b.bind(guest(2, "a"), "192.0.2.11", 100, 1)
			moved := b.bind(guest(1, "b"), "192.0.2.12", 100, 1)
			apart := b.bind(guest(3, "c"), "192.0.2.13", 100, 1)
			second, third, fourth := b.submit(taken), b.submit(moved), b.submit(apart)
			t.Cleanup(func() {
				if *second == nil || *third == nil {
					t.Error("what builds on a failed change was acknowledged")
				}
				if *fourth != nil {
					t.Errorf("what doesn't build on a failed change failed with it: %v", *fourth)
				}
			})
		}
		return errDisk
	})
	b.commit(1)
	if !errors.Is(*first, errDisk) {
		t.Errorf("the release: %v", *first)
	}
	if diff := cmp.Diff(before, b.Leases(""), sameAddr); diff != "" {
		t.Errorf("after the failure (-before +after):\n%s", diff)
	}
	if l, ok := b.ByClient("lab", guest(1, "").ID); !ok || l.Addr != ip("192.0.2.11") || l.State != Bound {
		t.Errorf("the client has %v", l)
	}
	b.store.FailWith(nil)
	b.commit(2)
	want := []string{
		"192.0.2.11 mac:52:54:00:00:00:01 bound a",
		"192.0.2.13 mac:52:54:00:00:00:03 bound c",
	}
	if diff := cmp.Diff(want, states(b.Leases(""))); diff != "" {
		t.Errorf("after the next commit (-want +got):\n%s", diff)
	}
}

func TestStoreErrEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		table := must[*Table](t)(NewTable(Config{Networks: []Network{labNetwork(20)}}, store, slog.New(slog.DiscardHandler)))
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _ = table.Run(ctx) }()
		store.FailWith(func([]Lease) error { return errDisk })
		ch := must[Change](t)(table.Bind("lab", guest(1, ""), ip("192.0.2.11"), time.Hour, time.Now()))
		verdict := make(chan error)
		table.Submit([]Change{ch}, func(err error) { verdict <- err })
		if err := <-verdict; !errors.Is(err, errDisk) {
			t.Errorf("the change: %v", err)
		}
		time.Sleep(time.Minute)
		if table.StoreErr() == nil {
			t.Error("StoreErr forgets while the store fails")
		}
		store.FailWith(nil)
		time.Sleep(time.Minute)
		if err := table.StoreErr(); err != nil {
			t.Errorf("StoreErr of a store that works: %v", err)
		}
		cancel()
		synctest.Wait()
		table.Submit([]Change{ch}, func(err error) {
			if err == nil {
				t.Error("a change is acknowledged after the end")
			}
		})
		table.Submit([]Change{ch}, nil)
	})
}

func TestLeasesExpireByTimer(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		table := must[*Table](t)(NewTable(Config{Networks: []Network{labNetwork(20)}}, store, slog.New(slog.DiscardHandler)))
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _ = table.Run(ctx) }()
		bind := func(i int, addr string, d time.Duration) {
			ch := must[Change](t)(table.Bind("lab", guest(i, "n"), ip(addr), d, time.Now()))
			table.Submit([]Change{ch}, nil)
		}
		bind(1, "192.0.2.11", 100*time.Second)
		bind(2, "192.0.2.12", Infinite)
		bind(3, "192.0.2.13", 150*time.Second)
		time.Sleep(90 * time.Second)
		bind(3, "192.0.2.13", 150*time.Second) // renewed
		for _, c := range []struct {
			wait time.Duration
			want []State
		}{
			{9*time.Second + 999*time.Millisecond, []State{Bound, Bound, Bound}},
			{time.Millisecond, []State{Expired, Bound, Bound}},
			{139 * time.Second, []State{Expired, Bound, Bound}},
			{time.Second, []State{Expired, Bound, Expired}},
			{365 * 24 * time.Hour, []State{Expired, Bound, Expired}},
		} {
			time.Sleep(c.wait)
			synctest.Wait()
			stored, _, _ := store.Load(ctx)
			for name, leases := range map[string][]Lease{"published": table.Leases("lab"), "stored": stored} {
				var got []State
				for _, l := range leases {
					got = append(got, l.State)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%v later, %s (-want +got):\n%s", c.wait, name, diff)
				}
			}
		}
		if l, ok := table.ByClient("lab", guest(1, "").ID); !ok || l.Addr != ip("192.0.2.11") || l.State != Expired {
			t.Errorf("the former lease is %v", l)
		}
		cancel()
		synctest.Wait()
	})
}

func TestConfigureKeepsLeases(t *testing.T) {
	n := labNetwork(20)
	b := newBench(t, n)
	b.lease(guest(1, "a"), "192.0.2.11", 1000, 0)
	b.lease(guest(2, "b"), "192.0.2.18", 1000, 0)
	n.Ranges = []Range{{ip("192.0.2.15"), ip("192.0.2.20")}}
	n.Reservations = []Reservation{{Name: "c", HWAddr: hw(3), Addr: ip("192.0.2.18")}}
	must[int](t)(0, b.Configure(Config{Networks: []Network{n}}, at(1)))
	b.check()
	if _, err := b.Bind("lab", guest(1, "a"), ip("192.0.2.11"), time.Hour, at(2)); !errors.Is(err, ErrOutOfPool) {
		t.Errorf("a renewal outside the pool: %v", err)
	}
	if _, err := b.Bind("lab", guest(2, "b"), ip("192.0.2.18"), time.Hour, at(2)); !errors.Is(err, ErrReserved) {
		t.Errorf("a renewal of what is reserved now: %v", err)
	}
	if got, choice := b.offer(guest(1, "a"), "", 2); choice == ChoseBinding {
		t.Errorf("offered %s (%s)", got, choice)
	}
	must[int](t)(0, b.Configure(Config{}, at(3)))
	b.check()
	if _, err := b.Bind("lab", guest(1, "a"), ip("192.0.2.16"), time.Hour, at(4)); !errors.Is(err, ErrUnknownNetwork) {
		t.Errorf("a network that is gone: %v", err)
	}
	want := []string{"192.0.2.11 mac:52:54:00:00:00:01 bound a", "192.0.2.18 mac:52:54:00:00:00:02 bound b"}
	if diff := cmp.Diff(want, states(b.Leases(""))); diff != "" {
		t.Errorf("leases (-want +got):\n%s", diff)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(n *Network){
		"no name":                    func(n *Network) { n.Name = "" },
		"not masked":                 func(n *Network) { n.Subnet = netip.MustParsePrefix("192.0.2.1/24") },
		"IPv6":                       func(n *Network) { n.Subnet = netip.MustParsePrefix("2001:db8::/64") },
		"gateway elsewhere":          func(n *Network) { n.Gateway = ip("198.51.100.1") },
		"range elsewhere":            func(n *Network) { n.Ranges[0].End = ip("198.51.100.1") },
		"range backwards":            func(n *Network) { n.Ranges[0].End = ip("192.0.2.5") },
		"ranges overlap":             func(n *Network) { n.Ranges = append(n.Ranges, Range{ip("192.0.2.12"), ip("192.0.2.13")}) },
		"the gateway is reserved":    func(n *Network) { n.Reservations = []Reservation{{Addr: n.Gateway}} },
		"one address for two":        func(n *Network) { n.Reservations = []Reservation{{Addr: ip("192.0.2.9")}, {Addr: ip("192.0.2.9")}} },
		"one hardware address twice": func(n *Network) { n.Reservations = []Reservation{{HWAddr: hw(1)}, {HWAddr: hw(1)}} },
		"one name twice": func(n *Network) {
			n.Reservations = []Reservation{{Name: "a"}, {Name: "b", Aliases: []string{"a"}}}
		},
		"not a label": func(n *Network) { n.Reservations = []Reservation{{Name: "A_b"}} },
	} {
		t.Run(name, func(t *testing.T) {
			n := labNetwork(20)
			spoil(&n)
			if _, err := NewTable(Config{Networks: []Network{n}}, NewMemory(), slog.New(slog.DiscardHandler)); err == nil {
				t.Error("accepted")
			}
		})
	}
}
