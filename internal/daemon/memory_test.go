package daemon

import "testing"

func TestGarbageHasTheSameRoomWhateverIsInUse(t *testing.T) {
	for _, c := range []struct {
		inUse uint64
		want  int
	}{
		{0, mostGarbage}, {1 << 20, mostGarbage}, {16 << 20, 200}, {32 << 20, 100}, {64 << 20, 50}, {1 << 30, leastGarbage}, {1 << 50, leastGarbage},
	} {
		if got := garbagePercent(c.inUse); got != c.want {
			t.Errorf("%d bytes in use: %d percent, want %d", c.inUse, got, c.want)
		}
	}
}
