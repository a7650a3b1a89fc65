package leases

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// conflict commits that by uses addr.
func (b *bench) conflict(addr string, by HWAddr, seconds int) Lease {
	b.t.Helper()
	ch, err := b.Conflict("lab", ip(addr), by, at(seconds))
	if err != nil {
		b.t.Fatalf("conflict at %s: %v", addr, err)
	}
	verdict := b.submit(ch)
	b.commit(seconds)
	if *verdict != nil {
		b.t.Fatalf("commit: %v", *verdict)
	}
	return ch.Lease
}

func TestAConflictRestsAndNamesTheMachine(t *testing.T) {
	b := newBench(t, labNetwork(199))
	squatter := hw(99)
	got := b.conflict("192.0.2.40", squatter, 0)
	want := Lease{
		Network: "lab", Addr: ip("192.0.2.40"), ID: ClientIDFromARP(squatter), HWType: 1, HWAddr: squatter,
		State: Declined, Start: epoch, LastSeen: epoch, Expiry: at(600),
	}
	if diff := cmp.Diff(want, got, sameAddr); diff != "" {
		t.Errorf("the change (-want +got):\n%s", diff)
	}
	stored, _, _ := b.store.Load(context.Background())
	if diff := cmp.Diff([]Lease{want}, stored, sameAddr); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if _, err := b.Bind("lab", guest(1, ""), ip("192.0.2.40"), time.Hour, at(1)); !errors.Is(err, ErrQuarantined) {
		t.Errorf("bound to another: %v", err)
	}
	if _, err := b.Conflict("lab", ip("192.0.2.40"), hw(98), at(1)); !errors.Is(err, ErrQuarantined) {
		t.Errorf("a conflict at rest: %v", err)
	}
	// The quarantine survives a restart, with its length, and grows.
	again := newBench(t, labNetwork(199), stored...)
	if _, err := again.Bind("lab", guest(1, ""), ip("192.0.2.40"), time.Hour, at(599)); !errors.Is(err, ErrQuarantined) {
		t.Errorf("after a restart: %v", err)
	}
	again.commit(601)
	if l := again.conflict("192.0.2.40", squatter, 602); !l.Expiry.Equal(at(602 + 1200)) {
		t.Errorf("the second conflict rests until %v", l.Expiry)
	}
}

// TestTheMachineThatUsesAnAddressMayHaveIt: its own ARP is no reason to keep it from its address.
func TestTheMachineThatUsesAnAddressMayHaveIt(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*Network)
	}{
		{"of the pool", func(*Network) {}},
		{"reserved", func(n *Network) {
			n.Reservations = []Reservation{{Name: "web", HWAddr: hw(5), Addr: ip("192.0.2.40")}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := labNetwork(199)
			c.make(&n)
			b := newBench(t, n)
			b.conflict("192.0.2.40", hw(5), 0)
			if err := b.Allowed("lab", guest(6, ""), ip("192.0.2.40"), at(1)); err == nil {
				t.Error("another client may have it")
			}
			l, _, err := b.Offer("lab", guest(5, ""), ip("192.0.2.40"), at(1))
			if err != nil || l.Addr != ip("192.0.2.40") {
				t.Errorf("offered %v, %v", l.Addr, err)
			}
			if l := b.lease(guest(5, ""), "192.0.2.40", 3600, 2); l.State != Bound {
				t.Errorf("leased %+v", l)
			}
		})
	}
}

// TestADeclinedAddressIsNobodys: a client that found its address in use does not get it back, other than the machine that
// a conflict names.
func TestADeclinedAddressIsNobodys(t *testing.T) {
	b := newBench(t, labNetwork(199))
	b.lease(guest(1, ""), "192.0.2.40", 3600, 0)
	if ch, err := b.Decline("lab", guest(1, ""), ip("192.0.2.40"), at(1)); err != nil {
		t.Fatal(err)
	} else {
		b.submit(ch)
	}
	b.commit(1)
	if _, err := b.Bind("lab", guest(1, ""), ip("192.0.2.40"), time.Hour, at(2)); !errors.Is(err, ErrQuarantined) {
		t.Errorf("bound again: %v", err)
	}
}

