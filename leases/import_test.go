package leases

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// theirs is a lease of another server that runs from and to so many seconds after epoch.
func theirs(c Client, addr string, from, to int) Imported {
	return Imported{Lease: Lease{
		Addr: ip(addr), ID: c.ID, HWType: c.HWType, HWAddr: c.HWAddr, RequestedName: c.RequestedName, Name: c.RequestedName, VendorClass: c.VendorClass,
		State: Bound, Start: at(from), LastSeen: at(from), Expiry: at(to),
	}}
}

func (in Imported) as(s State) Imported { in.Lease.State = s; return in }

// verdict is a verdict in short.
func (v ImportVerdict) String() string {
	text := [...]string{ImportTaken: "taken", ImportFormer: "former", ImportUnchanged: "unchanged", ImportSkipped: "skipped", ImportRefused: "refused"}[v.Outcome]
	if v.Lease.Name != "" {
		text += " as " + v.Lease.Name
	}
	if v.Nameless != "" {
		text += " not as " + v.Nameless
	}
	if v.Err != nil {
		text += ": " + v.Err.Error()
	}
	return text
}

// take imports at epoch plus seconds, commits, and returns the verdicts.
func (b *bench) take(seconds int, in ...Imported) (verdicts []string) {
	b.t.Helper()
	found, changes, err := b.Import("lab", in, at(seconds))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, v := range found {
		verdicts = append(verdicts, v.String())
	}
	b.check()
	verdict := b.submit(changes...)
	b.commit(seconds)
	if *verdict != nil {
		b.t.Fatal(*verdict)
	}
	return verdicts
}

