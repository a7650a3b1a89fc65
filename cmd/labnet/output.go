package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"labnet/internal/config"
	"labnet/internal/control"
)

// format is the value of -o.
type format string

// addFormat adds -o with the formats that a verb knows; the first is the default.
func addFormat(cmd *cobra.Command, f *format, known ...string) {
	*f = format(known[0])
	cmd.Flags().VarP(&formatValue{f, known}, "output", "o", "the format: "+strings.Join(known, ", "))
	// It fails for flags that don't exist only.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))
}

type formatValue struct {
	f     *format
	known []string
}

func (v *formatValue) String() string { return string(*v.f) }
func (v *formatValue) Type() string   { return "format" }

func (v *formatValue) Set(s string) error {
	if !slices.Contains(v.known, s) {
		return wrongUse("want one of %s", strings.Join(v.known, ", "))
	}
	*v.f = format(s)
	return nil
}

// writeJSON prints v.
func writeJSON(w io.Writer, v any) error {
	text, err := encodeJSON(v, "")
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// encodeJSON is v over several lines, each but the first behind prefix. What isn't printable is escaped, also where JSON needs no
// escape: a terminal may take U+009B for the start of a command.
func encodeJSON(v any, prefix string) ([]byte, error) {
	text, err := marshal(v, prefix, "  ")
	return escapeJSON(text), err
}

// writeJSONLine prints v as one line.
func writeJSONLine(w io.Writer, v any) error {
	text, err := marshal(v, "", "")
	if err == nil {
		_, err = w.Write(append(escapeJSON(text), '\n'))
	}
	return err
}

// marshal is v in JSON without the escapes that are for HTML.
func marshal(v any, prefix, indent string) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent(prefix, indent)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}

func escapeJSON(text string) []byte {
	escaped := make([]byte, 0, len(text))
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	return escaped
}

// writeDiagnostics prints what is wrong with a configuration, in the width and the colours of a terminal if w is one. $NO_COLOR
// turns the colours off.
func writeDiagnostics(w io.Writer, diags *config.Diagnostics) error {
	file, ok := w.(*os.File)
	if !ok {
		return diags.WriteText(w, false, 0)
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return diags.WriteText(w, false, 0)
	}
	return diags.WriteText(w, os.Getenv("NO_COLOR") == "", int(size.Col))
}

// visible is text of ours with foreign names in it, of links and processes, as far as it only prints: any user can name a process.
func visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return out.String()
}

// oneLine is visible for what others have made, which must not begin lines of its own.
func oneLine(text string) string { return strings.ReplaceAll(visible(text), "\n", `\n`) }

// writeChanges prints changes under the headings of their groups.
func writeChanges(w io.Writer, changes []control.Change) error {
	var text strings.Builder
	group := ""
	for _, c := range changes {
		if c.Group != group {
			group = c.Group
			text.WriteString(group + "\n")
		}
		text.WriteString("  " + c.Text + "\n")
	}
	_, err := io.WriteString(w, visible(text.String()))
	return err
}
