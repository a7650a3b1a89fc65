package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// maxFileSize bounds what is parsed: more is a mistake, such as the path of something else.
const maxFileSize = 1 << 20

const initHint = "`labnet init routed` writes a first one to begin with."

// source is the text of one file.
type source struct {
	name string
	text []byte
}

// Load reads a file (HCL, or its JSON form if the name ends in .json) or a directory of *.hcl and *.hcl.json, in lexical order. The
// diagnostics are every error and warning, sorted by position, and never nil; with an error among them the Config is nil.
// Nothing is read but the files and, where the text asks for it, the environment; block lists are opened, to warn of those that can't be read.
func Load(path string) (*Config, *Diagnostics) {
	diags := newDiagnostics()
	names, ok := filesOf(path, diags)
	if !ok {
		return nil, diags
	}
	var sources []source
	for _, name := range names {
		text, err := readFile(name)
		if err != nil {
			diags.addFile(name, "cannot read the configuration: "+reason(err), readHint(err))
			continue
		}
		sources = append(sources, source{name, text})
	}
	return load(sources, diags, readable)
}

// load is Load for texts. look is a builder's.
func load(sources []source, diags *Diagnostics, look func(path string) error) (*Config, *Diagnostics) {
	var bodies []hcl.Body
	for _, s := range sources {
		diags.addSource(s.name, s.text)
		if body := parse(s, diags); body != nil {
			bodies = append(bodies, body)
		}
	}
	if diags.HasErrors() {
		// What is missing in a file that can't be read would be complained about once more.
		return nil, diags
	}
	d := &decoder{diags: diags, schema: schema()}
	root := d.file(bodies)
	b := &builder{decoder: d, look: look}
	cfg := b.config(root)
	if diags.HasErrors() {
		return nil, diags
	}
	return cfg, diags
}

// filesOf returns the files that path stands for.
func filesOf(path string, diags *Diagnostics) ([]string, bool) {
	info, err := os.Stat(path)
	if err != nil {
		diags.addFile(path, "cannot read the configuration: "+reason(err), readHint(err))
		return nil, false
	}
	if !info.IsDir() {
		return []string{path}, true
	}
	entries, err := os.ReadDir(path) // sorted
	if err != nil {
		diags.addFile(path, "cannot read the configuration: "+reason(err), readHint(err))
		return nil, false
	}
	var names []string
	for _, e := range entries {
		// Files with a leading dot are locks and leftovers of editors.
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || !isConfigName(e.Name()) {
			continue
		}
		names = append(names, filepath.Join(path, e.Name()))
	}
	if len(names) == 0 {
		diags.addFile(path, "there is no configuration in this directory", "It has no file *.hcl. "+initHint)
		return nil, false
	}
	return names, true
}

func isConfigName(name string) bool {
	return strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")
}

// readFile reads an ordinary file of bounded size; a pipe or a device could keep it waiting for ever.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not an ordinary file")
	}
	if info.Size() > maxFileSize {
		return nil, fmt.Errorf("%d bytes are too many for a configuration (at most %d)", info.Size(), maxFileSize)
	}
	return os.ReadFile(name)
}

// reason is the error without the path, which stands beside it.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file or directory"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

func readHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "Nothing was changed. Name another file with --config; " + initHint
	case errors.Is(err, fs.ErrPermission):
		return "Its owner must let you read it."
	default:
		return ""
	}
}

// parse returns the body of a file, or nil if it has mistakes of syntax.
func parse(s source, diags *Diagnostics) hcl.Body {
	isJSON := strings.HasSuffix(s.name, ".json")
	if at, deep := tooDeep(s, isJSON); deep {
		diags.add(Diagnostic{Severity: SeverityError, Summary: "the nesting is too deep", Place: place(at)})
		return nil
	}
	var file *hcl.File
	var found hcl.Diagnostics
	if isJSON {
		file, found = json.Parse(s.text, s.name)
	} else {
		file, found = hclsyntax.ParseConfig(s.text, s.name, hcl.InitialPos)
	}
	diags.addHCL(firstOfEach(found), "")
	if found.HasErrors() {
		return nil
	}
	return file.Body
}

// firstOfEach leaves out what follows from an earlier mistake: after a missing quote every line has the same one.
func firstOfEach(found hcl.Diagnostics) hcl.Diagnostics {
	var kept hcl.Diagnostics
	lastLine := map[string]int{}
	for _, f := range found {
		if f.Subject == nil {
			kept = append(kept, f)
			continue
		}
		line := f.Subject.Start.Line
		if last, ok := lastLine[f.Summary]; !ok || line > last+1 {
			kept = append(kept, f)
		}
		lastLine[f.Summary] = line
	}
	return kept
}

// maxNesting is far more than a configuration needs. The parser is recursive, and a stack that is full can't be recovered from.
const maxNesting = 100

func tooDeep(s source, isJSON bool) (hcl.Range, bool) {
	if isJSON {
		depth, quoted := 0, false
		for i, c := range s.text {
			switch {
			case c == '"' && (i == 0 || s.text[i-1] != '\\'):
				quoted = !quoted
			case c == '{' || c == '[':
				depth++
			case !quoted && (c == '}' || c == ']'):
				depth--
			}
			if depth > maxNesting {
				return hcl.Range{Filename: s.name, Start: hcl.InitialPos, End: hcl.InitialPos}, true
			}
		}
		return hcl.Range{}, false
	}
	tokens, _ := hclsyntax.LexConfig(s.text, s.name, hcl.InitialPos)
	depth, prefixes := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			depth--
		}
		switch t.Type {
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion:
			prefixes++
		case hclsyntax.TokenNewline, hclsyntax.TokenComma:
			prefixes = 0
		}
		if depth > maxNesting || prefixes > maxNesting {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}
