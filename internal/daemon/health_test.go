package daemon

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"labnet/netcfg"
)

func TestALookServesManyWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent[int]
		looks := 0
		find := func() int {
			time.Sleep(time.Second)
			looks++
			return looks
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if got := r.get(5*time.Second, 2*time.Second, find); got != 1 {
					t.Errorf("the first look: %d", got)
				}
			})
		}
		all.Wait()
		time.Sleep(3 * time.Second)
		if got := r.get(5*time.Second, 2*time.Second, find); got != 1 {
			t.Errorf("after four seconds: %d", got)
		}
		time.Sleep(time.Second)
		if got := r.get(5*time.Second, 2*time.Second, find); got != 2 {
			t.Errorf("after five seconds: %d", got)
		}
	})
}

func TestALookThatTakesTooLongHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent[string]
		if got := r.get(time.Second, time.Second, func() string { return "old" }); got != "old" {
			t.Fatal(got)
		}
		time.Sleep(time.Minute)
		end := make(chan struct{})
		var stuck sync.WaitGroup
		stuck.Go(func() {
			r.get(time.Second, time.Second, func() string { <-end; return "new" })
		})
		synctest.Wait()
		before := time.Now()
		if got := r.get(time.Second, time.Second, func() string { return "another" }); got != "old" || time.Since(before) != time.Second {
			t.Errorf("%s after %v", got, time.Since(before))
		}
		close(end)
		stuck.Wait()
		if got := r.get(time.Hour, time.Second, func() string { return "another" }); got != "new" {
			t.Error(got)
		}

		// One that panics is tried again by the next.
		func() {
			defer func() { _ = recover() }()
			r.get(0, time.Second, func() string { panic("a bug") })
		}()
		if got := r.get(0, time.Second, func() string { return "again" }); got != "again" {
			t.Error(got)
		}
	})
}

func TestTroublesKeepTheirKinds(t *testing.T) {
	var found troubles
	found.add(ofHost)
	found.add(ofStore, problemsOf("the disk is full")...)
	found.add(ofHooks, problemsOf("one", "two")...)
	reasons := found.reasons()
	if len(reasons) != 3 || len(found.problems()) != 3 || reasons[0].Kind != "store" || reasons[0].Summary != "the disk is full" || reasons[2].Kind != "hook" || reasons[2].Summary != "two" {
		t.Errorf("%+v", reasons)
	}
}

func TestEveryKindIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds() {
		if !strings.Contains(string(text), "\n| `"+string(k)+"` | ") {
			t.Errorf("docs/operations.md doesn't say what %s is", k)
		}
	}
}

func problemsOf(summaries ...string) (out []netcfg.Problem) {
	for _, s := range summaries {
		out = append(out, netcfg.Problem{Summary: s})
	}
	return out
}
