package observe

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestTable(t *testing.T) {
	tab := newTable()
	tab.open("tap0")
	tab.open("tap1")
	tab.seen("tap0", sighting{kind: asks, mac: macA, xid: 7, hostname: "web"}, noon)
	tab.given(sighting{kind: given, mac: macA, xid: 7, addr: ip("192.0.2.10"), lifetime: time.Hour}, noon)
	tab.given(sighting{kind: given, mac: macA, xid: 8, addr: ip("192.0.2.66")}, noon) // nobody has asked
	tab.given(sighting{kind: given, mac: macB, xid: 7, addr: ip("192.0.2.66")}, noon)
	tab.seen("tap1", sighting{kind: given, mac: macA, xid: 7, addr: ip("192.0.2.66")}, noon) // a guest is no server
	later := noon.Add(time.Minute)
	tab.seen("tap0", sighting{kind: uses, mac: macA, addr: ip("192.0.2.10")}, later)
	tab.seen("tap1", sighting{kind: uses, mac: macB, addr: ip("192.0.2.9")}, later)
	tab.seen("tap9", sighting{kind: uses, mac: macB, addr: ip("192.0.2.11")}, later) // no such port
	a := Guest{"tap0", macA, ip("192.0.2.10"), "web", noon.Add(time.Hour), noon, later}
	b := Guest{"tap1", macB, ip("192.0.2.9"), "", time.Time{}, later, later}
	check := func(now time.Time, want ...Guest) {
		t.Helper()
		if diff := cmp.Diff(want, tab.guests(now), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check(later, b, a)
	tab.close("tap1")
	check(later, a)
	check(later.Add(forgetAfter+time.Second), []Guest(nil)...)
	check(later, []Guest(nil)...) // it isn't remembered again
}

// What the uplink hears may be read before what the port hears.
func TestAnAnswerBeforeItsQuestion(t *testing.T) {
	for _, c := range []struct {
		name  string
		xid   uint32
		after time.Duration
		want  time.Time
	}{
		{"soon after", 7, 10 * time.Millisecond, noon.Add(time.Hour)},
		{"another's question", 8, 10 * time.Millisecond, time.Time{}},
		{"too late", 7, earlyFor, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTable()
			tab.open("tap0")
			tab.given(sighting{kind: given, mac: macA, xid: 7, addr: ip("192.0.2.10"), lifetime: time.Hour}, noon)
			asked := noon.Add(c.after)
			tab.seen("tap0", sighting{kind: asks, mac: macA, xid: c.xid, hostname: "web"}, asked)
			tab.seen("tap0", sighting{kind: uses, mac: macA, addr: ip("192.0.2.10")}, asked)
			if guests := tab.guests(asked); len(guests) != 1 || !guests[0].Expires.Equal(c.want) || guests[0].Hostname != "web" {
				t.Errorf("seen are %+v, want one until %v", guests, c.want)
			}
		})
	}
	tab := newTable()
	for i := range 10 * share {
		tab.given(sighting{kind: given, mac: [6]byte{0x52, 0x54, 0, 0, byte(i >> 8), byte(i)}}, noon.Add(time.Duration(i)))
	}
	if len(tab.early) != share {
		t.Errorf("%d answers wait", len(tab.early))
	}
}

// A port that shows more than its share loses its own oldest, and takes nothing from others.
func TestPortsHaveShares(t *testing.T) {
	tab := newTable()
	tab.open("quiet")
	tab.open("hostile")
	tab.seen("quiet", sighting{kind: asks, mac: macA, hostname: "web"}, noon)
	tab.seen("quiet", sighting{kind: uses, mac: macA, addr: ip("192.0.2.10")}, noon)
	const all = 10_000
	for i := range all {
		mac := [6]byte{0x52, 0x54, 0, 0, byte(i >> 8), byte(i)}
		at := noon.Add(time.Duration(i) * time.Millisecond)
		tab.seen("hostile", sighting{kind: asks, mac: mac, hostname: "x"}, at)
		tab.seen("hostile", sighting{kind: uses, mac: mac, addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, at)
	}
	guests := tab.guests(noon.Add(time.Minute))
	if len(guests) != share+1 || len(tab.ports["hostile"].asking) != share {
		t.Errorf("%d guests and %d names are remembered", len(guests), len(tab.ports["hostile"].asking))
	}
	last := guests[len(guests)-1]
	if last.Port != "quiet" || last.Hostname != "web" {
		t.Errorf("the quiet guest is %+v", last)
	}
	if newest := guests[share-1].Addr; newest != netip.AddrFrom4([4]byte{10, 0, (all - 1) >> 8, (all - 1) & 0xff}) {
		t.Errorf("the newest is %v", newest)
	}
}
