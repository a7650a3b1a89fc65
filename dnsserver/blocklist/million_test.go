package blocklist

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const million = 1_000_000

// millionNames writes a hosts file of a million different names, as long as those of lists that people use, 25 letters.
func millionNames(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range million {
		fmt.Fprintf(w, "0.0.0.0 %s%06d.track%02d.example\n", "advertising"[:r.IntN(8)], i, r.IntN(100))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// taken is how many bytes of memory a set has.
func (s *Set) taken() int {
	total := 0
	for _, p := range s.memory.pieces {
		total += len(p)
	}
	return total + 24*cap(s.chunks)
}

func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestAMillionNames holds what they cost, and says how long they take.
func TestAMillionNames(t *testing.T) {
	path := millionNames(t)
	start, began := time.Now(), processorTime(t)
	s, report, err := Read(path)
	took, used := time.Since(start), processorTime(t)-began
	if err != nil {
		t.Fatal(err)
	}
	size := s.taken()
	t.Logf("%d names: %d ms, %d ms of a processor, %.1f MiB", s.Len(), took.Milliseconds(), used.Milliseconds(), float64(size)/(1<<20))
	if report.Names != million || report.Bad != 0 {
		t.Errorf("%+v", report)
	}
	if size > 40<<20 {
		t.Errorf("a million names take %d bytes", size)
	}
}

func BenchmarkReadAMillion(b *testing.B) {
	path := millionNames(b)
	for b.Loop() {
		s, _, err := Read(path)
		if err != nil {
			b.Fatal(err)
		}
		s.memory.free()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/million")
}

func BenchmarkMatch(b *testing.B) {
	s, _, err := Read(millionNames(b))
	if err != nil {
		b.Fatal(err)
	}
	l := List{s}
	r := rand.New(rand.NewPCG(5, 6))
	for name, format := range map[string]string{"blocked": "0.0.0.0 advertising%07d.tracker%d.example", "free": "www%07d.site%d.example.org"} {
		b.Run(name, func(b *testing.B) {
			var names [][]byte
			for range 1 << 16 {
				text := fmt.Sprintf(format, r.IntN(million), r.IntN(1000))
				if name == "blocked" {
					slot := r.IntN(len(s.tags))
					for s.tags[slot] == 0 {
						slot = r.IntN(len(s.tags))
					}
					entry := s.entry(uint(slot))
					names = append(names, entry[1:1+wireLen(entry[1:])])
					continue
				}
				names = append(names, wire(b, text))
			}
			hits, i := 0, 0
			for b.Loop() {
				if v, _ := l.Match(names[i&(1<<16-1)]); v == Blocked {
					hits++
				}
				i++
			}
			if (hits > 0) != (name == "blocked") {
				b.Errorf("%d blocked", hits)
			}
		})
	}
}
