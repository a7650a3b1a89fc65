package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/control"
)

// completes is what the shell gets for a command line whose last word is typed.
func completes(t *testing.T, socket, config, line string) []string {
	t.Helper()
	words := strings.Split(line, " ")
	last := words[len(words)-1]
	args := append([]string{"__complete", "--socket", socket, "-c", config}, words[:len(words)-1]...)
	got := labnet(t, nil, append(args, last)...)
	if got.Code != exitDone {
		t.Fatalf("%q: %+v", line, got)
	}
	lines := strings.Split(strings.TrimSuffix(got.Out, "\n"), "\n")
	if directive := lines[len(lines)-1]; !strings.HasPrefix(directive, ":") {
		t.Fatalf("%q ends with %q", line, directive)
	}
	// As shells do.
	return slices.DeleteFunc(lines[:len(lines)-1], func(word string) bool { return !strings.HasPrefix(word, last) })
}

func TestCompletionAsksTheDaemon(t *testing.T) {
	socket, stop := serveFake(t, &fake{
		leases: exampleLeases(),
		reserved: []control.Reservation{
			{Network: "lab", Name: "db", MAC: "52:54:00:00:00:77", Origin: control.OriginRuntime}, {Network: "lab", Name: "web", Origin: control.OriginFile},
		},
	})
	defer stop()
	for _, test := range []struct{ line, want string }{
		{"leases show b", "builder\t10.0.0.57"},
		{"leases show 10.0.0.6", "10.0.0.60\t52:54:00:00:00:02;10.0.0.66\tx-31mowned;10.0.0.67\t52:54:00:ab:cd:f0"},
		{"leases release builder ", ""},
		{"leases --network ", "dmz\trouted, 10.1.0.1/24;lab\trouted, 10.0.0.1/24"},
		{"leases unreserve ", "db"},
		{"leases --sort vendor", "vendor_class"},
		{"leases -o nd", "ndjson"},
		{"explain dns --type AA", "AAAA"},
		{"trace dhcp --reason na", "nak\t1 times"},
		{"taps add ", ""},
		{"taps add --owner ro", "root\tnumber 0"},
		{"taps add --host we", "web"},
		{"taps add --print li", "libvirt"},
		{"init ro", "routed\ta network of their own behind this host"},
		{"run --log-level w", "warn"},
		{"stat", "status\tShow how the daemon and its networks are"},
	} {
		got := strings.Join(completes(t, socket, filepath.Join(t.TempDir(), "none.hcl"), test.line), ";")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q:\n%s", test.line, diff)
		}
	}
}

// TestCompletionWithoutADaemon: the configuration has names too.
func TestCompletionWithoutADaemon(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "labnet.hcl")
	if err := os.WriteFile(config, []byte(`
network "lab" {
  address = "10.0.0.1/24"
  host "web" {
    mac     = "52:54:00:aa:00:10"
    address = "10.0.0.10"
  }
  tap "tap-web" {}
}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ line, want string }{
		{"leases --network ", "lab\trouted, 10.0.0.1/24"},
		{"explain dhcp ", "10.0.0.10\tweb;52:54:00:aa:00:10\tweb;web\t10.0.0.10"},
		{"doctor w", "web\t10.0.0.10"},
		{"trace dhcp --mac ", "52:54:00:aa:00:10\tweb"},
		{"taps args ", "tap-web\tin lab"},
		{"taps del ", ""}, // what the file makes isn't to be deleted
		{"taps run --host ", "web\t10.0.0.10"},
		{"trace dns --reason ", ""},
	} {
		if diff := cmp.Diff(test.want, strings.Join(completes(t, filepath.Join(dir, "none.sock"), config, test.line), ";")); diff != "" {
			t.Errorf("%q:\n%s", test.line, diff)
		}
	}
	if err := os.WriteFile(config, []byte("network {"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := completes(t, filepath.Join(dir, "none.sock"), config, "leases --network "); len(got) != 0 {
		t.Errorf("by a broken configuration: %q", got)
	}
}

// TestCompletionDoesNotWait: a daemon that says nothing keeps nobody from typing.
func TestCompletionDoesNotWait(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "labnet.sock")
	silent, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	if got := completes(t, socket, filepath.Join(t.TempDir(), "none.hcl"), "leases show "); len(got) != 0 {
		t.Errorf("a silent daemon says %q", got)
	}
}

func TestFittingWords(t *testing.T) {
	many := make([]string, mostCompletions+100)
	for i := range many {
		many[i] = fmt.Sprintf("vm%04d", i)
	}
	for _, test := range []struct {
		all, args []string
		typed     string
		want      int
	}{
		{[]string{"b\tone", "a", "b\ttwo", ""}, nil, "", 2},
		{[]string{"tap0\tin lab", "tap1\tin lab"}, []string{"tap0"}, "", 1},
		{[]string{"web", "db"}, nil, "w", 1},
		{many, nil, "vm", mostCompletions},
	} {
		if got := fitting(test.all, test.args, test.typed); len(got) != test.want {
			t.Errorf("%q: %d words, want %d: %q", test.typed, len(got), test.want, got)
		}
	}
}
