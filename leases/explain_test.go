package leases

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// snapshot is everything that a table remembers, in text. Records don't change, so their addresses stand for them.
func (b *bench) snapshot() string {
	t := b.Table
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "seq %d, %d late, %d timers, %d waiting\n", t.seq, len(t.late), len(t.timers), t.batches)
	for _, n := range t.networks {
		fmt.Fprintf(&out, "%s: %d blank, %d rest\n", n.name, n.blank, n.resting)
		for _, addr := range slices.Sorted(maps.Keys(n.slots)) {
			s := n.slots[addr]
			fmt.Fprintf(&out, "%v cur %p committed %p hold %p last %p timer %d strikes %d %v\n", toAddr(addr), s.cur, s.committed, s.hold, s.last, s.heapAt, s.strikes, s.contested)
		}
		all := maps.Clone(n.settled)
		for id, c := range n.clients {
			all[id] = c.slot
		}
		for _, id := range slices.Sorted(maps.Keys(all)) {
			c := n.client(id)
			fmt.Fprintf(&out, "%v slot %p hold %p offer %p last %p\n", id, c.slot, c.hold, c.offer, c.last)
		}
		for _, name := range slices.Sorted(maps.Keys(n.names)) {
			c := n.names[name]
			fmt.Fprintf(&out, "%s owner %p published %p last %p\n", name, c.owner, c.published, c.last)
		}
		for _, l := range []*list{&n.free, &n.held, &n.heldOther} {
			for s := l.front; s != nil; s = s.next {
				fmt.Fprintf(&out, " %v", toAddr(s.addr))
			}
			out.WriteString(" .\n")
		}
	}
	return out.String()
}

// endWhatHasRunOut does what every decision does first.
func (b *bench) endWhatHasRunOut(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sec := b.seconds(now)
	b.expire(sec, expireAll)
	for _, n := range b.networks {
		n.expireHolds(sec)
	}
}

// offerAsExplained makes an offer that must be the one that was foretold, by questions that leave no trace if settled.
func (b *bench) offerAsExplained(c Client, requested netip.Addr, now time.Time, settled bool) error {
	before := ""
	if settled {
		b.endWhatHasRunOut(now)
		before = b.snapshot()
	}
	lease, choice, refused := b.WouldOffer("lab", c, requested, now)
	if settled {
		explained, err := b.Explain("lab", c, now)
		if err != nil {
			return err
		}
		_ = b.Allowed("lab", c, requested, now)
		if diff := cmp.Diff(before, b.snapshot()); diff != "" {
			return fmt.Errorf("asking changed the table (-before +after):\n%s", diff)
		}
		if err := plausible(explained, lease, choice); err != nil {
			return err
		}
	}
	got, why, err := b.Offer("lab", c, requested, now)
	if got != lease || why != choice || !errors.Is(err, refused) {
		return fmt.Errorf("foretold %+v (%s, %v)\noffered %+v (%s, %v)", lease, choice, refused, got, why, err)
	}
	return nil
}

// plausible holds an explanation against the offer that it explains.
func plausible(e Explanation, offer Lease, choice Choice) error {
	for c, want := range map[Choice]netip.Addr{
		ChoseReservation: e.Reservation.Addr, ChoseBinding: e.Running.Addr, ChoseHold: e.Held.Addr, ChoseFormer: e.Former.Addr,
	} {
		if c == choice && offer.Addr != want {
			return fmt.Errorf("%s is %v, explained by %+v", choice, offer.Addr, e)
		}
	}
	switch p := e.Pool; {
	case e.Obstacle != nil && (e.MatchedBy == MatchNone || choice == ChoseReservation || !e.ReservedFor.Addr.IsValid()):
		return fmt.Errorf("%w, but %s is offered: %+v", e.Obstacle, choice, e)
	case p.Leased+p.Offered+p.Quarantined > p.Addresses:
		return fmt.Errorf("more than all addresses are used: %+v", p)
	case choice == "" && p.Leased+p.Quarantined < p.Addresses:
		return fmt.Errorf("exhausted with %+v", p)
	}
	return nil
}

