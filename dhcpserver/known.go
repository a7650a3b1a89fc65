package dhcpserver

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Knowledge of addresses fades. A machine that comes to the link announces itself, and is heard: what makes a free address a
// used one seldom escapes us, and the limit covers the rest. Addresses are asked for anew before it.
const (
	freeTime  = 10 * time.Minute
	heardTime = 10 * time.Minute

	// maxKnown bounds what is kept of one kind, in each of two generations.
	maxKnown = 1 << 15
)

// fading is a bounded map of addresses that forgets. It has two generations: the older one goes when the younger one is
// full, or old.
type fading[V any] struct {
	young, old map[uint32]V
	since      time.Duration
}

func (f *fading[V]) get(addr uint32) (v V, ok bool) {
	if v, ok = f.young[addr]; !ok {
		v, ok = f.old[addr]
	}
	return v, ok
}

// put must not be called with times that go back.
func (f *fading[V]) put(addr uint32, v V, now time.Duration) {
	if f.young == nil || len(f.young) >= maxKnown || now-f.since > max(freeTime, heardTime) {
		f.young, f.old, f.since = make(map[uint32]V), f.young, now
	}
	f.young[addr] = v
}

func (f *fading[V]) remove(addr uint32) {
	delete(f.young, addr)
	delete(f.old, addr)
}

// user is the machine that was last heard using an address. Times are those of prober.
type user struct {
	mac      [6]byte // all zeros: the one that should have been there was asked and kept silent
	heard    time.Duration
	answered bool          // it answered a probe, so it is there
	excused  time.Duration // until then that is no reason to refuse the address
}

// numberOf is an IPv4 address as a key.
func numberOf(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}
