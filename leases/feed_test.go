package leases

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kinds reads all the events that there are.
func kinds(t *testing.T, e *Events) (out []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is there is returned before ctx is looked at
	for {
		event, err := e.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(event.Kind)+" "+event.Lease.Addr.String()+" "+event.Before.Name)
	}
}

func TestEventsTellWhatHappened(t *testing.T) {
	b := newBench(t, labNetwork(250))
	events := b.Events(b.Snapshot("").Seq())
	c := guest(1, "vm1")
	b.lease(c, "192.0.2.10", 600, 0)
	b.lease(c, "192.0.2.10", 600, 100) // renewed
	c.RequestedName = "other"
	b.lease(c, "192.0.2.10", 600, 200)
	b.lease(c, "192.0.2.20", 600, 300) // moved
	b.broken = true
	b.submit(b.bind(guest(2, "vm2"), "192.0.2.30", 600, 300))
	b.commit(300)
	b.broken = false
	b.commit(301)
	b.commit(901)
	again, err := b.Conflict("lab", ip("192.0.2.40"), hw(9), at(1000))
	if err != nil {
		t.Fatal(err)
	}
	b.submit(again)
	b.commit(1000)
	b.commit(1000 + quarantineTime)
	want := []string{
		"bound 192.0.2.10 ", "renewed 192.0.2.10 vm1", "changed 192.0.2.10 vm1", "released 192.0.2.10 other", "bound 192.0.2.20 ",
		"expired 192.0.2.20 other", "conflict 192.0.2.40 ", "cleared 192.0.2.40 ",
	}
	if diff := cmp.Diff(want, kinds(t, events)); diff != "" {
		t.Error(diff)
	}
}

func TestEventsAreLostOnlyByThoseTooFarBehind(t *testing.T) {
	b := newBench(t, labNetwork(250))
	slow, fast := b.Events(b.Snapshot("").Seq()), b.Events(b.Snapshot("").Seq())
	for i := range feedLength {
		b.lease(guest(1, ""), "192.0.2.10", 600, i%300)
	}
	if got := len(kinds(t, slow)); got != feedLength {
		t.Errorf("%d events, want %d", got, feedLength)
	}
	b.lease(guest(1, ""), "192.0.2.10", 600, 1)
	if got := len(kinds(t, slow)); got != 1 {
		t.Errorf("%d events, want 1", got)
	}
	for range 2 {
		if _, err := fast.Next(t.Context()); !errors.Is(err, ErrEventsLost) {
			t.Errorf("next: %v", err)
		}
	}
	if _, err := b.Events(1 << 40).Next(t.Context()); !errors.Is(err, ErrEventsLost) {
		t.Errorf("a number that no event has had: %v", err)
	}
}

func TestEventsWaitForTheNext(t *testing.T) {
	b := newBench(t, labNetwork(250))
	events := b.Events(b.Snapshot("").Seq())
	got := make(chan Event)
	go func() {
		event, _ := events.Next(t.Context())
		got <- event
	}()
	select {
	case e := <-got:
		t.Fatalf("an event of nothing: %+v", e)
	case <-time.After(20 * time.Millisecond):
	}
	b.lease(guest(1, "vm1"), "192.0.2.10", 600, 0)
	if e := <-got; e.Kind != EventBound || e.Seq != 1 || e.Lease.Name != "vm1" || e.Before.Addr.IsValid() {
		t.Errorf("%+v", e)
	}
}
