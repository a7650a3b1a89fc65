package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// watchReel is what a watcher is told; then its stream ends, if it is to.
type watchReel struct {
	want   LeaseWatch // what the watcher must have asked for
	events []LeaseEvent
	ends   bool
}

func (b *table) WatchLeases(ctx context.Context, w LeaseWatch, emit func(LeaseEvent) error) error {
	reel := <-b.reels
	w.Filter.conditions, reel.want.Filter.conditions = nil, nil
	if diff := cmp.Diff(reel.want, w, cmp.AllowUnexported(LeaseFilter{})); diff != "" {
		return emit(LeaseEvent{Event: "asked otherwise: " + diff})
	}
	for _, e := range reel.events {
		if err := emit(e); err != nil {
			return err
		}
	}
	if !reel.ends {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (b *table) WaitLease(ctx context.Context, q WaitQuery) (WaitResult, error) {
	for _, l := range b.leases {
		if l.Name == q.Key {
			return WaitResult{Done: true, Lease: &l}, nil
		}
	}
	if q.Network == "nowhere" {
		return WaitResult{}, fmt.Errorf("%w: there is no network %q", ErrNotFound, q.Network)
	}
	<-ctx.Done()
	return WaitResult{Obstacle: "nobody has it"}, nil
}

// events is what an iteration gives until it has given count.
func events(t *testing.T, c *Client, w LeaseWatch, count int) (got []LeaseEvent) {
	t.Helper()
	for e, err := range c.WatchLeases(t.Context(), w) {
		if err != nil {
			t.Fatal(err)
		}
		e.Time = time.Time{}
		if got = append(got, e); len(got) == count {
			break
		}
	}
	return got
}

func TestAWatchGoesOnWhereItWas(t *testing.T) {
	backend := &table{reels: make(chan watchReel, 4)}
	c := client(t, serve(t, backend))
	filter, err := ParseLeaseFilter("state=bound")
	if err != nil {
		t.Fatal(err)
	}
	lease := &Lease{Network: "lab", Address: netip.MustParseAddr("10.0.0.5"), State: "bound"}
	want := LeaseWatch{Network: "lab", Filter: filter}
	after := func(instance string, seq uint64) LeaseWatch {
		w := want
		w.Instance, w.After = instance, seq
		return w
	}
	first := []LeaseEvent{
		{Event: EventResync, Seq: 7, Instance: "one", Reason: ResyncStart},
		{Event: EventListed, Lease: lease},
		{Event: EventSynced, Seq: 7},
		{Event: "renewed", Seq: 9, Lease: lease},
	}
	second := []LeaseEvent{{Event: "released", Seq: 10, Lease: lease, Before: lease}}
	// The third is another daemon, which ends in the middle of its list.
	third := []LeaseEvent{{Event: EventResync, Instance: "two", Reason: ResyncRestart}, {Event: EventListed, Lease: lease}}
	fourth := []LeaseEvent{{Event: EventResync, Seq: 1, Instance: "two", Reason: ResyncStart}, {Event: EventSynced, Seq: 1}}
	backend.reels <- watchReel{want, first, true}
	backend.reels <- watchReel{after("one", 9), second, true}
	backend.reels <- watchReel{after("one", 10), third, true}
	backend.reels <- watchReel{after("", 0), fourth, false}
	gone := []LeaseEvent{{Event: EventGone}}
	var all []LeaseEvent
	for _, part := range [][]LeaseEvent{first, gone, second, gone, third, gone, fourth} {
		all = append(all, part...)
	}
	if diff := cmp.Diff(all, events(t, c, want, len(all)), sameAddr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAWatchOutlivesTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labnet.sock")
	backend := &table{reels: make(chan watchReel, 2)}
	start := func() (stop func()) {
		server, err := Listen(path, backend, "test", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Error(err)
			return func() {}
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- server.Run(ctx) }()
		return func() { cancel(); <-ended }
	}
	stop := start()
	backend.reels <- watchReel{LeaseWatch{}, []LeaseEvent{{Event: EventResync, Seq: 3, Instance: "one"}, {Event: EventSynced, Seq: 3}}, false}
	c := client(t, path)
	var got []string
	for e, err := range c.WatchLeases(t.Context(), LeaseWatch{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Event); len(got) == 2 {
			stop()
			backend.reels <- watchReel{LeaseWatch{Instance: "one", After: 3}, []LeaseEvent{{Event: "bound", Seq: 4}}, false}
		}
		if e.Event == EventGone {
			stop = start()
		}
		if e.Event == "bound" {
			break
		}
	}
	stop()
	if diff := cmp.Diff([]string{EventResync, EventSynced, EventGone, "bound"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAWatchOfNobodyIsAnError(t *testing.T) {
	c := client(t, filepath.Join(t.TempDir(), "labnet.sock"))
	for _, err := range c.WatchLeases(t.Context(), LeaseWatch{}) {
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("%v", err)
		}
	}
}

func TestWaiting(t *testing.T) {
	backend := &table{leases: []Lease{{Name: "vm1", Address: netip.MustParseAddr("10.0.0.5")}}}
	c := client(t, serve(t, backend))
	if r, err := c.WaitLease(t.Context(), WaitQuery{Key: "vm1", For: WaitDNS}, time.Minute); err != nil || !r.Done || r.Lease.Name != "vm1" {
		t.Errorf("what is there: %+v, %v", r, err)
	}
	if r, err := c.WaitLease(t.Context(), WaitQuery{Key: "vm2", For: WaitLease}, time.Millisecond); err != nil || r.Done || r.Obstacle != "nobody has it" {
		t.Errorf("what isn't there: %+v, %v", r, err)
	}
	if _, err := c.WaitLease(t.Context(), WaitQuery{Key: "vm2", For: WaitLease, Network: "nowhere"}, time.Minute); !errors.Is(err, ErrNotFound) {
		t.Errorf("in no network: %v", err)
	}
}
