package leases

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// BenchmarkMove is what moving 20,000 leases of 60,000 into the database costs each: new ones, and renewals in any order.
func BenchmarkMove(b *testing.B) {
	const held, moved = 60000, 20000
	for _, kind := range []string{"new", "renewals"} {
		b.Run(kind, func(b *testing.B) {
			all := crowdLeases(held)
			for i := range all {
				all[i].LastSeen = all[i].Start
			}
			for b.Loop() {
				b.StopTimer()
				s := openStore(b, filepath.Join(b.TempDir(), "leases.db"))
				batch := all[held-moved:]
				if kind == "renewals" {
					if err := s.write(condense(all), transaction{}); err != nil {
						b.Fatal(err)
					}
					batch = make([]Lease, moved)
					for i := range batch {
						batch[i] = all[rand.IntN(held)]
						batch[i].LastSeen = at(5000)
						batch[i].Expiry = at(9000)
					}
				}
				b.StartTimer()
				if err := s.write(condense(batch), transaction{moved: 1}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_ = s.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/moved, "us/lease")
		})
	}
}
