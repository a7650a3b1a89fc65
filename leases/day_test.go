package leases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

// day is a table over a real store, in a day that passes as fast as the test wants.
type day struct {
	*Table
	t         *testing.T
	begin     time.Time
	committer committer
	ahead     *time.Duration // by how much the time of day is set
}

// at is the time of day that clocks show so long after the begin, by a clock that nobody sets.
func (d *day) at(after time.Duration) time.Time { return d.begin.Add(after + *d.ahead) }

// now lets the table do what is due, and commit.
func (d *day) now(after time.Duration, changes ...Change) {
	d.t.Helper()
	verdict := errNotAnswered
	d.Submit(changes, func(err error) { verdict = err })
	d.committer.round(context.Background(), d.at(after))
	if verdict != nil {
		d.t.Fatalf("at %v: %v", after, verdict)
	}
}

// lease lets a client lease the one address, or renew it.
func (d *day) lease(after time.Duration, c Client, lasts time.Duration) {
	d.t.Helper()
	d.now(after) // what has run out ends
	l, _, err := d.Offer("lab", c, netip.Addr{}, d.at(after))
	if err != nil {
		d.t.Fatalf("offer at %v: %v", after, err)
	}
	change, err := d.Bind("lab", c, l.Addr, lasts, d.at(after))
	if err != nil {
		d.t.Fatalf("bind at %v: %v", after, err)
	}
	d.now(after, change)
}

func (d *day) end(after time.Duration) func(Change, error) {
	return func(change Change, err error) {
		d.t.Helper()
		if err != nil {
			d.t.Fatalf("at %v: %v", after, err)
		}
		d.now(after, change)
	}
}

