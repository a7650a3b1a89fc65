package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files and the reference anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not current (-update writes it anew):\n%s", name, diff)
	}
}

// Every file of testdata/wrong has a golden text, for people, and a golden JSON, for programs.
func TestWrongFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, name := range files {
		ext := filepath.Ext(name)
		if strings.Contains(name, ".golden.") || ext != ".hcl" && ext != ".json" {
			continue
		}
		tried++
		t.Run(filepath.Base(name), func(t *testing.T) {
			cfg, diags := Load(name)
			if cfg != nil || !diags.HasErrors() {
				t.Error("loaded")
			}
			var text, indented bytes.Buffer
			if err := diags.WriteText(&text, false, 100); err != nil {
				t.Fatal(err)
			}
			compact, err := json.Marshal(diags)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Indent(&indented, compact, "", "  "); err != nil {
				t.Fatal(err)
			}
			indented.WriteByte('\n')
			base := strings.TrimSuffix(name, ext)
			golden(t, base+".golden.txt", text.Bytes())
			golden(t, base+".golden.json", indented.Bytes())
			for _, d := range diags.All() {
				if d.Severity != SeverityError && d.Severity != SeverityWarning || d.Summary == "" || d.File != name {
					t.Errorf("incomplete: %+v", d)
				}
			}
		})
	}
	if tried < 20 {
		t.Errorf("only %d wrong files", tried)
	}
}
