package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// The severities. A configuration with an error among its diagnostics is not used; a warning is told and passed over.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Diagnostic is one thing that is wrong with a configuration. Its JSON form is stable: fields are added, never renamed or
// removed, and every field is always present.
type Diagnostic struct {
	Severity string `json:"severity"` // error or warning
	Summary  string `json:"summary"`  // what is wrong, one line
	Detail   string `json:"detail"`   // why, and what to do about it; may be empty
	Context  string `json:"context"`  // the block it is in, e.g. `network "lab", dhcp`; may be empty
	Place
	Related []Related `json:"related"` // other places that have to do with it, e.g. the first of two
}

// Place is a piece of a file. Line 0 means the file as a whole.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1
	Column int    `json:"column"` // from 1, in characters as a reader counts them
	End    Pos    `json:"end"`    // just behind the last character

	start, end int // bytes
}

// Pos is a position in a file.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Related is another place that a diagnostic speaks of.
type Related struct {
	Message string `json:"message"`
	Place
}

// Diagnostics is what was found wrong, with the sources to show it in. The zero value and nil are empty.
type Diagnostics struct {
	list    []Diagnostic
	sources map[string][]byte
	order   map[string]int // files in the order in which they were read
}

// Add adds an error about the configuration in path as a whole, which whoever works with it has found.
func (d *Diagnostics) Add(path, summary, detail string) {
	d.list = append(d.list, Diagnostic{Severity: SeverityError, Summary: summary, Detail: detail, Place: Place{File: path}})
}

// HasErrors reports whether there is more than warnings.
func (d *Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(d.All(), func(x Diagnostic) bool { return x.Severity == SeverityError })
}

// All returns the diagnostics sorted by position. The slice is the caller's.
func (d *Diagnostics) All() []Diagnostic {
	if d == nil {
		return nil
	}
	sorted := slices.Clone(d.list)
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(d.order[a.File], d.order[b.File]),
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.start, b.start),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	// The same complaint about the same text is made once, however many checks came across it.
	return slices.CompactFunc(sorted, func(a, b Diagnostic) bool {
		return a.Severity == b.Severity && a.Summary == b.Summary && a.Place == b.Place
	})
}

// Counts returns how many errors and how many warnings there are.
func (d *Diagnostics) Counts() (errors, warnings int) {
	for _, x := range d.All() {
		if x.Severity == SeverityError {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// MarshalJSON returns {"errors": n, "warnings": n, "diagnostics": [...]}; see docs/config.md.
func (d *Diagnostics) MarshalJSON() ([]byte, error) {
	errors, warnings := d.Counts()
	list := d.All()
	for i := range list {
		if list[i].Related == nil {
			list[i].Related = []Related{}
		}
	}
	if list == nil {
		list = []Diagnostic{}
	}
	return json.Marshal(struct {
		Errors      int          `json:"errors"`
		Warnings    int          `json:"warnings"`
		Diagnostics []Diagnostic `json:"diagnostics"`
	}{errors, warnings, list})
}

func newDiagnostics() *Diagnostics {
	return &Diagnostics{sources: map[string][]byte{}, order: map[string]int{}}
}

// addSource remembers a file, so that pieces of it can be shown.
func (d *Diagnostics) addSource(file string, src []byte) {
	d.order[file] = len(d.order)
	d.sources[file] = src
}

// add keeps a diagnostic. The HCL library's ranges may end behind the text: they are cut.
func (d *Diagnostics) add(x Diagnostic) {
	length := len(d.sources[x.File])
	x.end = min(x.end, length)
	x.start = min(x.start, x.end)
	d.list = append(d.list, x)
}

// addHCL takes over what the HCL library found. Its texts are sentences; ours start small.
func (d *Diagnostics) addHCL(found hcl.Diagnostics, context string) {
	for _, f := range found {
		x := Diagnostic{Severity: SeverityError, Summary: lowerFirst(f.Summary), Detail: f.Detail, Context: context}
		if f.Severity == hcl.DiagWarning {
			x.Severity = SeverityWarning
		}
		if f.Subject != nil {
			x.Place = place(*f.Subject)
		}
		d.add(x)
	}
}

// addFile complains about a file as a whole.
func (d *Diagnostics) addFile(file, summary, detail string) {
	d.add(Diagnostic{Severity: SeverityError, Summary: summary, Detail: detail, Place: Place{File: file}})
}

func place(r hcl.Range) Place {
	return Place{
		File: r.Filename, Line: r.Start.Line, Column: r.Start.Column,
		End:   Pos{Line: r.End.Line, Column: r.End.Column},
		start: r.Start.Byte, end: r.End.Byte,
	}
}

// here is a related place.
func here(r hcl.Range, format string, args ...any) Related {
	return Related{Message: fmt.Sprintf(format, args...), Place: place(r)}
}

func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	// An abbreviation keeps its capitals.
	if second, _ := utf8.DecodeRuneInString(s[size:]); unicode.IsUpper(second) {
		return s
	}
	return strings.ToLower(string(first)) + s[size:]
}