func TestImport(t *testing.T) {
	rom := identified(1, "rom", "")
	for _, test := range []struct {
		name     string
		policy   NameConflict
		before   func(b *bench)
		in       []Imported
		verdicts []string
		then     []string // the leases, in short
	}{
		{
			name:     "a running lease",
			in:       []Imported{theirs(guest(1, "VM1.example.org"), "192.0.2.20", -50, 100)},
			verdicts: []string{"taken as vm1"},
			then:     []string{"192.0.2.20 mac:52:54:00:00:00:01 bound vm1"},
		},
		{
			name: "in the wrong place",
			in: []Imported{
				theirs(guest(1, ""), "198.51.100.1", 0, 100), theirs(guest(1, ""), "192.0.2.1", 0, 100), theirs(guest(1, ""), "192.0.2.255", 0, 100),
				theirs(guest(1, ""), "192.0.2.99", 0, 100), theirs(guest(1, ""), "192.0.2.12", 0, 100), theirs(guest(7, ""), "192.0.2.20", 0, 100),
				theirs(Client{}, "192.0.2.20", 0, 100), theirs(guest(1, ""), "192.0.2.20", 0, 1<<32+100),
			},
			verdicts: []string{
				"refused: the address is not in the pool: it is outside 192.0.2.0/24",
				"refused: the address is not in the pool: it is the network's own",
				"refused: the address is not in the pool: it is that of the subnet itself, or its broadcast address",
				"refused: the address is not in the pool: no range has it; widen one, or reserve the address for the client",
				"refused: the address is reserved for another client: web",
				"refused: the client has a reservation at another address, 192.0.2.12",
				"refused: the client has no identity",
				"refused: no lease lasts until 2162-02-08",
			},
		},
		{
			name:     "by a reservation, outside the ranges, with its name",
			in:       []Imported{theirs(guest(7, "other"), "192.0.2.12", 0, 100)},
			verdicts: []string{"taken as web"},
			then:     []string{"192.0.2.12 mac:52:54:00:00:00:07 bound web"},
		},
		{
			name: "ours win",
			before: func(b *bench) {
				b.lease(guest(1, "vm1"), "192.0.2.20", 100, 0)
				b.lease(guest(2, "vm2"), "192.0.2.21", 100, 0)
				b.submit(must[Change](b.t)(b.Decline("lab", guest(2, ""), ip("192.0.2.21"), at(0))))
			},
			in: []Imported{
				theirs(guest(3, "vm3"), "192.0.2.20", 0, 200), theirs(guest(1, "vm1"), "192.0.2.22", 0, 200),
				theirs(guest(3, "vm3"), "192.0.2.21", 0, 200), theirs(guest(3, "vm1"), "192.0.2.23", 0, 200),
			},
			verdicts: []string{
				"refused: another client has the address: 52:54:00:00:00:01 (mac:52:54:00:00:00:01)", "refused: its client has 192.0.2.20 here",
				"refused: the address was declined and rests", "taken not as vm1",
			},
			then: []string{
				"192.0.2.20 mac:52:54:00:00:00:01 bound vm1", "192.0.2.21 mac:52:54:00:00:00:02 declined ", "192.0.2.23 mac:52:54:00:00:00:03 bound ",
			},
		},
		{
			name:     "the later end counts",
			before:   func(b *bench) { b.lease(guest(1, "vm1"), "192.0.2.20", 100, 0) },
			in:       []Imported{theirs(guest(1, "x"), "192.0.2.20", 0, 90), theirs(guest(1, "x"), "192.0.2.20", 0, 100), theirs(guest(1, "x"), "192.0.2.20", 0, 200)},
			verdicts: []string{"unchanged", "unchanged", "taken as vm1"},
			then:     []string{"192.0.2.20 mac:52:54:00:00:00:01 bound vm1"},
		},
		{
			name: "offered a moment ago",
			before: func(b *bench) {
				must[Lease](b.t)(firstOf(b.Offer("lab", guest(1, ""), ip("192.0.2.20"), at(9))))
			},
			in:       []Imported{theirs(guest(2, ""), "192.0.2.20", 0, 90), theirs(guest(1, ""), "192.0.2.20", 0, 90)},
			verdicts: []string{"refused: another client has the address", "taken"},
			then:     []string{"192.0.2.20 mac:52:54:00:00:00:01 bound "},
		},
		{
			name:   "ended leases",
			before: func(b *bench) { b.lease(guest(5, ""), "192.0.2.25", 100, 0) },
			in: []Imported{
				theirs(guest(1, "vm1"), "192.0.2.20", -90, -50), theirs(guest(1, "vm1"), "192.0.2.21", -50, -10), theirs(guest(1, "vm1"), "192.0.2.22", -90, -60),
				theirs(guest(2, "vm2"), "192.0.2.20", -90, 100).as(Released), theirs(guest(2, "vm2"), "192.0.2.25", -90, 0).as(Expired),
				theirs(guest(2, "vm2"), "192.0.2.23", -90, 100).as(Released), theirs(guest(5, "vm5"), "192.0.2.24", -90, -1).as(Expired),
				theirs(guest(6, ""), "198.51.100.1", -90, -1).as(Expired), theirs(guest(6, ""), "192.0.2.12", -90, -1).as(Expired),
			},
			verdicts: []string{
				"former", "former", "skipped: its client has another address here", "skipped: the address has been given out here since",
				"skipped: the address has been given out here since", "former", "skipped: its client has another address here",
				"skipped: the address isn't one for everybody here", "skipped: the address isn't one for everybody here",
			},
			then: []string{
				"192.0.2.20 mac:52:54:00:00:00:01 expired ", "192.0.2.21 mac:52:54:00:00:00:01 expired ", "192.0.2.23 mac:52:54:00:00:00:02 released ",
				"192.0.2.25 mac:52:54:00:00:00:05 bound ",
			},
		},
		{
			name: "resting addresses",
			in: []Imported{
				theirs(Client{ID: ClientIDFromARP(hw(9)), HWType: 1, HWAddr: hw(9)}, "192.0.2.20", 0, 1<<20).as(Declined),
				theirs(guest(1, ""), "192.0.2.21", -90, -1).as(Declined),
				theirs(guest(1, ""), "192.0.2.22", 0, 1000).as(Declined), theirs(guest(2, ""), "192.0.2.22", 0, 1000),
				theirs(guest(9, ""), "192.0.2.20", 0, 1000),
			},
			verdicts: []string{"taken", "skipped: it rests no longer", "taken", "refused: the address was declined and rests", "taken"},
			then:     []string{"192.0.2.20 mac:52:54:00:00:00:09 bound ", "192.0.2.22 mac:52:54:00:00:00:01 declined "},
		},
		{
			name: "clones of one image",
			in: []Imported{
				cloneOf(theirs(rom, "192.0.2.20", 0, 100), 1), cloneOf(theirs(rom, "192.0.2.21", 0, 100), 2), cloneOf(theirs(rom, "192.0.2.21", 0, 100), 2),
				theirs(rom, "192.0.2.22", 0, 100),
			},
			verdicts: []string{"taken", "taken", "unchanged", "refused: its client has 192.0.2.20 here"},
			then:     []string{"192.0.2.20 72:6f:6d bound ", "192.0.2.21 72:6f:6d:52:54:00:00:00:02 bound "},
		},
		{
			name:   "names with suffixes stay, if they can",
			policy: Suffix,
			in: []Imported{
				called(theirs(guest(1, "vm"), "192.0.2.20", 0, 100), "vm-2"), called(theirs(guest(2, "vm"), "192.0.2.21", 0, 100), "vm-2"),
				theirs(guest(3, "hypervisor"), "192.0.2.22", 0, 100), theirs(guest(4, "no name"), "192.0.2.23", 0, 100),
			},
			verdicts: []string{"taken as vm-2", "taken as vm", "taken not as hypervisor", "taken"},
			then: []string{
				"192.0.2.20 mac:52:54:00:00:00:01 bound vm-2", "192.0.2.21 mac:52:54:00:00:00:02 bound vm", "192.0.2.22 mac:52:54:00:00:00:03 bound ",
				"192.0.2.23 mac:52:54:00:00:00:04 bound ",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := labNetwork(60)
			n.NameConflict = test.policy
			n.Reservations = []Reservation{{Name: "web", HWAddr: hw(7), Addr: ip("192.0.2.12")}}
			n.Ranges = []Range{{ip("192.0.2.20"), ip("192.0.2.60")}}
			b := newBench(t, n)
			if test.before != nil {
				test.before(b)
			}
			if diff := cmp.Diff(test.verdicts, b.take(10, test.in...)); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.then, states(b.Leases("lab"))); diff != "" {
				t.Errorf("leases (-want +got):\n%s", diff)
			}
			// Once more changes nothing.
			before := b.Leases("lab")
			for _, v := range b.take(10, test.in...) {
				if strings.HasPrefix(v, "taken") || strings.HasPrefix(v, "former") {
					t.Errorf("imported again: %s", v)
				}
			}
			if diff := cmp.Diff(before, b.Leases("lab"), sameAddr); diff != "" {
				t.Errorf("the second import changes (-before +after):\n%s", diff)
			}
		})
	}
}

