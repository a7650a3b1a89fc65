package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// The colours of a terminal (ECMA-48, SGR).
const (
	colourError   = "\x1b[1;31m"
	colourWarning = "\x1b[1;33m"
	colourNote    = "\x1b[36m"
	colourBold    = "\x1b[1m"
	colourOff     = "\x1b[0m"
)

// tabWidth is how a tab in a source line is shown; a real one would shift the underline.
const tabWidth = 4

// renderer writes diagnostics as text. The first write that fails ends it.
type renderer struct {
	w     io.Writer
	err   error
	color bool
	width int // columns to wrap and cut at; 0: none
}

// WriteText writes every diagnostic with the piece of source that it is about, for people. Text wraps at width columns, longer
// source lines are cut there; 0 does neither. With color the text has terminal escape sequences; what comes from the
// files never has.
func (d *Diagnostics) WriteText(w io.Writer, color bool, width int) error {
	r := &renderer{w: w, color: color, width: width}
	all := d.All()
	for i, x := range all {
		if i > 0 {
			r.printf("\n")
		}
		r.diagnostic(x, d.sources)
	}
	if len(all) > 1 {
		errors, warnings := d.Counts()
		r.printf("\n%s\n", countText(errors, warnings))
	}
	return r.err
}

func (r *renderer) diagnostic(x Diagnostic, sources map[string][]byte) {
	colour := colourError
	if x.Severity == SeverityWarning {
		colour = colourWarning
	}
	r.printf("%s %s\n", r.paint(colour, x.Severity+":"), r.paint(colourBold, printable(x.Summary)))
	gutter := len(fmt.Sprint(x.Line))
	for _, rel := range x.Related {
		gutter = max(gutter, len(fmt.Sprint(rel.Line)))
	}
	r.snippet(x.Place, x.Context, "^", colour, gutter, sources)
	for _, rel := range x.Related {
		r.snippet(rel.Place, rel.Message, "-", colourNote, gutter, sources)
	}
	if x.Detail == "" {
		return
	}
	for paragraph := range strings.SplitSeq(x.Detail, "\n") {
		for _, line := range wrap(printable(paragraph), r.width-2) {
			r.printf("  %s\n", line)
		}
	}
}

// snippet shows the line where p starts, with the piece underlined.
func (r *renderer) snippet(p Place, caption, mark, colour string, gutter int, sources map[string][]byte) {
	if p.File == "" {
		return
	}
	at := printable(p.File)
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", at, p.Line, p.Column)
	}
	if caption != "" {
		at += ", " + printable(caption)
	}
	r.printf("  %s\n", at)
	src, ok := sources[p.File]
	if !ok || p.Line == 0 || p.start > len(src) {
		return
	}
	before, marked, after := cutLine(src, p.start, p.end)
	lead, middle, tail := printable(before), printable(marked), printable(after)
	room := r.width - gutter - 5
	if r.width > 0 {
		lead, middle, tail = fit(lead, middle, tail, max(room, 20))
	}
	r.printf("  %*d | %s%s%s\n", gutter, p.Line, lead, middle, tail)
	underline := strings.Repeat(mark, max(1, runewidth.StringWidth(middle)))
	r.printf("  %*s | %s%s\n", gutter, "", strings.Repeat(" ", runewidth.StringWidth(lead)), r.paint(colour, underline))
}

// cutLine returns the line of src that holds byte start, in three parts: before, from start to end, and after.
func cutLine(src []byte, start, end int) (before, marked, after string) {
	// What ends at a line's end (a missing value, say) is shown there and not at the next line's start.
	from := bytes.LastIndexByte(src[:start], '\n') + 1
	to := len(src)
	if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
		to = start + i
	}
	end = min(max(end, start), to)
	return string(src[from:start]), string(src[start:end]), strings.TrimRight(string(src[end:to]), " \t\r")
}

// fit cuts a line in three parts down to room columns, keeping what is marked in sight.
func fit(lead, middle, tail string, room int) (string, string, string) {
	if w := runewidth.StringWidth(lead); w > room/2 && w+runewidth.StringWidth(middle)+runewidth.StringWidth(tail) > room {
		cut := runewidth.TruncateLeft(lead, w-room/2+1, "…")
		lead = cut
	}
	middle = runewidth.Truncate(middle, max(1, room-runewidth.StringWidth(lead)), "…")
	tail = runewidth.Truncate(tail, max(0, room-runewidth.StringWidth(lead)-runewidth.StringWidth(middle)), "…")
	return lead, middle, tail
}

// printable makes text from a file harmless for a terminal: no control characters, tabs as spaces.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '\t':
			b.WriteString(strings.Repeat(" ", tabWidth))
		case unicode.IsControl(c) || c == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, c):
			b.WriteRune('·')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// wrap breaks text at spaces into lines of at most width columns; a longer word stands alone. width < 1: one line.
func wrap(text string, width int) []string {
	if width < 1 {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func countText(errors, warnings int) string {
	var parts []string
	for _, c := range []struct {
		n    int
		noun string
	}{{errors, "error"}, {warnings, "warning"}} {
		switch {
		case c.n == 1:
			parts = append(parts, "1 "+c.noun)
		case c.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", c.n, c.noun))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *renderer) paint(colour, s string) string {
	if !r.color {
		return s
	}
	return colour + s + colourOff
}

func (r *renderer) printf(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.w, format, args...)
	}
}
