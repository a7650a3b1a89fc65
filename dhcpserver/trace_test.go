package dhcpserver

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/leases"
)

func numbered(i int) *Event { return &Event{Xid: uint32(i)} }

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
