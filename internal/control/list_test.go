package control

import (
	"errors"
	"testing"
	"time"
)

func TestTheEndOfTheDaemonEndsLists(t *testing.T) {
	backend := &table{leases: make([]Lease, 20_000)} // more than fits between both
	path, stop := serveWith(t, backend, nil)
	began := false
	for _, err := range client(t, path).Leases(t.Context(), LeaseQuery{}) {
		if began {
			if err != nil {
				if !errors.Is(err, ErrNotRunning) {
					t.Errorf("the reader of a list that was cut off is told %v", err)
				}
				return
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		began = true
		now := time.Now()
		stop()
		if took := time.Since(now); took > 4*time.Second {
			t.Errorf("a reader that doesn't read held up the end for %v", took)
		}
	}
	t.Error("the list was not cut off")
}
