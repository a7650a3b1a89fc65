package daemon

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/hooks"
	"labnet/internal/nettest"
	"labnet/leases"
)

// hookBench is a table whose events go to a server.
type hookBench struct {
	t     *testing.T
	table *leases.Table
	feed  *hookFeed
	url   string

	mu     sync.Mutex // guards events
	events []hooks.Event
}

// newHookBench makes one with a table that commits until the test ends.
func newHookBench(t *testing.T) *hookBench {
	t.Helper()
	b := &hookBench{t: t}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	log := slog.New(slog.DiscardHandler)
	cfg := leases.Config{Networks: []leases.Network{{
		Name: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/16"), Gateway: netip.MustParseAddr("10.0.0.1"),
		Ranges: []leases.Range{{Start: netip.MustParseAddr("10.0.1.0"), End: netip.MustParseAddr("10.0.255.254")}},
	}}}
	var err error
	if b.table, err = leases.NewTable(cfg, leases.NewMemory(), log); err != nil {
		t.Fatal(err)
	}
	if err := b.table.Load(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	b.runUntilTheEnd(b.table.Run)
	b.feed = newHookFeed(nil, b.table, "START", log)
	return b
}

func (b *hookBench) runUntilTheEnd(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
}

func (b *hookBench) ServeHTTP(_ http.ResponseWriter, request *http.Request) {
	text, err := io.ReadAll(request.Body)
	var e hooks.Event
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		b.t.Error(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

func (b *hookBench) told() []hooks.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func (b *hookBench) hook(events ...string) []hooks.Config {
	return []hooks.Config{{Name: "h", Events: events, Timeout: time.Minute, URL: b.url}}
}

func (b *hookBench) commit(changes ...leases.Change) {
	b.t.Helper()
	done := make(chan error, 1)
	b.table.Submit(changes, func(err error) { done <- err })
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
}

func (b *hookBench) bind(n int, addr netip.Addr, d time.Duration) leases.Change {
	b.t.Helper()
	mac := leases.HWAddr([]byte{0x52, 0x54, 0, byte(n >> 16), byte(n >> 8), byte(n)})
	c := leases.Client{ID: leases.ClientIDFromOption([]byte("\x01" + string(mac))), HWType: 1, HWAddr: mac, RequestedName: "VM1", VendorClass: "udhcp\x00"}
	change, err := b.table.Bind("lab", c, addr, d, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return change
}

func TestHooksAreToldOfExpiry(t *testing.T) {
	b := newHookBench(t)
	b.feed.runner.Reconfigure(b.hook("lease.bound", "lease.expired", "lease.released"))
	addr := netip.MustParseAddr("10.0.1.7")
	known := b.table.LastEvent()
	b.runUntilTheEnd(func(ctx context.Context) error { return b.feed.run(ctx, known) })
	b.commit(b.bind(1, addr, time.Second))
	nettest.Eventually(t, 20*time.Second, func() error {
		if got := b.told(); len(got) < 2 {
			return io.ErrNoProgress
		}
		return nil
	})
	got := b.told()
	bound, expired := got[0], got[1]
	if bound.ID != "START-1" || bound.Event != "lease.bound" || bound.Network != "lab" || bound.Before != nil || time.Since(bound.Time) > time.Minute {
		t.Errorf("%+v", bound)
	}
	want := hooks.Lease{
		Network: "lab", Address: addr, MAC: "52:54:00:00:00:01", ClientID: "01:52:54:00:00:00:01", Name: "vm1", State: "bound",
		Start: bound.Lease.Start, Expires: bound.Lease.Expires, LastSeen: bound.Lease.LastSeen, Hostname: "VM1", VendorClass: "udhcp\x00",
	}
	if diff := cmp.Diff(want, bound.Lease, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if expired.ID != "START-2" || expired.Event != "lease.expired" || expired.Lease.State != "expired" || expired.Before == nil || expired.Before.State != "bound" {
		t.Errorf("%+v", expired)
	}
}

// A lease has one form, in lists and for hooks.
func TestHooksAreToldWhatTheListSays(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, l := range []leases.Lease{
		{Network: "lab", Addr: netip.MustParseAddr("10.0.1.7"), ID: "\x01\x52\x54\x00\x00\x00\x01", HWType: 1, HWAddr: "\x52\x54\x00\x00\x00\x01", State: leases.Bound},
		{
			Network: "lab", Addr: netip.MustParseAddr("10.0.1.7"), ID: "\x01", HWType: 32, HWAddr: "\x01", Name: "vm1", State: leases.Expired,
			Start: at, Expiry: at.Add(time.Hour), LastSeen: at, RequestedName: "<VM1>\x00", VendorClass: "x", Reserved: true,
		},
	} {
		listed, err := json.Marshal(controlLease(l))
		if err != nil {
			t.Fatal(err)
		}
		told, err := json.Marshal(hookEvent(leases.Event{Lease: l}, "", "").Lease)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(listed), string(told)); diff != "" {
			t.Error(diff)
		}
	}
}

// Events that were lost are counted and told, and what comes then is delivered.
func TestHooksHearOfEventsThatWereLost(t *testing.T) {
	b := newHookBench(t)
	b.feed.runner.Reconfigure(b.hook("lease.released"))
	const many = 1<<14 + 500
	changes := make([]leases.Change, 0, many)
	addr := netip.MustParseAddr("10.0.1.0")
	first := addr
	for n := range many {
		changes = append(changes, b.bind(n, addr, time.Hour))
		addr = addr.Next()
	}
	b.commit(changes...)
	// It was at the first event all the time.
	b.runUntilTheEnd(func(ctx context.Context) error { return b.feed.run(ctx, 0) })
	nettest.Eventually(t, 20*time.Second, func() error {
		if s := b.feed.runner.Stats(); s[0].Dropped == 0 {
			return io.ErrNoProgress
		}
		return nil
	})
	change, err := b.table.ReleaseAddr("lab", first, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.commit(change)
	nettest.Eventually(t, 20*time.Second, func() error {
		if len(b.told()) == 0 {
			return io.ErrNoProgress
		}
		return nil
	})
	if got := b.told()[0]; got.Event != "lease.released" || got.Missed != many {
		t.Errorf("%+v", got)
	}
	if s := b.feed.runner.Stats()[0]; s.Dropped != many || s.Delivered != 1 {
		t.Errorf("%+v", s)
	}
}

// The first hook that a reload brings is told of what happens from then on.
func TestHooksThatComeLaterHearNothingOld(t *testing.T) {
	b := newHookBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.commit(b.bind(1, netip.MustParseAddr("10.0.1.7"), time.Hour))
	known := b.table.LastEvent()
	done := make(chan error, 1)
	go func() { done <- b.feed.run(ctx, known) }()
	b.feed.reconfigure(b.hook("lease.bound"))
	// Until it listens, what happens is from before; so it goes on until something is told.
	nettest.Eventually(t, 20*time.Second, func() error {
		b.commit(b.bind(2, netip.MustParseAddr("10.0.1.8"), time.Hour))
		change, err := b.table.ReleaseAddr("lab", netip.MustParseAddr("10.0.1.8"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		b.commit(change)
		if len(b.told()) == 0 {
			return io.ErrNoProgress
		}
		return nil
	})
	for _, e := range b.told() {
		if e.Lease.Address.String() != "10.0.1.8" {
			t.Errorf("told of %+v", e)
		}
	}
	// Also without hooks it ends.
	b.feed.reconfigure(nil)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestHookProblems(t *testing.T) {
	b := newHookBench(t)
	cfgs := hookConfigs(load(t, `network "lab" {
  address = "10.0.0.1/24"
}
hook "missing" {
  command = "/nonexistent/on-lease"
}
hook "secret" {
  url         = "https://inventory.example/secret/path"
  secret_file = "/nonexistent/secret"
}
`).Hooks)
	b.feed.runner.Reconfigure(cfgs)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	known := b.table.LastEvent()
	go func() { done <- b.feed.run(ctx, known) }()
	for n := range 3 {
		b.commit(b.bind(n, netip.MustParseAddr("10.0.1.7").Next(), time.Hour))
		change, err := b.table.ReleaseAddr("lab", netip.MustParseAddr("10.0.1.7").Next(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		b.commit(change)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	var got []string
	for _, p := range b.feed.problems(cfgs) {
		got = append(got, p.Summary)
		if p.Fatal || p.Remedy == "" {
			t.Errorf("%+v", p)
		}
	}
	want := []string{
		`hook "missing": there is no program /nonexistent/on-lease`,
		`hook "secret": the secret can't be read: open /nonexistent/secret: no such file or directory`,
		`hook "missing" has failed 6 times in a row, at last: /nonexistent/on-lease can't be started: no such file or directory`,
		`hook "secret" has failed 6 times in a row, at last: reading the secret: open /nonexistent/secret: no such file or directory`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, h := range b.feed.status() {
		if h.Failed != 6 || h.LastError == "" || h.LastErrorAt.IsZero() || strings.Contains(h.Target, "secret/path") {
			t.Errorf("%+v", h)
		}
	}
}
