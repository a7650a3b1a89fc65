package main

import (
	"os"
	"os/exec"
	"path/filepath"
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
	bench := filepath.Join(t.TempDir(), "bench-dhcp")
	if out, err := exec.Command("go", "build", "-o", bench, ".").CombinedOutput(); err != nil {
		t.Fatalf("building it: %v: %s", err, out)
	}
	results := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(results, []byte("before\n"+report.BeginMarker("bench-dhcp")+"old\n"+report.EndMarker+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bench, "-quick", "-labnet", labnet, "-servers", "responder,labnet,dnsmasq", "-dir", t.TempDir(), "-write", results)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n", "after\n", "As a relay", "On the link, broadcast", "hardware address: frames", "New leases", "Renewals", "INIT-REBOOT",
		"| 32 | labnet | ", "| 32 | dnsmasq | ", "| 32 | no server: answers at once | ",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the results lack %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old\n") {
		t.Error("the old results are still there")
	}
}
