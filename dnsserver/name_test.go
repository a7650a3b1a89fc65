package dnsserver

import (
	"bytes"
	"testing"
)

// TestLower tries every byte at every place of words and what is left of them.
func TestLower(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				b := bytes.Repeat([]byte{'@'}, length)
				b[at] = byte(c)
				want := bytes.Clone(b)
				if 'A' <= c && c <= 'Z' {
					want[at] += 'a' - 'A'
				}
				if lower(b); !bytes.Equal(b, want) {
					t.Fatalf("%#x at %d of %d: % x", c, at, length, b)
				}
			}
		}
	}
}
