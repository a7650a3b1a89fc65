package main

import (
	"bufio"
	"encoding/csv"
	"io"
	"iter"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// listFormats are what lists can be written as; the first is the default.
var listFormats = []string{"table", "wide", "json", "ndjson", "yaml", "csv"}

// listView is how the entries of a list are shown. JSON and YAML have the fields of T.
type listView[T any] struct {
	columns []string // of the CSV: stable
	record  func(T) []string
	narrow  tableView[T]
	wide    tableView[T]
}

// tableView is the columns of a table for people.
type tableView[T any] struct {
	header []string
	row    func(T) []string
}

// writeList writes a list as it comes, and so in bounded memory but for tables, whose columns are as wide as their widest entry. It ends
// with the first error: what is written until then is no whole list, and in JSON shows it.
func writeList[T any](w io.Writer, out format, all iter.Seq2[T, error], view listView[T]) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	var err error
	switch out {
	case "json":
		err = writeJSONList(buffered, all)
	case "ndjson":
		err = writeEach(all, func(v T) error { return writeJSONLine(buffered, v) })
	case "yaml":
		err = writeYAMLList(buffered, all)
	case "csv":
		err = writeCSV(buffered, all, view)
	case "wide":
		err = writeTable(buffered, all, view.wide, coloured(w))
	default:
		err = writeTable(buffered, all, view.narrow, coloured(w))
	}
	if flushErr := buffered.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// entries is a list that is there as a whole.
func entries[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func writeEach[T any](all iter.Seq2[T, error], write func(T) error) error {
	for v, err := range all {
		if err == nil {
			err = write(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeJSONList[T any](w *bufio.Writer, all iter.Seq2[T, error]) error {
	separator := "[\n  "
	err := writeEach(all, func(v T) error {
		text, err := encodeJSON(v, "  ")
		if err == nil {
			_, _ = w.WriteString(separator) // what the writer can't write it says at the end
			_, err = w.Write(text)
		}
		separator = ",\n  "
		return err
	})
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(separator, "["):
		_, err = w.WriteString("[]\n")
	default:
		_, err = w.WriteString("\n]\n")
	}
	return err
}

func writeCSV[T any](w io.Writer, all iter.Seq2[T, error], view listView[T]) error {
	out := csv.NewWriter(w)
	if err := out.Write(view.columns); err != nil {
		return err
	}
	err := writeEach(all, func(v T) error { return out.Write(view.record(v)) })
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

func writeTable[T any](w io.Writer, all iter.Seq2[T, error], view tableView[T], colours bool) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	t.AppendHeader(tableRow(view.header))
	if colours {
		t.Style().Color.Header = text.Colors{text.Bold}
		t.SetColumnConfigs([]table.ColumnConfig{{Name: "state", Transformer: tintState}})
	}
	err := writeEach(all, func(v T) error {
		t.AppendRow(tableRow(view.row(v)))
		return nil
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, trimLines(t.Render()))
	return err
}

// tintState shows a state in its colour.
func tintState(cell any) string {
	state, _ := cell.(string)
	if c := stateColour(state); c != "" {
		return "\x1b[" + string(c) + "m" + state + "\x1b[m"
	}
	return state
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	return row
}

// trimLines takes the padding off line ends, which only gets into the way of pasting.
func trimLines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text + "\n") {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}
