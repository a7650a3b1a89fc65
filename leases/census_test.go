package leases

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// countedWell compares what is counted as things change with a count of all.
func (n *netTable) countedWell() error {
	counted := n.tally
	n.recountAll()
	if n.tally != counted {
		return fmt.Errorf("%+v counted, there are %+v", counted, n.tally)
	}
	for _, l := range []*list{&n.free, &n.held, &n.heldOther} {
		length := 0
		for s := l.front; s != nil; s = s.next {
			length++
		}
		if length != l.length {
			return fmt.Errorf("a list of %d slots says that it has %d", length, l.length)
		}
	}
	return nil
}

func TestCensus(t *testing.T) {
	b := newBench(t, labNetwork(19))
	check := func(when string, want Census) {
		t.Helper()
		if diff := cmp.Diff(map[string]Census{"lab": want}, b.Census()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", when, diff)
		}
	}
	check("empty", Census{Addresses: 10})
	b.lease(guest(1, "one"), "192.0.2.10", 3600, 0)
	b.lease(guest(2, "two"), "192.0.2.11", 60, 0)
	if _, _, err := b.Offer("lab", guest(3, ""), netip.Addr{}, at(1)); err != nil {
		t.Fatal(err)
	}
	check("two leases and an offer", Census{Offered: 1, Bound: 2, Addresses: 10, Leased: 2})

	// A renewal that doesn't become durable counts nothing.
	b.broken = true
	verdict := b.submit(b.bind(guest(4, ""), "192.0.2.14", 3600, 2))
	b.commit(2)
	if *verdict == nil {
		t.Fatal("committed by a broken disk")
	}
	check("a failed commit", Census{Offered: 1, Bound: 2, Addresses: 10, Leased: 2})
	b.broken = false
	b.commit(3)

	change, err := b.Release("lab", guest(1, ""), ip("192.0.2.10"), at(4))
	if err != nil {
		t.Fatal(err)
	}
	b.submit(change)
	b.commit(100) // and the other lease is over, as the offer
	check("released and expired", Census{Released: 1, Expired: 1, Addresses: 10})

	b.lease(guest(5, ""), "192.0.2.18", 3600, 101)
	if err := b.Configure(Config{Networks: []Network{labNetwork(12)}}, at(102)); err != nil {
		t.Fatal(err)
	}
	check("a smaller pool", Census{Bound: 1, Released: 1, Expired: 1, Addresses: 3})

	if c := b.Commits(); c.Failed != 1 || c.Leases < 4 || c.Times.Count() < 4 {
		t.Errorf("commits: %+v", c)
	}
}
