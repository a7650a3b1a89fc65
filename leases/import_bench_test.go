package leases

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// BenchmarkImport imports 65,536 leases into a store on disk, as the daemon does: a commit after the other.
func BenchmarkImport(b *testing.B) {
	const many = 1 << 16
	n := Network{Name: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/15"), Gateway: ip("10.0.0.1"), Ranges: []Range{{ip("10.0.0.10"), ip("10.1.255.250")}}}
	for b.Loop() {
		store := must[*SQLite](b)(OpenSQLite(SQLiteConfig{Path: filepath.Join(b.TempDir(), "leases.db")}))
		table := must[*Table](b)(NewTable(Config{Networks: []Network{n}}, store, store.log))
		ctx, stop := context.WithCancel(b.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = table.Run(ctx) })
		now := time.Now()
		for i := 0; i < many; i += ImportMost {
			var in []Imported
			for j := i; j < i+ImportMost; j++ {
				l := theirs(guest(j, fmt.Sprintf("vm%d", j)), toAddr(toUint(ip("10.0.1.0"))+uint32(j)).String(), 0, 0)
				l.Lease.Start, l.Lease.LastSeen, l.Lease.Expiry = now, now, now.Add(time.Hour)
				in = append(in, l)
			}
			_, changes, err := table.Import("lab", in, now)
			if err != nil || len(changes) != len(in) {
				b.Fatal(len(changes), err)
			}
			committed := make(chan error)
			table.Submit(changes, func(err error) { committed <- err })
			if err := <-committed; err != nil {
				b.Fatal(err)
			}
		}
		stop()
		run.Wait()
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(many*float64(b.N)/b.Elapsed().Seconds(), "leases/s")
}
