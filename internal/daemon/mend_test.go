package daemon

import (
	"testing"
	"time"
)

func TestMendingRests(t *testing.T) {
	var m mending
	now := time.Unix(1000, 0)
	for range mendsAMinute {
		if !m.may(now) {
			t.Fatal("too soon")
		}
		m.done = append(m.done, now)
		now = now.Add(time.Second)
	}
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {mendRest - time.Second, false}, {mendRest, true}} {
		if got := m.may(now.Add(c.after)); got != c.want {
			t.Errorf("%v after the last one: %v", c.after, got)
		}
	}
	m = mending{}
	for range 3 * mendsAMinute {
		if !m.may(now) {
			t.Fatal("a repair in a while is no fight")
		}
		m.done = append(m.done, now)
		now = now.Add(mendRest / 3)
	}
}
