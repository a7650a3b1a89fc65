package tracer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// seen reads what waits in a subscription: event numbers, and the number of lost ones as negative numbers.
func seen(t *testing.T, sub *Subscription[int]) (out []int) {
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
			out = append(out, *e)
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
	var tracer Tracer[int]
	slow, odd := tracer.Subscribe(nil), tracer.Subscribe(func(e *int) bool { return *e%2 == 1 })
	for i := range buffer + 37 {
		tracer.Publish(new(i))
	}
	e, _, err := slow.Next(t.Context())
	if err != nil || *e != 0 {
		t.Fatalf("%v, %v", e, err)
	}
	// There is room for one again: the count stands before it, where the others are missing.
	tracer.Publish(new(9001))
	tracer.Publish(new(9002))
	want := append(sequence(1, buffer-1), -37, 9001, -1)
	if diff := cmp.Diff(want, seen(t, slow)); diff != "" {
		t.Errorf("the slow reader (-want +got):\n%s", diff)
	}
	tracer.Publish(new(9003))
	if diff := cmp.Diff([]int{9003}, seen(t, slow)); diff != "" {
		t.Errorf("after it has caught up:\n%s", diff)
	}
	if got := seen(t, odd); len(got) != (buffer+37)/2+2 || got[0] != 1 || got[len(got)-1] != 9003 {
		t.Errorf("the other reader sees %d: %v", len(got), got)
	}
	slow.Close()
	slow.Close()
	if tracer.Watchers() != 1 || !tracer.Watched() {
		t.Errorf("%d watch", tracer.Watchers())
	}
	odd.Close()
	if tracer.Watchers() != 0 || tracer.Watched() {
		t.Errorf("%d watch", tracer.Watchers())
	}
	tracer.Publish(new(9004))
	if got := seen(t, slow); got != nil {
		t.Errorf("after its end: %v", got)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tracer Tracer[int]
		sub := tracer.Subscribe(nil)
		defer sub.Close()
		go func() {
			time.Sleep(time.Hour)
			tracer.Publish(new(1))
		}()
		if e, _, err := sub.Next(t.Context()); err != nil || *e != 1 {
			t.Errorf("%v, %v", e, err)
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
	var tracer Tracer[int]
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
				tracer.Publish(new(i))
			}
		})
		work.Go(func() {
			for range 100 {
				sub := tracer.Subscribe(nil)
				tracer.Publish(new(0))
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
