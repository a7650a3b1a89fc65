package leases

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// setTime lets the time of day of b be set: what it returns is by how much it is ahead. Every moment that b is asked at is by the time of
// day as it is then.
func setTime(b *bench) *time.Duration {
	ahead := new(time.Duration)
	steady := make(map[time.Time]time.Time)
	b.clock.between = func(from, to time.Time) time.Duration {
		if _, known := steady[to]; !known {
			steady[to] = to.Add(-*ahead)
		}
		return steady[to].Sub(steady[from])
	}
	b.clock.base = time.Time{}
	return ahead
}

func TestClockTellsStepsFromTimeThatPasses(t *testing.T) {
	const day = 24 * time.Hour
	type call struct {
		steady, wall, suspended time.Duration // since the start
		sec                     int64
		step                    time.Duration
	}
	tests := []struct {
		name  string
		calls []call
	}{
		{"time passes", []call{{0, 0, 0, 0, 0}, {5 * time.Second, 5 * time.Second, 0, 5, 0}, {day, day, 0, 86400, 0}}},
		{"small corrections are followed", []call{{0, 0, 0, 0, 0}, {10 * time.Second, 11 * time.Second, 0, 11, 0}, {20 * time.Second, 20 * time.Second, 0, 20, 0}}},
		{"many small ones in one direction are a step", []call{{0, 0, 0, 0, 0}, {10 * time.Second, 11 * time.Second, 0, 11, 0}, {20 * time.Second, 23 * time.Second, 0, 20, 3 * time.Second}}},
		{"forward", []call{{0, 0, 0, 0, 0}, {time.Second, day + time.Second, 0, 1, day}, {3 * time.Second, day + 3*time.Second, 0, 3, 0}}},
		{"backward", []call{{0, 0, 0, 0, 0}, {time.Second, time.Second - day, 0, 1, -day}, {3 * time.Second, 3*time.Second - day, 0, 3, 0}}},
		{"there and back", []call{{0, 0, 0, 0, 0}, {time.Second, day, 0, 1, day - time.Second}, {3 * time.Second, 3 * time.Second, 0, 3, time.Second - day}}},
		{"a late moment from before the step", []call{{0, 0, 0, 0, 0}, {10 * time.Second, day + 10*time.Second, 0, 10, day}, {8 * time.Second, 8 * time.Second, 0, 8, 0}, {11 * time.Second, day + 11*time.Second, 0, 11, 0}}},
		{"suspended: leases go on", []call{{0, 0, 0, 0, 0}, {time.Second, day, day - time.Second, 86400, 0}, {2 * time.Second, day + time.Second, day - time.Second, 86401, 0}}},
		{"suspended, and set meanwhile", []call{{0, 0, 0, 0, 0}, {time.Second, 2*day + time.Second, day, 86401, day}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			steady := make(map[time.Time]time.Duration)
			var suspended time.Duration
			c.between = func(from, to time.Time) time.Duration { return steady[to] - steady[from] }
			c.suspensions = func() time.Duration { return suspended }
			for i, call := range tt.calls {
				now := epoch.Add(call.wall)
				steady[now], suspended = call.steady, call.suspended
				sec, step := c.seconds(now)
				if sec-epoch.Unix() != call.sec || step != call.step {
					t.Errorf("call %d: second %d, step %v; want %d, %v", i, sec-epoch.Unix(), step, call.sec, call.step)
				}
				if call.step != 0 && c.wall(sec).Sub(now).Abs() > time.Second {
					t.Errorf("call %d: shown as %v, it is %v", i, c.wall(sec), now)
				}
			}
		})
	}
}

func TestLeasesLastAlthoughTheTimeOfDayIsSet(t *testing.T) {
	const day = 86400
	for _, step := range []int{day, 365 * day, -day, -365 * day} {
		b := newBench(t, labNetwork(250))
		var out bytes.Buffer
		b.log = slog.New(slog.NewTextHandler(&out, nil))
		ahead := setTime(b)
		b.lease(guest(1, "vm1"), "192.0.2.10", 600, 0)
		b.lease(guest(2, "vm2"), "192.0.2.20", 3600, 0)
		declined, err := b.Decline("lab", guest(2, ""), ip("192.0.2.20"), at(50))
		if err != nil {
			t.Fatal(err)
		}
		b.submit(declined)
		b.commit(50)

		*ahead = time.Duration(step) * time.Second
		// DNS asks first.
		addr, left, ok := b.AddrOf("lab", []byte("vm1"), at(100+step))
		if !ok || addr != ip("192.0.2.10") || left.Round(time.Second) != 500*time.Second {
			t.Errorf("step %d: vm1 is %v for %v, %v", step, addr, left, ok)
		}
		if err := b.Allowed("lab", guest(3, ""), ip("192.0.2.10"), at(101+step)); err == nil {
			t.Errorf("step %d: the address is given to another client", step)
		}
		b.commit(102 + step)
		if got := b.store.leases[place{"lab", ip("192.0.2.10")}]; !got.Expiry.Equal(at(600+step)) || !got.Start.Equal(at(step)) {
			t.Errorf("step %d: stored from %v to %v", step, got.Start, got.Expiry)
		}
		if got := b.store.leases[place{"lab", ip("192.0.2.20")}]; !got.Expiry.Equal(at(50 + quarantineTime + step)) {
			t.Errorf("step %d: rests until %v", step, got.Expiry)
		}
		if !strings.Contains(out.String(), "the time of day was set") {
			t.Errorf("step %d: logged: %s", step, out.String())
		}
		l := b.lease(guest(1, "vm1"), "192.0.2.10", 600, 300+step)
		if !l.Start.Equal(at(step)) || !l.Expiry.Equal(at(900+step)) {
			t.Errorf("step %d: renewed from %v to %v", step, l.Start, l.Expiry)
		}
		b.commit(899 + step)
		if _, _, ok := b.AddrOf("lab", []byte("vm1"), at(899+step)); !ok {
			t.Errorf("step %d: ended early", step)
		}
		b.commit(900 + step)
		if _, _, ok := b.AddrOf("lab", []byte("vm1"), at(900+step)); ok {
			t.Errorf("step %d: goes on", step)
		}
	}
}