func firstOf[A, B any](a A, _ B, err error) (A, error) { return a, err }

func cloneOf(in Imported, i int) Imported {
	in.Lease.HWAddr = hw(i)
	in.Clone = ClientIDFromOption([]byte("rom" + string(hw(i))))
	return in
}

func called(in Imported, name string) Imported { in.Lease.Name = name; return in }

// TestImportKeepsTheTimes is about the lease itself: when it began and ends, and that nobody is heard of in the future.
func TestImportKeepsTheTimes(t *testing.T) {
	b := newBench(t, labNetwork(60))
	forEver := theirs(guest(2, ""), "192.0.2.21", 0, 0)
	forEver.Lease.Expiry, forEver.Lease.Start, forEver.Lease.LastSeen = time.Time{}, time.Time{}, time.Time{}
	b.take(10, theirs(guest(1, ""), "192.0.2.20", -50, 100), forEver, theirs(guest(3, ""), "192.0.2.22", 50, 100))
	for i, want := range []struct{ start, seen, expiry time.Time }{
		{at(-50), at(-50), at(100)}, {at(10), at(10), time.Time{}}, {at(10), at(10), at(100)},
	} {
		l := b.Leases("lab")[i]
		if !l.Start.Equal(want.start) || !l.LastSeen.Equal(want.seen) || !l.Expiry.Equal(want.expiry) {
			t.Errorf("%v: %v, %v to %v; want %+v", l.Addr, l.Start, l.LastSeen, l.Expiry, want)
		}
	}
	b.commit(101)
	if got := states(b.Leases("lab"))[0]; got != "192.0.2.20 mac:52:54:00:00:00:01 expired " {
		t.Errorf("after its end: %s", got)
	}
}

