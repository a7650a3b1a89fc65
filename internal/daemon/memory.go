package daemon

import (
	"os"
	"runtime/debug"
)

// freeRoom is about how much memory the collector may let lie unused behind a large cache, in bytes.
const freeRoom = 64 << 20

// boundGarbage keeps what the process takes near what its cache may take: by the runtime's default, memory grows to twice of what
// is in use before any of it is looked through. GOGC of the environment goes first.
func boundGarbage(cacheSize int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent(cacheSize))
	}
}

// garbagePercent is between 100, the runtime's default, and 20: below that a cache that is being filled costs too much time.
func garbagePercent(cacheSize int64) int {
	return int(max(20, 100*freeRoom/max(cacheSize, freeRoom)))
}
