package dhcpserver

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/leases"
)

func numbered(i int) *Event { return &Event{Xid: uint32(i)} }

// seen reads what waits in a subscription: event numbers, and the number of lost ones as negative numbers.
func seen(t *testing.T, sub *Subscription) (out []int) {
	t.Helper()
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		e, lost, err := sub.Next(done)
		switch {
		case err != nil:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the end is %v", err)
			}
			return out
		case lost > 0:
			if e != nil {
				t.Error("an event beside a number of lost ones")
			}
			out = append(out, -int(lost))
		default:
			out = append(out, int(e.Xid))
		}
	}
}

func sequence(from, to int) (out []int) {
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

func TestASlowReaderLosesAndIsTold(t *testing.T) {
	var tracer Tracer
	slow, odd := tracer.Subscribe(nil), tracer.Subscribe(func(e *Event) bool { return e.Xid%2 == 1 })
	for i := range traceBuffer + 37 {
		tracer.publish(numbered(i))
	}
	e, _, err := slow.Next(t.Context())
	if err != nil || e.Xid != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	// There is room for one again: the count stands before it, where the others are missing.
	tracer.publish(numbered(9001))
	tracer.publish(numbered(9002))
	want := append(sequence(1, traceBuffer-1), -37, 9001, -1)
	if diff := cmp.Diff(want, seen(t, slow)); diff != "" {
		t.Errorf("the slow reader (-want +got):\n%s", diff)
	}
	tracer.publish(numbered(9003))
	if diff := cmp.Diff([]int{9003}, seen(t, slow)); diff != "" {
		t.Errorf("after it has caught up:\n%s", diff)
	}
	if got := seen(t, odd); len(got) != (traceBuffer+37)/2+2 || got[0] != 1 || got[len(got)-1] != 9003 {
		t.Errorf("the other reader sees %d: %v", len(got), got)
	}
	slow.Close()
	slow.Close()
	if tracer.Watchers() != 1 || !tracer.watched() {
		t.Errorf("%d watch", tracer.Watchers())
	}
	odd.Close()
	if tracer.Watchers() != 0 || tracer.watched() {
		t.Errorf("%d watch", tracer.Watchers())
	}
	tracer.publish(numbered(9004))
	if got := seen(t, slow); got != nil {
		t.Errorf("after its end: %v", got)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tracer Tracer
		sub := tracer.Subscribe(nil)
		defer sub.Close()
		go func() {
			time.Sleep(time.Hour)
			tracer.publish(numbered(1))
		}()
		if e, _, err := sub.Next(t.Context()); err != nil || e.Xid != 1 {
			t.Errorf("%+v, %v", e, err)
		}
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(why) })
		if _, _, err := sub.Next(ctx); !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
	})
}

// Nothing is counted twice or forgotten while several publish, and readers come and go.
func TestTracerUnderLoad(t *testing.T) {
	var tracer Tracer
	const publishers, each = 4, 5000
	constant := tracer.Subscribe(nil)
	defer constant.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	counted := make(chan int)
	go func() {
		n := 0
		for {
			e, lost, err := constant.Next(ctx)
			if err != nil {
				counted <- n
				return
			}
			if n += int(lost); e != nil {
				n++
			}
		}
	}()
	var work sync.WaitGroup
	for range publishers {
		work.Go(func() {
			for i := range each {
				tracer.publish(numbered(i))
			}
		})
		work.Go(func() {
			for range 100 {
				sub := tracer.Subscribe(nil)
				tracer.publish(numbered(0))
				if got := seen(t, sub); len(got) == 0 {
					t.Error("an own event isn't seen")
				}
				sub.Close()
			}
		})
	}
	work.Wait()
	stop()
	if got, want := <-counted, publishers*(each+100); got != want {
		t.Errorf("%d seen or lost, want %d", got, want)
	}
}

