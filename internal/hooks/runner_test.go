package hooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func bound(name string) Config {
	return Config{Name: name, Events: []string{"lease.bound"}, Timeout: 10 * time.Second, Command: []string{"/nonexistent"}}
}

// told is a deliver that writes down what it was told.
type told struct {
	mu     sync.Mutex
	events []Event
	now    map[string]int // addresses that it is being told of, in numbers
	most   int            // at a time
}

func (d *told) begin(e *Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		d.now = map[string]int{}
	}
	d.now[e.Lease.Address.String()]++
	d.most = max(d.most, len(d.now))
	d.events = append(d.events, *e)
}

func (d *told) end(e *Event) (together int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	together = d.now[e.Lease.Address.String()]
	delete(d.now, e.Lease.Address.String())
	return together
}

func (d *told) ids() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, e := range d.events {
		out = append(out, e.ID)
	}
	return out
}

func TestEventsOfAnAddressComeInOrderAndOthersBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const addresses, each = 7, 20
		var log journal
		r := New([]Config{bound("h")}, log.logger())
		var d told
		r.deliver = func(_ context.Context, _ *hook, _ *Config, e *Event) (string, error) {
			d.begin(e)
			// Whatever comes later is quicker.
			time.Sleep(time.Duration(each*addresses-len(d.ids())) * time.Millisecond)
			if n := d.end(e); n != 1 {
				t.Errorf("%d events of %v at a time", n, e.Lease.Address)
			}
			return "", nil
		}
		start(t, r)
		for n := range each * addresses {
			r.Deliver(event(n, n%addresses))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		last := map[string]int{}
		for _, e := range d.events {
			var n int
			if _, err := fmt.Sscanf(e.ID, "START-%d", &n); err != nil {
				t.Fatal(err)
			}
			addr := e.Lease.Address.String()
			if before, ok := last[addr]; ok && before >= n {
				t.Errorf("of %s, %d comes after %d", addr, n, before)
			}
			last[addr] = n
		}
		if len(d.events) != each*addresses || d.most != workersPerHook {
			t.Errorf("%d events, %d at a time", len(d.events), d.most)
		}
		if got := stats(r, "h"); got.Delivered != each*addresses || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAHookThatHangsDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = queueLength + workersPerHook + 100
		var log journal
		r := New([]Config{bound("hangs"), bound("quick")}, log.logger())
		release := make(chan struct{})
		var mu sync.Mutex
		var missed []uint64
		r.deliver = func(_ context.Context, _ *hook, cfg *Config, e *Event) (string, error) {
			if cfg.Name == "hangs" {
				<-release
				if e.Missed > 0 {
					mu.Lock()
					missed = append(missed, e.Missed)
					mu.Unlock()
				}
			}
			return "", nil
		}
		start(t, r)
		begin := time.Now()
		for n := range events {
			r.Deliver(event(n, n%200))
			synctest.Wait()
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("delivering waited for %v", took)
		}
		if got := stats(r, "quick"); got.Delivered != events || got.Dropped != 0 {
			t.Errorf("the quick one: %+v", got)
		}
		if got := stats(r, "hangs"); got.Delivered != 0 || got.Dropped != 100 || got.Waiting != events-100 || !got.Behind {
			t.Errorf("the hanging one: %+v", got)
		}
		close(release)
		synctest.Wait()
		if got := stats(r, "hangs"); got.Delivered != events-100 || got.Waiting != 0 || got.Behind {
			t.Errorf("afterwards: %+v", got)
		}
		// Whatever is told next says so, once.
		r.Deliver(event(events, 1))
		synctest.Wait()
		var sum uint64
		for _, n := range missed {
			sum += n
		}
		if sum != 100 {
			t.Errorf("missed: %v", missed)
		}
		if log.count("falls behind") != 1 || log.count("\"the hook has caught up\"") != 1 {
			t.Errorf("the log says\n%s", log.String())
		}
	})
}

func TestWhatAHookMissesIsToldWithTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := New([]Config{bound("h")}, log.logger())
		fails := true
		var missed []uint64
		r.deliver = func(_ context.Context, _ *hook, _ *Config, e *Event) (string, error) {
			if fails {
				return "no\nroom", errors.New("exit status 1")
			}
			missed = append(missed, e.Missed)
			return "", nil
		}
		start(t, r)
		for n := range 3 {
			r.Deliver(event(n, 1))
			synctest.Wait()
		}
		if got := stats(r, "h"); got.Failed != 3 || got.Failures != 3 || got.LastError != "exit status 1: room" || got.LastErrorAt.IsZero() {
			t.Errorf("%+v", got)
		}
		fails = false
		r.Lost(5)
		for n := range 2 {
			r.Deliver(event(n, 1))
			synctest.Wait()
		}
		if diff := cmp.Diff([]uint64{8, 0}, missed); diff != "" {
			t.Error(diff)
		}
		if got := stats(r, "h"); got.Delivered != 2 || got.Failures != 0 || got.Dropped != 5 || got.Behind {
			t.Errorf("%+v", got)
		}
		if !strings.Contains(log.String(), `output="no\nroom"`) {
			t.Errorf("the log says\n%s", log.String())
		}
	})
}

func TestTheEndIsSoonAndSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := New([]Config{bound("quick"), bound("hangs")}, log.logger())
		r.deliver = func(ctx context.Context, _ *hook, cfg *Config, _ *Event) (string, error) {
			if cfg.Name == "quick" {
				time.Sleep(time.Second)
				return "", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		}
		stop := start(t, r)
		for n := range 10 {
			r.Deliver(event(n, n))
		}
		begin := time.Now()
		stop()
		if took := time.Since(begin); took != grace {
			t.Errorf("the end takes %v", took)
		}
		if got := stats(r, "quick"); got.Delivered != 10 {
			t.Errorf("the quick one: %+v", got)
		}
		if log.count("the end comes before") != 1 || !strings.Contains(log.String(), "hook=hangs events=10") {
			t.Errorf("the log says\n%s", log.String())
		}
	})
}

func TestReconfigureByDifferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := New([]Config{bound("stays"), bound("goes")}, log.logger())
		release := make(chan struct{})
		var d, goes told
		r.deliver = func(_ context.Context, _ *hook, cfg *Config, e *Event) (string, error) {
			<-release
			if cfg.Name == "goes" {
				goes.begin(e)
			}
			if cfg.Name == "stays" {
				d.begin(e)
				d.end(e)
				if n := len(d.ids()); n > 1 && cfg.User != "nobody" {
					t.Error("told by the old configuration")
				}
			}
			return "", nil
		}
		start(t, r)
		for n := range 3 {
			r.Deliver(event(n, 1))
		}
		synctest.Wait()
		stays := bound("stays")
		stays.User = "nobody"
		comes := bound("comes")
		comes.Networks = []string{"dmz"}
		r.Reconfigure([]Config{comes, stays})
		if !strings.Contains(log.String(), `"the hook is removed before it was told everything" hook=goes events=2`) {
			t.Errorf("the log says\n%s", log.String())
		}
		r.Deliver(event(3, 1))
		close(release)
		synctest.Wait()
		if diff := cmp.Diff([]string{"START-0", "START-1", "START-2", "START-3"}, d.ids()); diff != "" {
			t.Error(diff)
		}
		// What was under way is ended, and nothing more.
		if diff := cmp.Diff([]string{"START-0"}, goes.ids()); diff != "" {
			t.Error(diff)
		}
		if got := r.Stats(); len(got) != 2 || got[0].Name != "comes" || got[0].Delivered != 0 || got[1].Delivered != 4 {
			t.Errorf("%+v", got)
		}
		if !r.Wants("lease.bound", "dmz") || r.Wants("lease.expired", "dmz") || r.Empty() {
			t.Error("wants the wrong events")
		}
		r.Reconfigure(nil)
		if !r.Empty() || r.Wants("lease.bound", "lab") {
			t.Error("not empty")
		}
	})
}

func TestTheLogIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := New([]Config{bound("h")}, log.logger())
		r.deliver = func(context.Context, *hook, *Config, *Event) (string, error) { return "", errors.New("no") }
		start(t, r)
		for n := range 1000 {
			r.Deliver(event(n, n%200))
			synctest.Wait()
		}
		if n := log.count("the hook fails"); n != logBurst {
			t.Errorf("%d lines", n)
		}
		time.Sleep(logPace)
		r.Deliver(event(1000, 1))
		synctest.Wait()
		if n := log.count("suppressed=995"); n != 1 {
			t.Errorf("after a minute:\n%s", log.String())
		}
	})
}