func TestExplain(t *testing.T) {
	n := labNetwork(13)
	n.Reservations = []Reservation{
		{Name: "web", HWAddr: hw(1), Addr: ip("192.0.2.200"), Aliases: []string{"www"}},
		{Name: "db", ID: ClientIDFromOption([]byte("id2")), Addr: ip("192.0.2.12")},
		{Name: "byname", Hostname: "byname", Addr: ip("192.0.2.201")},
	}
	b := newBench(t, n)
	b.lease(guest(4, ""), "192.0.2.10", 600, 0)
	b.lease(guest(5, ""), "192.0.2.11", 60, 0)
	b.lease(guest(6, "byname"), "192.0.2.201", 600, 0)
	declined := guest(7, "")
	b.lease(declined, "192.0.2.13", 600, 0)
	verdict := b.submit(must[Change](t)(b.Decline("lab", declined, ip("192.0.2.13"), at(1))))
	b.commit(1)
	if *verdict != nil {
		t.Fatal(*verdict)
	}
	if _, _, err := b.Offer("lab", guest(8, ""), netip.Addr{}, at(61)); err != nil {
		t.Fatal(err)
	}
	const now = 61
	explain := func(c Client) Explanation { return must[Explanation](t)(b.Explain("lab", c, at(now))) }

	plain := explain(guest(4, ""))
	if plain.MatchedBy != MatchNone || plain.Running.Addr != ip("192.0.2.10") || plain.Former.Addr.IsValid() || plain.Held.Addr.IsValid() {
		t.Errorf("a lease: %+v", plain)
	}
	if want := (PoolUse{Addresses: 3, Leased: 1, Offered: 1, Quarantined: 1}); plain.Pool != want {
		t.Errorf("the pool: %+v, want %+v", plain.Pool, want)
	}
	if len(plain.Quarantined) != 1 || plain.Quarantined[0].Addr != ip("192.0.2.13") || plain.Quarantined[0].HWAddr != hw(7) {
		t.Errorf("the quarantine: %+v", plain.Quarantined)
	}
	if e := explain(guest(5, "")); e.Former.Addr != ip("192.0.2.11") || e.Former.State != Expired || e.Running.Addr.IsValid() {
		t.Errorf("a lease that ended: %+v", e)
	}
	if e := explain(guest(8, "")); !e.Held.Addr.IsValid() || e.Held.State != Offered {
		t.Errorf("an offer: %+v", e)
	}
	if e := explain(guest(1, "")); e.MatchedBy != MatchHWAddr || e.Reservation.Name != "web" || e.Obstacle != nil {
		t.Errorf("a reservation by MAC: %+v", e)
	}
	if e := explain(identified(9, "id2", "")); e.MatchedBy != MatchClientID || e.Reservation.Name != "db" {
		t.Errorf("a reservation by client identifier: %+v", e)
	}
	if e := explain(guest(10, "ByName.example.org")); e.MatchedBy != MatchHostname || !errors.Is(e.Obstacle, ErrTaken) || e.ReservedFor.HWAddr != hw(6) {
		t.Errorf("a reservation by name that another client has: %+v", e)
	}
	if e := explain(guest(6, "byname")); e.MatchedBy != MatchHostname || e.Obstacle != nil || e.Running.Addr != ip("192.0.2.201") {
		t.Errorf("a reservation by name: %+v", e)
	}
	if _, err := b.Explain("nowhere", guest(1, ""), at(now)); !errors.Is(err, ErrUnknownNetwork) {
		t.Errorf("no such network: %v", err)
	}
}

func TestExplainName(t *testing.T) {
	n := labNetwork(13)
	n.Reservations = []Reservation{{Name: "web", HWAddr: hw(1), Addr: ip("192.0.2.200")}}
	n.ReservedNames = []string{"router"}
	b := newBench(t, n)
	b.lease(guest(4, "vm"), "192.0.2.10", 600, 0)
	for _, tt := range []struct {
		name   string
		client Client
		want   NameObstacle
		holder string
	}{
		{"asks for none", guest(5, ""), "", ""},
		{"free", guest(5, "mine"), "", ""},
		{"its own", guest(4, "vm"), "", ""},
		{"taken", guest(5, "VM.example.org"), NameTaken, "192.0.2.10"},
		{"a reservation's", guest(5, "web"), NameReserved, ""},
		{"the reservation's own", guest(1, "web"), "", ""},
		{"the network's", guest(5, "router"), NameReserved, ""},
		{"no label", guest(5, "a_b"), NameInvalid, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := must[Explanation](t)(b.Explain("lab", tt.client, at(1)))
			holder := ""
			if e.NameHolder.Addr.IsValid() {
				holder = e.NameHolder.Addr.String()
			}
			if e.NameObstacle != tt.want || holder != tt.holder {
				t.Errorf("%q held by %q, want %q and %q", e.NameObstacle, holder, tt.want, tt.holder)
			}
		})
	}
}
