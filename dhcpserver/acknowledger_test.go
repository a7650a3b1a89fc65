package dhcpserver

import "testing"

// TestAbandonedOnStop: what the disk didn't take in time for the stop is counted.
func TestAbandonedOnStop(t *testing.T) {
	s := &Server{counters: newCounters(), committed: make(chan *batch)}
	s.underway.Add(3)
	abandon := make(chan struct{})
	close(abandon)
	(&acknowledger{s: s}).run(nil, abandon)
	if n := s.Stats()[string(ReasonAbandoned)]; n != 3 {
		t.Errorf("%d are counted, want 3", n)
	}
}
