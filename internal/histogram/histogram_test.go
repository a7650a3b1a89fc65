package histogram

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBucketsContainTheirUpperEnd(t *testing.T) {
	h := New(time.Millisecond, time.Second)
	for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond, time.Millisecond + 1, time.Second, time.Second + 1, time.Hour} {
		h.Observe(d)
	}
	want := Reading{
		Bounds: []time.Duration{time.Millisecond, time.Second},
		Counts: []uint64{3, 2, 2},
		Sum:    2*time.Millisecond + 2*time.Second + 2 + time.Hour,
	}
	got := h.Read()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.Count() != 7 {
		t.Errorf("count %d", got.Count())
	}
}

func TestManyObserveAtOnce(t *testing.T) {
	h := New(time.Millisecond)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				h.Observe(time.Microsecond)
				_ = h.Read()
			}
		})
	}
	all.Wait()
	if r := h.Read(); r.Count() != 8000 || r.Sum != 8*time.Millisecond {
		t.Errorf("%+v", r)
	}
	if n := testing.AllocsPerRun(100, func() { h.Observe(time.Second) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
