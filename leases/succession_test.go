package leases

import (
	"errors"
	"testing"
	"time"
)

// What was offered stays that client's under another table, and is nobody's when its time is over.
func TestOffersOutliveTheTable(t *testing.T) {
	first := newBench(t, labNetwork(20))
	offered, _ := first.offer(guest(1, "one"), "", 0)
	left := first.Offers(at(1))

	second := newBench(t, labNetwork(20))
	if err := second.TakeOffers(left, at(2)); err != nil {
		t.Fatal(err)
	}
	second.check()
	if _, err := second.Bind("lab", guest(2, "two"), ip(offered), time.Hour, at(2)); !errors.Is(err, ErrTaken) {
		t.Errorf("another client gets what was offered: %v", err)
	}
	second.lease(guest(1, "one"), offered, 3600, 2)
	second.check()

	for what, after := range map[string]int{"another offer was made meanwhile": 3, "the offer is over": 120} {
		late := newBench(t, labNetwork(20))
		if after < 60 {
			late.offer(guest(2, "two"), offered, 2)
		}
		if err := late.TakeOffers(left, at(after)); err != nil {
			t.Fatal(err)
		}
		late.check()
		if _, err := late.Bind("lab", guest(2, "two"), ip(offered), time.Hour, at(after)); err != nil {
			t.Errorf("%s, and another client is kept out: %v", what, err)
		}
	}
	if all, err := parseRedo(nil, first.Offers(at(30))); err != nil || len(all) != 0 {
		t.Errorf("of old offers, %v are handed over (%v)", all, err)
	}
}

func TestOffersThatCantBeRead(t *testing.T) {
	b := newBench(t, labNetwork(20))
	for _, text := range []string{"", "x", "\x01\x00\x00\x00\x05garbage"} {
		if err := b.TakeOffers([]byte(text), at(0)); err == nil {
			t.Errorf("%q is understood", text)
		}
	}
	b.check()
}