// TestADay: 10.0.0.57 has several holders in a day, and the time of day is set. Then the real daemon is started on what the day has left, and
// names each holder and interval to the second.
func TestADay(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "state", "leases.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	store := openStore(t, path)
	addr := ip("10.0.0.57")
	network := Network{Name: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/24"), Gateway: ip("10.0.0.1"), Ranges: []Range{{addr, addr}}}
	table := must[*Table](t)(NewTable(Config{Networks: []Network{network}}, store, slog.New(slog.DiscardHandler)))
	d := &day{
		Table: table, t: t, begin: time.Now().Add(-26 * time.Hour).Truncate(time.Second), committer: committer{table: table},
		ahead: setTime(&bench{Table: table}),
	}
	if err := d.Load(context.Background(), d.begin); err != nil {
		t.Fatal(err)
	}
	hour := func(h, m, s int) time.Duration {
		return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	}

	alpha := guest(1, "alpha")
	d.lease(hour(0, 0, 0), alpha, 2*time.Hour)
	d.lease(hour(1, 0, 0), alpha, 2*time.Hour)
	d.lease(hour(2, 30, 0), alpha, 2*time.Hour)
	d.end(hour(3, 15, 7))(d.Release("lab", alpha, addr, d.at(hour(3, 15, 7))))

	beta := identified(2, "\xff\x00\x00\x00\x02beta", "beta")
	d.lease(hour(4, 0, 0), beta, time.Hour)
	d.now(hour(5, 0, 0))
	flush(t, store)

	gamma := guest(3, "gamma")
	d.lease(hour(5, 40, 0), gamma, 2*time.Hour)
	*d.ahead = -20 * time.Minute // from 6:00 to 5:40
	d.now(hour(6, 0, 0))
	gamma.RequestedName = "gamma2"
	d.lease(hour(6, 30, 0), gamma, 2*time.Hour)
	d.end(hour(6, 50, 1))(d.Decline("lab", gamma, addr, d.at(hour(6, 50, 1))))

	d.now(hour(7, 0, 0))
	epsilon, delta := guest(5, "epsilon"), guest(4, "delta")
	d.lease(hour(7, 30, 0), epsilon, 2*time.Hour)
	network.Reservations = []Reservation{{HWAddr: delta.HWAddr, Addr: addr}}
	if err := d.Configure(Config{Networks: []Network{network}}, d.at(hour(8, 0, 0))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Bind("lab", epsilon, addr, 2*time.Hour, d.at(hour(8, 30, 0))); !errors.Is(err, ErrReserved) {
		t.Errorf("a renewal of what is reserved for another: %v", err)
	}
	d.end(hour(8, 45, 30))(d.ReleaseAddr("lab", addr, d.at(hour(8, 45, 30))))
	d.lease(hour(9, 0, 0), delta, 48*time.Hour)
	delta.RequestedName = "delta-new"
	d.lease(hour(12, 34, 56), delta, 48*time.Hour)
	d.lease(hour(20, 0, 0), delta, 48*time.Hour)
	kill(t, store) // some of it is in the redo log

	type holder struct {
		Name, MAC, ClientID, State string
		Since, Until               string
	}
	set := -20 * time.Minute
	stamp := func(after time.Duration) string { return d.begin.Add(after).UTC().Format(time.RFC3339) }
	one := func(c Client, name, state string, since, until time.Duration) holder {
		h := holder{name, c.HWAddr.String(), c.ID.String(), state, stamp(since), ""}
		if until != 0 {
			h.Until = stamp(until)
		}
		return h
	}
	want := []holder{
		one(alpha, "alpha", "released", hour(0, 0, 0), hour(3, 15, 7)),
		one(beta, "beta", "expired", hour(4, 0, 0), hour(5, 0, 0)),
		one(gamma, "gamma", "changed", hour(5, 40, 0)+set, hour(6, 30, 0)+set),
		one(gamma, "gamma2", "declined", hour(6, 30, 0)+set, hour(6, 50, 1)+set),
		one(epsilon, "epsilon", "released", hour(7, 30, 0)+set, hour(8, 45, 30)+set),
		one(delta, "delta", "changed", hour(9, 0, 0)+set, hour(12, 34, 56)+set),
		one(delta, "delta-new", "bound", hour(12, 34, 56)+set, 0),
	}

	// The daemon, as it is built.
	binary := os.Getenv("LABNET_BINARY")
	if binary == "" {
		binary = must[string](t)(filepath.Abs("../bin/labnet"))
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("build the binary first (`make build`): %v", err)
	}
	config := filepath.Join(dir, "labnet.hcl")
	text := "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  dns {\n    enabled = false\n  }\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	router := nettest.NewHost(t, "router")
	args := func(verb ...string) []string {
		return append([]string{binary, "-c", config, "--state-dir", filepath.Dir(path), "--run-dir", filepath.Join(dir, "run")}, verb...)
	}
	ask := func(what string, query ...string) (got []holder) {
		t.Helper()
		out, err := router.Command(t.Context(), args(append([]string{"leases", "history", "-o", "json"}, query...)...)...).Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", what, err, out)
		}
		var found []struct {
			holder
			ClientID string `json:"client_id"`
		}
		if err := json.Unmarshal(out, &found); err != nil {
			t.Fatalf("%s: %v: %s", what, err, out)
		}
		for _, f := range found {
			f.holder.ClientID = f.ClientID
			got = append(got, f.holder)
		}
		return got
	}
	if diff := cmp.Diff(want, ask("without a daemon", "--addr", "10.0.0.57")); diff != "" {
		t.Errorf("without a daemon (-want +got):\n%s", diff)
	}
	_, output := router.Start(t, args("run")...)
	if out, err := router.Try(args("status", "--wait", "20s")...); err != nil {
		t.Fatalf("the daemon doesn't serve: %v\n%s%s", err, out, output())
	}
	if diff := cmp.Diff(want, ask("the daemon", "--addr", "10.0.0.57")); diff != "" {
		t.Errorf("the daemon (-want +got):\n%s", diff)
	}
	for i, h := range want {
		if diff := cmp.Diff([]holder{h}, ask("by name", h.Name)); diff != "" {
			t.Errorf("%s by name (-want +got):\n%s", h.Name, diff)
		}
		if diff := cmp.Diff([]holder{h}, ask("by its first second", "10.0.0.57", "--at", h.Since)); diff != "" {
			t.Errorf("%s by its first second (-want +got):\n%s", h.Name, diff)
		}
		if h.Until != "" {
			var next []holder
			if i+1 < len(want) && want[i+1].Since == h.Until {
				next = want[i+1 : i+2]
			}
			if diff := cmp.Diff(next, ask("when it had ended", "10.0.0.57", "--at", h.Until)); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", h.Name, diff)
			}
		}
	}
	if diff := cmp.Diff(want[2:4], ask("by MAC", fmt.Sprint(gamma.HWAddr))); diff != "" {
		t.Errorf("by MAC (-want +got):\n%s", diff)
	}
}
