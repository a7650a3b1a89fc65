package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// freeRoom is how much may be allocated between two collections of garbage, in bytes. By the runtime's default it is as much as is in use: a
// collection every few thousand questions while that is little, and memory of twice a large cache's size.
const freeRoom = 32 << 20

// Bounds of the percentage: below, a large heap would be looked through too often; above, one that has just grown would leave too much
// unused.
const (
	leastGarbage = 20
	mostGarbage  = 400
)

// boundGarbage keeps freeRoom from now on, for the whole process. GOGC of the environment goes first.
var boundGarbage = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		percent := garbagePercent(inUse())
		debug.SetGCPercent(percent)
		afterCollection(percent)
	}
})

// afterCollection follows what is in use, collection by collection: an object that nobody holds tells of each.
func afterCollection(percent int) {
	runtime.AddCleanup(new(sentinel), func(before int) {
		now := garbagePercent(inUse())
		// Each change stops everything for a moment.
		if 10*now > 9*before && 9*now < 10*before {
			now = before
		} else {
			debug.SetGCPercent(now)
		}
		afterCollection(now)
	}, percent)
}

// sentinel is large enough that it shares its memory with no other object.
type sentinel [64]byte

// garbagePercent is what GOGC has to be so that freeRoom may be allocated on top of what is in use, in bytes.
func garbagePercent(inUse uint64) int {
	return int(min(mostGarbage, max(leastGarbage, 100*freeRoom/max(inUse, 1))))
}

// inUse is what the last collection found in use, in bytes.
func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
