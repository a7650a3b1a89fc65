package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"labnet/bench/report"
	"labnet/internal/nettest"
)

func TestMain(m *testing.M) { nettest.Main(m) }

// TestEverythingIsMeasured runs the benchmark as briefly as it can be run, with the servers that tests have anyway. It says nothing
// about speed.
func TestEverythingIsMeasured(t *testing.T) {
	nettest.NeedRoot(t)
	labnet := os.Getenv("LABNET_BINARY")
	if labnet == "" {
		labnet = filepath.Join("..", "..", "bin", "labnet")
	}
	labnet, err := filepath.Abs(labnet)
	if err != nil {
		t.Fatal(err)
	}
	bench := filepath.Join(t.TempDir(), "bench-dns")
	if out, err := exec.Command("go", "build", "-o", bench, ".").CombinedOutput(); err != nil {
		t.Fatalf("building it: %v: %s", err, out)
	}
	results := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(results, []byte("before\n"+report.BeginMarker("bench-dns")+"old\n"+report.EndMarker+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bench, "-quick", "-limit", "250ms", "-names", "1000", "-memory-names", "5000", "-labnet", labnet, "-dir", t.TempDir(), "-write", results,
		"-subjects", "labnet,echo,echo-go,echo-ruled,dnsmasq,bind,upstream", "-only", "hits,local,tcp,mixed,misses,workers,memory")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	written, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	text := string(written)
	for _, want := range []string{
		"before\n", "after\n", "### What labnet has to reach\n", "| cached names per CPU second, times those of echo in C | ",
		"### Cached names\n", "### The server's own names\n", "### Cached names over TCP\n", "### Nine cached names, one new one\n",
		"### New names, one question at a time\n", "### New names, 64 questions in flight\n", "### One worker and two\n", "### Memory with 5,000 cached names\n",
		"| labnet, two workers | ", "| echo in Go | ", "| echo in C, behind labnet's rules | ", "| BIND | ", "| the upstream itself | ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the results lack %q", want)
		}
	}
	if strings.Contains(text, "old\n") {
		t.Error("the old results are still there")
	}
	// Any server answers a thousand questions a second, and none ten million.
	for _, row := range regexp.MustCompile(`(?m)^\| (labnet|dnsmasq|BIND|echo in C) \| ([\d,]+) \| [\d,]+ to `).FindAllStringSubmatch(text, -1) {
		if rate, err := strconv.Atoi(strings.ReplaceAll(row[2], ",", "")); err != nil || rate < 100 || rate > 10_000_000 {
			t.Errorf("%s answers %s questions a second: %v", row[1], row[2], err)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
