package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStuckLoopsAreFound(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	var p pulses
	for _, look := range []struct {
		after time.Duration
		seen  map[string]uint64
		want  []string
	}{
		{0, map[string]uint64{"idle": 4, "busy": 1, "stuck": 7}, nil},
		{stuckLoop, map[string]uint64{"idle": 4, "busy": 101, "stuck": 7}, nil},
		{stuckLoop + time.Second, map[string]uint64{"idle": 4, "busy": 303, "stuck": 7, "new": 1}, []string{"stuck"}},
		{2 * stuckLoop, map[string]uint64{"idle": 4, "busy": 303, "stuck": 8, "new": 1}, nil},
		{3 * stuckLoop, map[string]uint64{"idle": 4, "busy": 303, "stuck": 8}, []string{"busy"}},
		{3*stuckLoop + time.Second, map[string]uint64{"idle": 4, "busy": 305, "new": 1}, nil},
	} {
		if got := p.stuck(look.seen, start.Add(look.after)); !cmp.Equal(got, look.want) {
			t.Errorf("after %v: %v, want %v", look.after, got, look.want)
		}
	}
}
