package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad feeds any bytes, as HCL or JSON: nothing panics, a Config comes if and only if there is no error, every place lies
// within the text, and what was found can be written.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/wrong/*.hcl", "testdata/wrong/syntax-of.json", "../../examples/*.hcl"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text, filepath.Ext(name) == ".json")
		}
	}
	f.Add([]byte(`network "lab" { address = null`), false)
	f.Add([]byte(`locals { a = [for x in local : x] }`), false)
	f.Add([]byte("locals {\n  a = local[\"a\"]\n  b = local.a.b.c\n  c = local\n}\n"), false)
	f.Add([]byte("network \"lab\" {\n  address = \"10.0.0.1/24\"\n  dhcp {\n    option \"mtu\" {\n      value = {a = [null]}\n    }\n  }\n}\n"), false)
	f.Add([]byte(`{"network": [[], null, {"a": 5}], "locals": 3}`), true)
	f.Add(bytes.Repeat([]byte("["), 10000), true)
	f.Add(append([]byte("locals {\n a = "), bytes.Repeat([]byte("("), 10000)...), false)
	f.Add(append([]byte("locals {\n a = "), bytes.Repeat([]byte("!"), 10000)...), false)
	f.Fuzz(func(t *testing.T, text []byte, isJSON bool) {
		name := "fuzz.hcl"
		if isJSON {
			name = "fuzz.json"
		}
		cfg, diags := load([]source{{name, text}}, newDiagnostics(), nil)
		if (cfg == nil) != diags.HasErrors() {
			t.Errorf("configuration %v, errors %v", cfg != nil, diags.HasErrors())
		}
		for _, d := range diags.All() {
			if d.start < 0 || d.end > len(text) || d.start > d.end || d.Summary == "" {
				t.Errorf("%+v in a text of %d bytes", d, len(text))
			}
		}
		var out bytes.Buffer
		for _, width := range []int{0, 1, 40} {
			if err := diags.WriteText(&out, width == 40, width); err != nil {
				t.Error(err)
			}
		}
		if _, err := json.Marshal(diags); err != nil {
			t.Error(err)
		}
		if formatted, _ := Format(text, name); formatted != nil {
			if again, found := Format(formatted, name); !bytes.Equal(again, formatted) {
				t.Errorf("formatting twice changes %q to %q (%v)", formatted, again, found.All())
			}
		}
	})
}
