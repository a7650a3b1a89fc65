package dhcpserver

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"labnet/leases"
)

// paper is the world without sockets.
type paper struct {
	table    *leases.Table
	settings *settings
	decider  decider
	xid      uint32
}

func newTable(t testing.TB, store leases.Store, change func(*leases.Network)) *leases.Table {
	t.Helper()
	n := testNetwork()
	if change != nil {
		change(&n)
	}
	table, err := leases.NewTable(leases.Config{Networks: []leases.Network{n}}, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Load(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	return table
}

// runTable runs the committer until the test ends.
func runTable(t testing.TB, table *leases.Table) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- table.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the table's Run: %v", err)
		}
	})
}

func newPaper(t testing.TB, r row) *paper {
	p := &paper{table: newTable(t, leases.NewMemory(), r.network)}
	if r.config == nil {
		r.config = func(*Config) {}
	}
	p.settings = testSettings(t, r.config)
	p.decider = decider{table: p.table, newcomers: 1 << 30, cloned: func(leases.Client, leases.Lease) {}}
	return p
}

func (p *paper) wait(d time.Duration) { time.Sleep(d) }

func (p *paper) exchange(t *testing.T, q request, from string) (*answer, Reason) {
	t.Helper()
	p.xid++
	q.xid = p.xid
	d := datagram{data: q.bytes(), broadcast: from == broadcastFrom, from: netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort)}
	if from != broadcastFrom {
		d.from = netip.AddrPortFrom(netip.MustParseAddr(from), clientPort)
	}
	var m message
	if reason := m.parse(d.data); reason != "" {
		return nil, reason
	}
	out := p.decider.decide(p.settings, &m, p.settings.classify(&m, d.from, d.broadcast), time.Now())
	if out.pending {
		failed := make(chan error, 1)
		p.table.Submit([]leases.Change{out.change}, func(err error) { failed <- err })
		if err := <-failed; err != nil {
			t.Fatalf("committing: %v", err)
		}
	}
	if out.reply == replyNone {
		return nil, out.reason
	}
	b, _ := p.settings.appendReply(nil, &m, out.say(&m))
	a := readAnswer(t, b)
	checkInvariants(t, q, &a)
	return &a, out.reason
}

func TestDecisions(t *testing.T) {
	for _, r := range allRows() {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPaper(t, r)
				runTable(t, p.table)
				r.play(&play{t: t, world: p})
			})
		})
	}
}

// TestRequestsByRelation holds every REQUEST against every relation of the client to the address, before the table is asked.
func TestRequestsByRelation(t *testing.T) {
	type key struct {
		a             action
		authoritative bool
		rel           relation
	}
	want := map[key]string{
		{actInitReboot, true, holdsOther}:  "nak nak_other_binding",
		{actInitReboot, false, holdsOther}: "nak nak_other_binding",
		{actInitReboot, false, noRecord}:   "none not_ours",
		{actRenew, true, holdsOther}:       "nak nak_other_binding",
		{actRenew, false, holdsOther}:      "nak nak_other_binding",
		{actRenew, false, noRecord}:        "nak nak_unknown",
		{actRebind, true, holdsOther}:      "nak nak_other_binding",
		{actRebind, false, holdsOther}:     "nak nak_other_binding",
		{actRebind, false, noRecord}:       "none not_ours",
	}
	for _, a := range []action{actSelecting, actInitReboot, actRenew, actRebind} {
		for _, authoritative := range []bool{true, false} {
			for _, rel := range []relation{noRecord, hasIt, holdsIt, holdsOther} {
				got := ""
				if kind, reason, final := beforeBind(a, authoritative, rel); final {
					got = fmt.Sprint(kind, " ", reason)
				}
				if k := (key{a, authoritative, rel}); got != want[k] {
					t.Errorf("%+v: %q, want %q", k, got, want[k])
				}
			}
		}
	}
}

