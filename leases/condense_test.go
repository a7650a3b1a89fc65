package leases

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// TestCondensedHistoryIsTheSame writes random lives of a few addresses record by record, and condensed in pieces of random
// length: leases and history are the same, but for the ends of those that were prolonged in between.
func TestCondensedHistoryIsTheSame(t *testing.T) {
	const seed1, seed2 = 7, 11
	random := rand.New(rand.NewPCG(seed1, seed2))
	for range 4 {
		var records []Lease
		for range 400 {
			l := stored(10 + random.IntN(3))
			if random.IntN(4) == 0 {
				who := stored(20 + random.IntN(2))
				l.ID, l.HWAddr, l.Name = who.ID, who.HWAddr, who.Name
			}
			if random.IntN(8) == 0 {
				l.Name = "renamed"
			}
			if random.IntN(8) == 0 {
				l.State = State(int(Bound) + random.IntN(int(Expired-Bound)+1))
			}
			l.Start = at(random.IntN(2))
			l.LastSeen, l.Expiry = at(len(records)), at(3600+len(records))
			records = append(records, l)
		}
		var got [2]string
		for i, piece := range []func() int{func() int { return 1 }, func() int { return 1 + random.IntN(100) }} {
			path := filepath.Join(t.TempDir(), "leases.db")
			s := openStore(t, path)
			s.nextPrune = time.Now().Add(time.Hour) // these are old
			s.dbMu.Lock()
			for rest := records; len(rest) > 0; {
				n := min(piece(), len(rest))
				if err := s.write(condense(rest[:n]), transaction{}); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			s.dbMu.Unlock()
			got[i] = shell(t, path, `SELECT * FROM leases;
				SELECT network, addr, client, hwaddr, name, state, since, until FROM history ORDER BY addr, id`)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got[0] != got[1] {
			t.Fatalf("record by record:\n%s\n\ncondensed:\n%s", got[0], got[1])
		}
	}
}
