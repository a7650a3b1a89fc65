package dnsserver

import "fmt"

// Pulses returns a number for each loop that answers questions or receives upstreams' answers, by its name. It is even while the loop waits
// for something to do, and grows by one with each change: an odd number that stays the same is a loop that is stuck. While the
// configuration is being changed only the upstreams' is told. It waits for nothing, and may be called by any goroutine.
func (s *Server) Pulses() map[string]uint64 {
	pulses := map[string]uint64{"dns upstreams": s.pump.pulse.Load()}
	if !s.mu.TryLock() {
		return pulses
	}
	defer s.mu.Unlock()
	for at, l := range s.listeners {
		for i, socket := range l.udp {
			pulses[fmt.Sprintf("dns %v socket %d", at, i)] = socket.pulse.Load()
		}
	}
	return pulses
}