// TestAnswersOfTheTable holds every answer of the table to Bind against what the client is told.
func TestAnswersOfTheTable(t *testing.T) {
	for _, tc := range []struct {
		a    action
		rel  relation
		err  error
		want string
	}{
		{actSelecting, noRecord, nil, "ack ack_selecting"},
		{actSelecting, hasIt, nil, "ack ack_selecting"},
		{actInitReboot, holdsIt, nil, "ack ack_init_reboot"},
		{actInitReboot, hasIt, nil, "ack ack_init_reboot"},
		{actInitReboot, noRecord, nil, "ack ack_adopted"},
		{actRenew, holdsIt, nil, "ack ack_renew"},
		{actRenew, noRecord, nil, "ack ack_adopted"},
		{actRebind, hasIt, nil, "ack ack_rebind"},
		{actRebind, noRecord, nil, "ack ack_adopted"},
		{actRenew, noRecord, leases.ErrTaken, "nak nak_taken"},
		{actRenew, holdsIt, leases.ErrReserved, "nak nak_reserved"},
		{actRenew, holdsIt, leases.ErrMoved, "nak nak_moved"},
		{actRenew, holdsIt, leases.ErrOutOfPool, "nak nak_out_of_pool"},
		{actRenew, noRecord, leases.ErrQuarantined, "nak nak_quarantined"},
		{actRenew, noRecord, leases.ErrNotHolder, "nak nak_other_binding"},
		{actSelecting, noRecord, leases.ErrDenied, "nak nak_denied"},
		{actRenew, holdsIt, leases.ErrUnknownNetwork, "none unknown_network"},
		{actRenew, holdsIt, fmt.Errorf("wrapped: %w", leases.ErrTaken), "nak nak_taken"},
		{actRenew, holdsIt, context.Canceled, "none table_error"},
	} {
		kind, reason := afterBind(tc.a, tc.rel, tc.err)
		if got := fmt.Sprint(kind, " ", reason); got != tc.want {
			t.Errorf("%d, %d, %v: %q, want %q", tc.a, tc.rel, tc.err, got, tc.want)
		}
	}
}

func TestNewcomersAreShedBeforeOthers(t *testing.T) {
	w := newPaper(t, row{})
	runTable(t, w.table)
	p := play{t: t, world: w}
	p.lease(macA, "10.0.0.120")
	w.decider.newcomers = 1
	p.answered(discover(macB, ""), typeOffer, ReasonOfferDerived)
	p.silent(discover(macDB, ""), ReasonShed)
	p.answered(discover(macA, ""), typeOffer, ReasonOfferBinding)
	p.answered(discover(macB, ""), typeOffer, ReasonOfferHold)
	p.silent(initReboot(macDB, "10.0.0.50"), ReasonShed)
	p.silent(initReboot(macDB, "192.0.2.1"), ReasonShed)
	p.answered(selecting(macDB, "10.0.0.50"), typeAck, ReasonAckSelecting)
	p.answered(initReboot(macDB, "192.0.2.1"), typeNak, ReasonNakOffLink)
}

func TestRelation(t *testing.T) {
	now := time.Now()
	lease := func(state leases.State, addr string, left time.Duration) leases.Lease {
		return leases.Lease{State: state, Addr: netip.MustParseAddr(addr), Expiry: now.Add(left)}
	}
	for _, tc := range []struct {
		name  string
		in    leases.Lease
		known bool
		want  relation
	}{
		{"unknown", leases.Lease{}, false, noRecord},
		{"bound to it", lease(leases.Bound, "10.0.0.120", time.Minute), true, holdsIt},
		{"bound for ever", leases.Lease{State: leases.Bound, Addr: testAddr}, true, holdsIt},
		{"bound, but the time is over", lease(leases.Bound, "10.0.0.120", -time.Minute), true, hasIt},
		{"offered it", lease(leases.Offered, "10.0.0.120", time.Minute), true, hasIt},
		{"released it", lease(leases.Released, "10.0.0.120", time.Minute), true, hasIt},
		{"bound to another", lease(leases.Bound, "10.0.0.130", time.Minute), true, holdsOther},
		{"was bound to another", lease(leases.Bound, "10.0.0.130", -time.Minute), true, noRecord},
		{"offered another", lease(leases.Offered, "10.0.0.130", time.Minute), true, noRecord},
	} {
		if got := relationOf(tc.in, tc.known, testAddr, now); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestEveryReasonIsCounted(t *testing.T) {
	c := newCounters()
	for _, choice := range []leases.Choice{
		leases.ChoseReservation, leases.ChoseBinding, leases.ChoseHold, leases.ChoseFormer, leases.ChoseRequested,
		leases.ChoseDerived, leases.ChoseOldest, leases.ChoseTakenBack,
	} {
		r := offerReason(choice)
		if string(r) != "offer_"+string(choice) || c[r] == nil {
			t.Errorf("%s: %s", choice, r)
		}
	}
	if len(c) != len(reasons) {
		t.Errorf("%d counters for %d reasons: one is twice in the list", len(c), len(reasons))
	}
}
