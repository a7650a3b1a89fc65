package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	pairs := []pair{
		{sample{rate: 100, cpu: 2}, sample{rate: 90, cpu: 2}},
		{sample{rate: 100, cpu: 2}, sample{rate: 99, cpu: 1}},
		{sample{rate: 50, cpu: 2}, sample{rate: 55, cpu: 4}},
	}
	write := func(float64) string { return "x" }
	for _, test := range []struct {
		got  []string
		want []string
	}{
		{row("rate", pairs, pair.rates, write), []string{"rate", "x", "x", "0.990 (0.900 to 1.100)", "yes"}},
		{row("rate", pairs[:1], pair.rates, write), []string{"rate", "x", "x", "0.900 (0.900 to 0.900)", "**no**"}},
		{spent("cpu", pairs, write), []string{"cpu", "x", "x", "1.000 (0.500 to 2.000)", ""}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestReportSaysWhatWasMeasured(t *testing.T) {
	b := &bench{
		opts: &options{pairs: 1}, throughput: []pair{{sample{rate: 10e9, cpu: 0.1}, sample{rate: 9.9e9, cpu: 0.1}}},
		connections: []pair{{sample{rate: 20000, cpu: 50}, sample{rate: 18000, cpu: 55}}},
	}
	text := b.report()
	for _, want := range []string{
		"| one TCP connection, Gbit/s | 10.00 | 9.90 | 0.990 (0.990 to 0.990) | yes |",
		"| connections opened a second | 20,000 | 18,000 | 0.900 (0.900 to 0.900) | **no** |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestBusyGrows(t *testing.T) {
	before, err := busy()
	if err != nil || before <= 0 {
		t.Fatalf("busy for %v: %v", before, err)
	}
}
