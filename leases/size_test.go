package leases

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// realLeases are as labs have them: identifiers of RFC 4361 with the MAC in a DUID-LL, host names of eight characters, which become names.
func realLeases(count int) []Lease {
	leases := crowdLeases(count)
	for i := range leases {
		l := &leases[i]
		l.ID = ClientIDFromOption([]byte("\xff\x00\x00\x00\x01\x00\x03\x00" + string(l.HWAddr)))
		l.RequestedName = fmt.Sprintf("vm%06d", i)
		l.Name = l.RequestedName
		l.VendorClass = "systemd"
	}
	return leases
}

// heap is how much of it is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpu is what the process has used of it. Unlike the time it doesn't count what other processes do.
func cpu(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkLoadMillion is a start with a million leases, and what they take of the heap.
func BenchmarkLoadMillion(b *testing.B) {
	const count = 1_000_000
	path := filepath.Join(b.TempDir(), "leases.db")
	s := openStore(b, path)
	all := realLeases(count)
	for from := 0; from < count; from += 20_000 {
		batch := all[from : from+20_000]
		if err := s.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	flush(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		before := heap()
		begin, used := time.Now(), cpu(b)
		s := openStore(b, path)
		opened := time.Since(begin)
		table := must[*Table](b)(NewTable(Config{Networks: []Network{wide()}}, s, slog.New(slog.DiscardHandler)))
		if err := table.Load(context.Background(), epoch); err != nil {
			b.Fatal(err)
		}
		loaded := time.Since(begin)
		b.ReportMetric((cpu(b) - used).Seconds(), "cpu-s/start")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(opened.Seconds(), "s/open")
		b.ReportMetric(loaded.Seconds(), "s/start")
		b.ReportMetric(float64(heap()-before)/count, "B/lease")
		runtime.KeepAlive(table)
	}
}
