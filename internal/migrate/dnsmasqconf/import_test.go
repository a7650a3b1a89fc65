package dnsmasqconf

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

// testCase is testdata/NAME/case.json.
type testCase struct {
	Files []string          `json:"files"`
	Args  []string          `json:"args"`
	Links map[string]string `json:"links"` // the addresses of dnsmasq's interfaces
	Lossy bool              `json:"lossy"` // something is unsupported
}

func readCase(t *testing.T, dir string) testCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c testCase
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return c
}

func (c testCase) options(dir string) Options {
	o := Options{Root: dir, BlockList: "/etc/labnet/labnet.blocked", HostsFile: "/etc/labnet/labnet.hosts"}
	for _, name := range slices.Sorted(maps.Keys(c.Links)) {
		o.Addresses = append(o.Addresses, Interface{Name: name, Prefix: netip.MustParsePrefix(c.Links[name])})
	}
	return o
}

func netipPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func report(r *Result) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Level, f.Place(), f.Text)
		for _, note := range f.Notes {
			fmt.Fprintf(&b, "  %s\n", note)
		}
	}
	return b.String()
}

// TestGoldenConfigurations imports each configuration, compares, and loads what came out.
func TestGoldenConfigurations(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/case.json")
	if err != nil || len(dirs) < 12 {
		t.Fatalf("%d configurations: %v", len(dirs), err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := readCase(t, dir)
			result, mistakes := Import(c.Files, c.Args, c.options(dir))
			if len(mistakes) > 0 {
				t.Fatal(mistakes)
			}
			if lossy := result.Worst() == Unsupported; lossy != c.Lossy {
				t.Errorf("something is unsupported: %v, want %v", lossy, c.Lossy)
			}
			golden(t, filepath.Join(dir, "want.hcl"), string(result.HCL))
			golden(t, filepath.Join(dir, "want.report"), report(result))
			if len(result.Blocked) > 0 {
				golden(t, filepath.Join(dir, "want.blocked"), strings.Join(result.Blocked, "\n")+"\n")
			}
			if len(result.Hosts) > 0 {
				golden(t, filepath.Join(dir, "want.hosts"), strings.Join(result.Hosts, "\n")+"\n")
			}
			loads(t, result)
			for _, f := range result.Findings {
				if f.Level != Exact && len(f.Notes) == 0 {
					t.Errorf("%s: %s is %s, and nobody knows why", f.Place(), f.Text, f.Level)
				}
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// loads fails unless a result is a configuration without errors, formatted.
func loads(t *testing.T, result *Result) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "labnet.hcl")
	if err := os.WriteFile(file, result.HCL, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, diags := config.Load(file); diags.HasErrors() {
		var text strings.Builder
		_ = diags.WriteText(&text, false, 0)
		t.Errorf("what was written doesn't load:\n%s\n%s", text.String(), result.HCL)
	}
	if formatted, _ := config.Format(result.HCL, "labnet.hcl"); string(formatted) != string(result.HCL) {
		t.Errorf("not formatted:\n%s", cmp.Diff(string(formatted), string(result.HCL)))
	}
}

// A domain that is nobody's networks' own has no names here.
func TestDomainOfLocalForTwoNetworks(t *testing.T) {
	text := "interface=br0\ninterface=br1\ndhcp-range=10.0.0.10,10.0.0.20\ndhcp-range=10.1.0.10,10.1.0.20\nlocal=/lan/\n"
	result, mistakes := Import([]string{"-"}, nil, Options{Stdin: strings.NewReader(text), BlockList: "/etc/labnet/labnet.blocked"})
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	if !strings.Contains(strings.Join(result.Blocked, "\n"), "lan") {
		t.Errorf("local=/lan/ comes to %q", result.Blocked)
	}
}

func TestAddressesOfNothing(t *testing.T) {
	for _, tt := range []struct {
		line    string
		want    string // in the configuration
		note    string // "": none
		blocked bool
	}{
		{"address=/ads.example.com/0.0.0.0", `answer = "null"`, "", true},
		{"address=/ads.example.com/", "block {", "", true},
		{"address=/dev.example.com/127.0.0.1", `answer = "null"`, "a blocked name doesn't lead to the guest itself: it has no address, or 0.0.0.0", true},
		{"address=/api.lan/127.0.0.1", `record "api" {`, "", false},
		{"address=/api.lan/127.0.0.1", `record "*.api" {`, "", false},
		{"address=/lan/::1", `record "*" {`, "", false},
		{"address=/api.lan/#", "", "in a network's domain there is no such name, rather than one with an address of nothing", false},
	} {
		t.Run(tt.line, func(t *testing.T) {
			text := "domain=lan\ndhcp-range=10.0.0.10,10.0.0.20,255.255.255.0\n" + tt.line + "\n"
			result, mistakes := Import([]string{"-"}, nil, Options{Stdin: strings.NewReader(text), BlockList: "/b"})
			if len(mistakes) > 0 {
				t.Fatal(mistakes)
			}
			if hcl := strings.Join(strings.Fields(string(result.HCL)), " "); !strings.Contains(hcl, tt.want) {
				t.Errorf("%q isn't in\n%s", tt.want, result.HCL)
			}
			if notes := strings.Join(result.Findings[2].Notes, "; "); notes != tt.note {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
			if got := len(result.Blocked) > 0; got != tt.blocked {
				t.Errorf("blocked: %v, want %v", got, tt.blocked)
			}
		})
	}
}
