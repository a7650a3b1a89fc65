package dhcpserver

// Pulse returns a number that is even while the receiver waits for messages, and grows by one with each change: an odd number that stays the
// same is a receiver that is stuck. It may be called by any goroutine.
func (s *Server) Pulse() uint64 { return s.pulse.Load() }