// TestTraceOverSockets sees each kind of message on the wire, from its arrival to its end.
func TestTraceOverSockets(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	sub := l.server.tracer.Subscribe(func(e *Event) bool { return e.HWAddr != markerMAC })
	defer sub.Close()
	p := &play{t: t, world: l}
	l.client.claim("10.0.0.120", macA)
	next := func() Event {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		e, lost, err := sub.Next(ctx)
		if err != nil || lost > 0 {
			t.Fatalf("%v, %d lost", err, lost)
		}
		if e.Time.IsZero() || e.Took <= 0 || e.Network != "lab" || e.Interface != "br0" {
			t.Errorf("%+v", e)
		}
		out := *e
		out.Time, out.Took, out.Network, out.Interface = time.Time{}, 0, "", ""
		return out
	}
	addr := netip.MustParseAddr
	any68, to68 := netip.MustParseAddrPort("0.0.0.0:68"), func(a string) netip.AddrPort { return netip.AddrPortFrom(addr(a), 68) }
	relayed := discover(macB, "10.0.0.130")
	relayed.giaddr = "10.0.0.9"
	l.client.claim("10.0.0.9", macB)
	for _, step := range []struct {
		name string
		send func()
		want Event
	}{
		{"DISCOVER", func() {
			p.exchange(t, with(discover(macA, "10.0.0.140"), optString(optHostName, "vm\x1b1"), optString(optVendorClass, "udhcp"), optString(optClientID, "\x01id")), "")
		}, Event{
			Message: "DISCOVER", From: any68, Broadcast: true, HWAddr: macA, ClientID: "\x01id", Requested: addr("10.0.0.140"), Hostname: "vm\x1b1", Vendor: "udhcp",
			Reply: "OFFER", To: to68("10.0.0.140"), Addr: addr("10.0.0.140"), Reason: ReasonOfferRequested,
		}},
		{"DISCOVER by a relay", func() { p.exchange(t, relayed, "10.0.0.9") }, Event{
			Message: "DISCOVER", From: to68("10.0.0.9"), HWAddr: macB, Relay: addr("10.0.0.9"), Requested: addr("10.0.0.130"),
			Reply: "OFFER", To: netip.MustParseAddrPort("10.0.0.9:67"), Addr: addr("10.0.0.130"), Reason: ReasonOfferRequested,
		}},
		{"REQUEST", func() { p.exchange(t, with(selecting(macA, "10.0.0.120"), optString(optHostName, "vm1")), "") }, Event{
			Message: "REQUEST", State: "selecting", From: any68, Broadcast: true, HWAddr: macA, Requested: addr("10.0.0.120"), Hostname: "vm1",
			Reply: "ACK", To: to68("10.0.0.120"), Addr: addr("10.0.0.120"), Name: "vm1", Reason: ReasonAckSelecting,
		}},
		{"restart", func() { p.exchange(t, initReboot(macA, "192.0.2.7"), "") }, Event{
			Message: "REQUEST", State: "init-reboot", From: any68, Broadcast: true, HWAddr: macA, Requested: addr("192.0.2.7"),
			Reply: "NAK", To: to68("255.255.255.255"), Addr: addr("192.0.2.7"), Reason: ReasonNakOffLink,
		}},
		{"renewal", func() { p.exchange(t, renew(macA, "10.0.0.120"), "10.0.0.120") }, Event{
			Message: "REQUEST", State: "renew", From: to68("10.0.0.120"), HWAddr: macA, Ciaddr: addr("10.0.0.120"),
			Reply: "ACK", To: to68("10.0.0.120"), Addr: addr("10.0.0.120"), Name: "vm1", Reason: ReasonAckRenew,
		}},
		{"rebinding", func() { p.exchange(t, renew(macA, "10.0.0.120"), "") }, Event{
			Message: "REQUEST", State: "rebind", From: any68, Broadcast: true, HWAddr: macA, Ciaddr: addr("10.0.0.120"),
			Reply: "ACK", To: to68("10.0.0.120"), Addr: addr("10.0.0.120"), Name: "vm1", Reason: ReasonAckRebind,
		}},
		{"RELEASE", func() { p.exchange(t, release(macA, "10.0.0.120"), "10.0.0.120") }, Event{
			Message: "RELEASE", From: to68("10.0.0.120"), HWAddr: macA, Ciaddr: addr("10.0.0.120"), Addr: addr("10.0.0.120"), Reason: ReasonReleased,
		}},
		{"DECLINE of nothing", func() { p.exchange(t, decline(macA, "10.0.0.121"), "") }, Event{
			Message: "DECLINE", From: any68, Broadcast: true, HWAddr: macA, Requested: addr("10.0.0.121"), Addr: addr("10.0.0.121"), Reason: ReasonIgnoredDecline,
		}},
		{"options that end badly", func() {
			q := discover(macA, "10.0.0.120")
			q.noEnd = true
			l.client.send(q, broadcastFrom)
			if _, err := l.client.next(patience); err != nil {
				t.Fatal(err)
			}
		}, Event{
			Message: "DISCOVER", From: any68, Broadcast: true, HWAddr: macA, Requested: addr("10.0.0.120"),
			Reply: "OFFER", To: to68("10.0.0.120"), Addr: addr("10.0.0.120"), Reason: ReasonOfferFormer, Beside: []Reason{ReasonMalformedServed},
		}},
		{"a server's message", func() { p.exchange(t, request{kind: typeOffer, mac: macA}, "") }, Event{
			Message: "OFFER", From: any68, Broadcast: true, HWAddr: macA, Reason: ReasonServerMessage, Err: "244 bytes",
		}},
		{"no type", func() { p.exchange(t, request{mac: macA}, "") }, Event{
			From: any68, Broadcast: true, HWAddr: macA, Reason: ReasonNoType, Err: "241 bytes",
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.send()
			got := next()
			got.Xid = 0
			if diff := cmp.Diff(step.want, got, comparableAnswers, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What the commit fails for is traced with the error.
func TestTraceOfAFailedCommit(t *testing.T) {
	l := newLab(t, nil, nil)
	sub := l.server.tracer.Subscribe(nil)
	defer sub.Close()
	disk := errors.New("no space left on device")
	l.store.FailWith(func([]leases.Lease) error { return disk })
	l.client.send(selecting(macA, "10.0.0.120"), broadcastFrom)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, _, err := sub.Next(ctx)
	if err != nil || e.Reason != ReasonCommitFailed || e.Reply != "" || e.Err == "" {
		t.Errorf("%+v, %v", e, err)
	}
}

// Untraced messages cost nothing.
func TestNobodyWatching(t *testing.T) {
	var tracer Tracer
	p := newPaper(t, row{})
	s := &Server{tracer: &tracer, counters: newCounters(), journal: newJournal(slog.New(slog.DiscardHandler), "br0", "lab")}
	s.settings.Store(p.settings)
	var m message
	data := make([]byte, 10)
	for name, f := range map[string]func(){
		"garbage": func() { s.traceGarbage(datagram{data: data}, &m, ReasonTooShort, time.Time{}) },
		"losses":  func() { s.traceLost(7, time.Time{}) },
		"a reply": func() { s.done(&packet{decision: decision{reason: ReasonOfferHold}}, time.Time{}) },
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// What the kernel refuses to send is traced with its error, whatever else was decided.
func TestTraceOfWhatIsNotSent(t *testing.T) {
	end, pipe, err := os.Pipe() // no socket: every message is refused
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = end.Close(), pipe.Close() }()
	var out sender
	if err := out.init(pipe); err != nil {
		t.Fatal(err)
	}
	var tracer Tracer
	sub := tracer.Subscribe(nil)
	defer sub.Close()
	s := &Server{tracer: &tracer, counters: newCounters(), journal: newJournal(slog.New(slog.DiscardHandler), "br0", "lab")}
	var packets []*packet
	for i := range 3 {
		p := &packet{
			decision: decision{reply: replyOffer, reason: ReasonOfferHold}, event: numbered(i),
			buf: make([]byte, headersLen), to: destination{to: netip.MustParseAddrPort("10.0.0.9:67")},
		}
		packets = append(packets, p)
		out.addRouted(p)
	}
	if failed, last := out.flush(); failed != 3 || !errors.Is(last, syscall.ENOTSOCK) {
		t.Fatalf("%d failed: %v", failed, last)
	}
	for i, p := range packets {
		s.done(p, time.Now())
		e, _, err := sub.Next(t.Context())
		if err != nil || int(e.Xid) != i || e.Reason != ReasonSendFailed || e.Err != syscall.ENOTSOCK.Error() || e.Reply != "OFFER" || !slices.Equal(e.Beside, []Reason{ReasonOfferHold}) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if s.counters[ReasonOfferHold].Load() != 3 {
		t.Error("the decisions aren't counted")
	}
}
