package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	"labnet/internal/control"
)

// BenchmarkList is what the program does with each lease of a long list, by format.
func BenchmarkList(b *testing.B) {
	example := exampleLeases()[0]
	for _, out := range listFormats {
		b.Run(out, func(b *testing.B) {
			b.ReportAllocs()
			all := func(yield func(control.Lease, error) bool) {
				for i := range b.N {
					l := example
					l.Name = fmt.Sprint("guest", i)
					if !yield(l, nil) {
						return
					}
				}
			}
			if err := writeList(io.Discard, format(out), all, leaseView(time.Now())); err != nil {
				b.Fatal(err)
			}
		})
	}
}
