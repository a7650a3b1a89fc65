package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	pairs := []pair{
		{sample{100, time.Second, 2 * time.Second}, sample{90, time.Second, 1800 * time.Millisecond}},
		{sample{100, time.Second, 2 * time.Second}, sample{99, time.Second, 990 * time.Millisecond}},
		{sample{50, time.Second, time.Second}, sample{55, time.Second, 2200 * time.Millisecond}},
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
		opts: &options{pairs: 1}, throughput: []pair{{sample{10e9, time.Second, time.Second}, sample{9.9e9, time.Second, time.Second}}},
		connections: []pair{{sample{20000, time.Second, time.Second}, sample{18000, time.Second, time.Second}}},
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

// A packet's bytes, as the kernel would have to find them.
func TestPackets(t *testing.T) {
	for _, test := range []struct {
		name  string
		of    packet
		proto byte
		from  string
	}{
		{"the first of a connection", opening(3), 6, "10.0.0.2:30003"},
		{"an answer", synACK(flows + 1), 6, "192.0.2.1:40000"},
		{"a datagram", unanswered(2), 17, "10.0.0.2:20002"},
	} {
		b := test.of.append(nil)
		if b[0] != 0x45 || int(b[3]) != len(b) || b[9] != test.proto || ones(0, b[:ipLen]) != 0xffff {
			t.Errorf("%s: its IP header is %x", test.name, b[:ipLen])
		}
		pseudo := append(append([]byte{}, b[12:20]...), 0, b[9], 0, byte(len(b)-ipLen))
		if ones(ones(0, pseudo), b[ipLen:]) != 0xffff {
			t.Errorf("%s: its checksum is wrong: %x", test.name, b)
		}
		if got := test.of.from.String(); got != test.from {
			t.Errorf("%s comes from %s", test.name, got)
		}
	}
	if openPort+first.bursts*burst > 1<<16 || openPort < flowPort+flows {
		t.Error("ports of new connections are those of others")
	}
}

func TestCost(t *testing.T) {
	c := cost{title: "one", plain: []time.Duration{100, 200, 400}, labnet: []time.Duration{110, 200, 600}}
	if diff := cmp.Diff([]string{"one", "200", "200", "1.100 (1.000 to 1.500)", ""}, c.row()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