// TestFailedImport: what isn't durable isn't there.
func TestFailedImport(t *testing.T) {
	b := newBench(t, labNetwork(60))
	b.lease(guest(9, "nine"), "192.0.2.29", 50, 0)
	before := b.Leases("lab")
	in := []Imported{
		theirs(guest(1, "vm1"), "192.0.2.20", 0, 100), theirs(guest(9, ""), "192.0.2.29", 0, 100), theirs(guest(2, ""), "192.0.2.21", -9, -1),
		theirs(guest(3, ""), "192.0.2.22", 0, 100).as(Declined),
	}
	_, changes, err := b.Import("lab", in, at(1))
	if err != nil || len(changes) != 4 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	b.broken = true
	verdict := b.submit(changes...)
	b.commit(1)
	if !errors.Is(*verdict, errDisk) {
		t.Errorf("the import says %v", *verdict)
	}
	if diff := cmp.Diff(before, b.Leases("lab"), sameAddr); diff != "" {
		t.Errorf("a failed import leaves (-before +after):\n%s", diff)
	}
	b.broken = false
	if got := b.take(2, in...); got[0] != "taken as vm1" || got[2] != "former" {
		t.Errorf("after the failure: %v", got)
	}
}

func TestImportOfTooMany(t *testing.T) {
	b := newBench(t, labNetwork(60))
	if _, _, err := b.Import("lab", make([]Imported, ImportMost+1), at(0)); err == nil {
		t.Error("no limit")
	}
	if _, _, err := b.Import("dmz", nil, at(0)); !errors.Is(err, ErrUnknownNetwork) {
		t.Errorf("an unknown network: %v", err)
	}
}

// TestImportFitsTheRedoLog: imports of the largest leases go the fast way, too.
func TestImportFitsTheRedoLog(t *testing.T) {
	long := strings.Repeat("x", maxText)
	one := appendRedo(nil, []Lease{{
		Network: strings.Repeat("n", 63), Addr: ip("192.0.2.1"), ID: ClientID(strings.Repeat("i", 60)), HWAddr: hw(1), Name: strings.Repeat("n", 63), State: Bound,
		Start: at(0), Expiry: at(0), LastSeen: at(0), RequestedName: strings.Repeat("n", 63), VendorClass: long[:64],
	}})
	if ImportMost*len(one) > 1<<20 {
		t.Errorf("%d leases of %d bytes are more than the log takes", ImportMost, len(one))
	}
}

// importSome imports a few leases of random clients, running and ended.
func (w *walk) importSome() []Change {
	var in []Imported
	for range w.random.IntN(4) {
		one := theirs(w.anyClient(), w.anyAddr().String(), w.clock, w.clock-50+w.random.IntN(300)).as([]State{Bound, Bound, Declined, Expired, Released}[w.random.IntN(5)])
		if w.random.IntN(2) == 0 {
			one.Clone = ClientIDFromOption([]byte("clone" + string(one.Lease.HWAddr)))
		}
		in = append(in, one)
	}
	_, changes, err := w.Import("lab", in, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return changes
}
