package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
)

const reference = "../../docs/config.md"

// TestReferenceIsCurrent writes the reference from the schema and a frame of prose, and compares; -update writes it anew.
func TestReferenceIsCurrent(t *testing.T) {
	frame, err := template.New("reference.tmpl").Funcs(template.FuncMap{
		"blocks":    blockSections,
		"options":   optionRows,
		"functions": functionNames,
		"check":     checkExample,

		"architectures": architectureRows,
	}).ParseFiles("testdata/reference.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := frame.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	golden(t, reference, out.Bytes())
}

// blockSections is a section for every block.
func blockSections() string {
	var b strings.Builder
	seen := map[string]bool{}
	var walk func(spec *block, parents []string)
	walk = func(spec *block, parents []string) {
		path := append(slices.Clone(parents), spec.name)
		title := strings.Join(path, " › ")
		if spec.name != "" && !(spec.name == "option" && seen["option"]) {
			section(&b, spec, title)
		}
		seen[spec.name] = true
		if spec.name == "" {
			path = nil
		}
		for _, c := range spec.blocks {
			walk(c, path)
		}
	}
	walk(schema(), nil)
	return strings.TrimRight(b.String(), "\n")
}

func section(b *strings.Builder, spec *block, title string) {
	fmt.Fprintf(b, "### %s\n\n", title)
	head := spec.name
	if spec.label != nil {
		head += ` "NAME"`
	}
	how := "at most once"
	if spec.many {
		how = "any number of times"
	}
	fmt.Fprintf(b, "`%s { … }`, %s. %s", head, how, spec.doc)
	if spec.label != nil {
		b.WriteString(" " + spec.label.doc)
	}
	b.WriteString("\n\n")
	if len(spec.args) == 0 {
		return
	}
	b.WriteString("| argument | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n")
	for _, a := range spec.args {
		kind := a.kind.name
		if len(a.kind.values) > 0 {
			kind = "`" + strings.Join(a.kind.values, "`, `") + "`"
		}
		fallback := "none"
		switch {
		case a.required:
			fallback = "**required**"
		case a.computed != "":
			fallback = a.computed
		case a.fallback != "":
			fallback = "`" + a.fallback + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | `%s = %s` |\n", a.name, kind, fallback, a.doc, a.name, a.example)
	}
	b.WriteString("\n")
}

func optionRows() string {
	var b strings.Builder
	for _, def := range optionTable() {
		foreign := ""
		if def.dnsmasq != "" {
			foreign = "`" + def.dnsmasq + "`"
		}
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s | %s |\n", def.code, def.name, def.kind.doc(), foreign, def.doc)
	}
	return strings.TrimRight(b.String(), "\n")
}

func architectureRows() string {
	var b strings.Builder
	for _, def := range architectures() {
		foreign, codes := "", ""
		if def.dnsmasq != "" {
			foreign = "`" + def.dnsmasq + "`"
		}
		for i, code := range def.codes {
			if i > 0 {
				codes += ", "
			}
			codes += fmt.Sprint(code)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", def.name, codes, foreign, def.doc)
	}
	return strings.TrimRight(b.String(), "\n")
}

func functionNames() string {
	return "`" + strings.Join(slices.Sorted(maps.Keys(functions())), "`, `") + "`"
}

const wrongExample = `network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    lease_tme = "12h"
  }
}
`

// checkExample shows what is found in a wrong file, as text or as JSON.
func checkExample(form string) (string, error) {
	_, diags := load([]source{{"labnet.hcl", []byte(wrongExample)}}, newDiagnostics(), nil)
	var out bytes.Buffer
	if form == "text" {
		err := diags.WriteText(&out, false, 80)
		return strings.TrimRight(out.String(), "\n"), err
	}
	compact, err := json.Marshal(diags)
	if err != nil {
		return "", err
	}
	err = json.Indent(&out, compact, "", "  ")
	return out.String(), err
}

func TestEverySnippetOfTheReferenceLoads(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(snippets) < 5 {
		t.Fatalf("only %d snippets", len(snippets))
	}
	for i, s := range snippets {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if _, diags := loadText(s[1]); len(diags.All()) > 0 {
				t.Errorf("%s\n%s", s[1], textOf(t, diags))
			}
			if formatted, _ := Format([]byte(s[1]), "x.hcl"); string(formatted) != s[1] {
				t.Errorf("not formatted:\n%s", s[1])
			}
		})
	}
}

// Every argument's example is tried out, in a file that has nothing but what it needs.
func TestEveryExampleOfTheReferenceLoads(t *testing.T) {
	tried := 0
	var walk func(spec *block, open, shut string)
	walk = func(spec *block, open, shut string) {
		inside := func(needs []string, skip string) string {
			var lines []string
			for _, name := range needs {
				if a, _ := spec.argument(name); name != skip {
					lines = append(lines, fmt.Sprintf("%s = %s", a.name, a.example))
				}
			}
			return strings.Join(lines, "\n")
		}
		if spec.name != "" {
			open += "\n" + spec.example() + " {\n"
			shut = "\n}" + shut
		}
		for _, a := range spec.args {
			tried++
			needs := spec.needs
			if a.with != nil {
				needs = a.with
			}
			text := open + inside(needs, a.name) + "\n" + a.name + " = " + a.example + shut
			if a.file != "" {
				text = strings.Replace(a.file, "…", a.name+" = "+a.example, 1)
			}
			if !strings.HasPrefix(strings.TrimSpace(text), "network ") {
				text += "\nnetwork \"lab\" {\naddress = \"10.0.0.1/24\"\n}\n"
			}
			if a.name == "allow_from" {
				// It names other networks, and then each names its bridge.
				text = strings.TrimSuffix(text, "}") + "bridge {\nname = \"br-lab\"\n}\n}"
				for i, name := range []string{"ci", "office"} {
					text += fmt.Sprintf("\nnetwork %q {\naddress = \"10.9.%d.1/24\"\nbridge {\nname = \"br-%s\"\n}\n}\n", name, i, name)
				}
			}
			if spec.name == "tap" && a.name == "host" {
				text += "\nhost \"builder\" {\nnetwork = \"lab\"\nmac = \"52:54:00:12:34:56\"\n}\n"
			}
			if _, diags := loadText(text); len(diags.All()) > 0 {
				t.Errorf("%s\n%s", text, textOf(t, diags))
			}
			if strings.TrimSpace(a.example) == "" || a.doc == "" {
				t.Errorf("%s of %s lacks an example or its meaning", a.name, spec.name)
			}
		}
		for _, c := range spec.blocks {
			if c.name != "locals" {
				walk(c, open+inside(spec.needs, ""), shut)
			}
		}
	}
	walk(schema(), "", "")
	if tried < 40 {
		t.Errorf("only %d examples", tried)
	}
}