func TestConflictRefuses(t *testing.T) {
	b := newBench(t, labNetwork(199))
	b.lease(guest(1, ""), "192.0.2.40", 3600, 0)
	for _, c := range []struct {
		name, network, addr string
		by                  HWAddr
		want                error
	}{
		{"leased", "lab", "192.0.2.40", hw(9), ErrTaken},
		{"the gateway", "lab", "192.0.2.1", hw(9), ErrOutOfPool},
		{"off the subnet", "lab", "198.51.100.9", hw(9), ErrOutOfPool},
		{"no address", "lab", "", hw(9), ErrOutOfPool},
		{"another network", "other", "192.0.2.41", hw(9), ErrUnknownNetwork},
		{"by nobody", "lab", "192.0.2.41", "", errNoIdentity},
	} {
		if _, err := b.Conflict(c.network, ip(c.addr), c.by, at(1)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := b.consistent(); err != nil {
		t.Error(err)
	}
}

// TestConflictsDoNotStarveThePool: beyond the capped share nothing rests any more, and every newcomer is offered something.
func TestConflictsDoNotStarveThePool(t *testing.T) {
	b := newBench(t, labNetwork(209)) // 200 addresses
	resting := 0
	for i := range 200 {
		l := b.conflict(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}).String(), hw(99), 0)
		if l.Expiry.After(at(0)) {
			resting++
		}
	}
	if resting != 50 {
		t.Errorf("%d addresses rest, want a quarter of the pool", resting)
	}
	for i := range 150 {
		if _, _, err := b.Offer("lab", guest(i, ""), ip(""), at(1)); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
}

// TestAConflictTakesTheOfferBack: the client that was offered the address gets another, and gets the offer back if the
// conflict can't be stored.
func TestAConflictTakesTheOfferBack(t *testing.T) {
	for _, broken := range []bool{false, true} {
		b := newBench(t, labNetwork(199))
		offered, _, err := b.Offer("lab", guest(1, ""), ip("192.0.2.40"), at(0))
		if err != nil || offered.Addr != ip("192.0.2.40") {
			t.Fatalf("offered %v, %v", offered.Addr, err)
		}
		ch, err := b.Conflict("lab", offered.Addr, hw(99), at(1))
		if err != nil {
			t.Fatal(err)
		}
		other, _, err := b.Offer("lab", guest(2, ""), offered.Addr, at(1))
		if err != nil || other.Addr == offered.Addr {
			t.Errorf("another client is offered %v, %v", other.Addr, err)
		}
		b.broken = broken
		b.submit(ch)
		b.commit(1)
		again, choice, err := b.Offer("lab", guest(1, ""), ip(""), at(2))
		if err != nil || (again.Addr == offered.Addr) != broken {
			t.Errorf("broken %v: offered %v (%s), %v", broken, again.Addr, choice, err)
		}
	}
}

func TestCandidates(t *testing.T) {
	n := labNetwork(19)
	n.Reservations = []Reservation{{Name: "web", HWAddr: hw(5), Addr: ip("192.0.2.12")}}
	b := newBench(t, n)
	b.lease(guest(1, ""), "192.0.2.13", 3600, 0)
	b.conflict("192.0.2.14", hw(99), 0)
	if _, _, err := b.Offer("lab", guest(2, ""), ip("192.0.2.15"), at(0)); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(b.Candidates(nil, "lab", 64, at(1)))
	if want := "[192.0.2.10 192.0.2.11 192.0.2.16 192.0.2.17 192.0.2.18 192.0.2.19]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := b.Candidates(nil, "other", 64, at(1)); got != nil {
		t.Errorf("of an unknown network: %v", got)
	}
}

// TestCandidatesOfALargePool are enough for whoever comes next: whatever a newcomer is offered is one of them.
func TestCandidatesOfALargePool(t *testing.T) {
	n := Network{
		Name: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/16"), Gateway: ip("10.0.0.1"),
		Ranges: []Range{{ip("10.0.1.0"), ip("10.0.200.255")}},
	}
	b := newBench(t, n)
	for i := range 5000 {
		if i%50 == 0 {
			known := make(map[netip.Addr]bool)
			for _, a := range b.Candidates(nil, "lab", 64, at(0)) {
				known[a] = true
			}
			if len(known) > derivedWindow+2*64 {
				t.Fatalf("%d candidates", len(known))
			}
			for j := range 50 {
				c := guest(i+j, "")
				l, choice, err := b.Offer("lab", c, ip(""), at(0))
				if err != nil || !known[l.Addr] {
					t.Fatalf("client %d is offered %v (%s), which is no candidate, %v", i+j, l.Addr, choice, err)
				}
			}
		}
		l, ok := b.ByClient("lab", guest(i, "").ID)
		if !ok {
			t.Fatal("no offer")
		}
		b.Submit([]Change{b.bind(guest(i, ""), l.Addr.String(), 3600, 0)}, nil)
	}
	b.commit(0)
}
