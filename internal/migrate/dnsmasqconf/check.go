package dnsmasqconf

import (
	"fmt"
	"strings"

	"labnet/internal/config"
)

// check returns what labnet can't have of a configuration that was written, each with the line of dnsmasq's that it comes from: what is
// given out is always one that `labnet check` passes.
func (im *importer) check(text []byte) []error {
	_, diags := config.LoadText("labnet.hcl", text)
	origins := map[string]Directive{}
	for _, d := range im.directives() {
		origins[origin(d)] = d
	}
	lines := strings.Split(string(text), "\n")
	var out []error
	for _, diag := range diags.All() {
		if diag.Severity != config.SeverityError {
			continue
		}
		m := Mistake{File: im.firstFile(), Reason: fmt.Sprintf("labnet can't have what comes of it: %s. %s", diag.Summary, diag.Detail)}
		for at := min(diag.Line, len(lines)) - 1; at >= 0; at-- {
			if d, ok := origins[strings.TrimSpace(lines[at])]; ok {
				m.File, m.Line = d.File, d.Line
				break
			}
		}
		out = append(out, m)
	}
	return out
}

// origin is the comment that says where something comes from.
func origin(d Directive) string {
	return fmt.Sprintf("# %s: %s", place(commentText(d.File), d.Line), commentText(d.Text()))
}
