package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// difference is a line of docs/dns-differences.md.
type difference struct {
	questions []string // patterns: * is anything
	fields    []string
	peers     map[string]bool // and whether it was met
	line      string
}

type differences []*difference

func readDifferences(t *testing.T) differences {
	t.Helper()
	text, err := os.ReadFile("../../docs/dns-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	var all differences
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			continue
		}
		d := &difference{peers: map[string]bool{}, line: strings.TrimSpace(line)}
		for q := range strings.SplitSeq(cells[0], ",") {
			d.questions = append(d.questions, strings.Trim(strings.TrimSpace(q), "`"))
		}
		for f := range strings.SplitSeq(cells[1], ",") {
			d.fields = append(d.fields, strings.TrimSpace(f))
		}
		for p := range strings.SplitSeq(cells[2], ",") {
			d.peers[strings.TrimSpace(p)] = false
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		t.Fatal("docs/dns-differences.md has no table that can be read")
	}
	return all
}

func (all differences) explain(question, field, peer string) bool {
	known := false
	for _, d := range all {
		_, named := d.peers[peer]
		if named && slices.Contains(d.fields, field) && slices.ContainsFunc(d.questions, func(p string) bool { return fits(p, question) }) {
			d.peers[peer], known = true, true
		}
	}
	return known
}

func (all differences) unused() (lines []string) {
	for _, d := range all {
		for p, met := range d.peers {
			if !met {
				lines = append(lines, p+": "+d.line)
			}
		}
	}
	return lines
}

// fits tells whether a text is of a pattern's form, in which * is anything.
func fits(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return text == ""
}