// TestTheTimeOfDayWasWrongAtTheStart is a machine without a battery: it starts in the past, and learns the time from the network.
func TestTheTimeOfDayWasWrongAtTheStart(t *testing.T) {
	const years = 6 * 365 * 86400
	stored := Lease{
		Network: "lab", Addr: ip("192.0.2.10"), ID: guest(1, "").ID, HWType: 1, HWAddr: hw(1), Name: "vm1", State: Bound,
		Start: at(years - 1000), LastSeen: at(years - 1000), Expiry: at(years + 2600),
	}
	b := newBench(t, labNetwork(250), stored)
	ahead := setTime(b)
	b.lease(guest(2, "vm2"), "192.0.2.20", 3600, 10)
	*ahead = years * time.Second
	b.commit(years + 20)
	want := []Lease{stored, {
		Network: "lab", Addr: ip("192.0.2.20"), ID: guest(2, "").ID, HWType: 1, HWAddr: hw(2), Name: "vm2", RequestedName: "vm2", State: Bound,
		Start: at(years + 10), LastSeen: at(years + 10), Expiry: at(years + 3610),
	}}
	got := b.Leases("")
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("leases: %+v", got)
	}
	b.commit(years + 2600)
	if l, _ := b.ByAddr("lab", ip("192.0.2.10")); l.State != Expired {
		t.Errorf("%v at its end", l.State)
	}
}

// TestTheTimeOfDayIsSetWhileLeasesAreWritten: what was written by the old time is written again.
func TestTheTimeOfDayIsSetWhileLeasesAreWritten(t *testing.T) {
	b := newBench(t, labNetwork(250))
	ahead := setTime(b)
	b.submit(b.bind(guest(1, "vm1"), "192.0.2.10", 600, 0))
	b.store.FailWith(func([]Lease) error {
		*ahead = time.Hour
		b.ByAddr("lab", ip("192.0.2.10"))
		_ = b.Allowed("lab", guest(2, ""), ip("192.0.2.20"), at(3601))
		return nil
	})
	b.commit(0)
	b.store.FailWith(nil)
	b.commit(3602)
	if got := b.store.leases[place{"lab", ip("192.0.2.10")}]; !got.Expiry.Equal(at(4200)) {
		t.Errorf("stored until %v", got.Expiry)
	}
}

// TestTheTimeOfDayIsSetWhileARenewalFails: what the client goes back to is stored by the new time too.
func TestTheTimeOfDayIsSetWhileARenewalFails(t *testing.T) {
	b := newBench(t, labNetwork(250))
	ahead := setTime(b)
	b.lease(guest(1, "vm1"), "192.0.2.10", 600, 0)
	b.lease(guest(2, "vm2"), "192.0.2.20", 600, 0)
	renewal := b.bind(guest(1, "vm1"), "192.0.2.10", 600, 300)
	*ahead = time.Hour
	b.broken = true
	verdict := b.submit(renewal)
	b.commit(3901)
	if *verdict == nil {
		t.Fatal("the renewal is committed")
	}
	b.broken = false
	b.commit(3902)
	for _, addr := range []string{"192.0.2.10", "192.0.2.20"} {
		if got := b.store.leases[place{"lab", ip(addr)}]; !got.Expiry.Equal(at(4200)) {
			t.Errorf("%s is stored until %v", addr, got.Expiry)
		}
	}
}

// TestTheTimeOfDayIsRightAgainWhileARenewalFails: a lease that was stored under a right clock, before the start under a wrong one, keeps its
// time also where its client was about to renew it.
func TestTheTimeOfDayIsRightAgainWhileARenewalFails(t *testing.T) {
	const years = 6 * 365 * 86400
	stored := Lease{
		Network: "lab", Addr: ip("192.0.2.10"), ID: guest(1, "").ID, HWType: 1, HWAddr: hw(1), Name: "vm1", State: Bound,
		Start: at(years - 1000), LastSeen: at(years - 1000), Expiry: at(years + 2600),
	}
	b := newBench(t, labNetwork(250), stored)
	ahead := setTime(b)
	renewal := b.bind(guest(1, "vm1"), "192.0.2.10", 3600, 10)
	*ahead = years * time.Second
	b.broken = true
	b.submit(renewal)
	b.commit(years + 20)
	b.broken = false
	b.commit(years + 21)
	if got, _ := b.ByAddr("lab", ip("192.0.2.10")); got != stored {
		t.Errorf("after a failed renewal: %+v", got)
	}
	if got := b.store.leases[place{"lab", ip("192.0.2.10")}]; got != stored {
		t.Errorf("stored: %+v", got)
	}
}

// TestTheClockIsWatched: nobody may set the clock of a machine that runs tests (make test-long sets that of an emulated one), but the watch begins,
// and ends when it is to.
func TestTheClockIsWatched(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := watchClock(ctx, func() { t.Error("the clock is said to be set") }); err != nil || ctx.Err() == nil {
		t.Errorf("it ended before it was to: %v", err)
	}
}
