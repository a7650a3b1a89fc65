//go:build man

package main

import (
	"regexp"
	"strings"
)

// cellBorder is a border between cells: one that isn't escaped.
var cellBorder = regexp.MustCompile(`[^\\]\|`)

// cells are those of a row of a table.
func cells(row string) (out []string) {
	row = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(row), "|"), "|")
	for {
		at := cellBorder.FindStringIndex(row)
		if at == nil {
			return append(out, strings.TrimSpace(row))
		}
		out = append(out, strings.TrimSpace(row[:at[1]-1]))
		row = row[at[1]:]
	}
}

// withoutTables makes of tables, which are wider than terminals, a paragraph for each row: the first cell, and below it the others, each with what its column is
// called.
func withoutTables(markdown string) string {
	var out strings.Builder
	var columns []string
	for line := range strings.Lines(markdown) {
		switch {
		case !strings.HasPrefix(line, "|"):
			columns = nil
			out.WriteString(line)
		case columns == nil:
			columns = cells(line)
		case strings.HasPrefix(line, "| ---"):
		default:
			row := cells(line)
			out.WriteString("\n" + row[0] + "\n: ")
			var rest []string
			for i, cell := range row[1:] {
				switch {
				case cell == "":
				case i == len(row)-2:
					rest = append(rest, cell)
				default:
					rest = append(rest, columns[i+1]+": "+cell)
				}
			}
			out.WriteString(strings.Join(rest, "; ") + "\n")
		}
	}
	return out.String()
}
