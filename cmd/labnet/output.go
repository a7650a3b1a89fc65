package main

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

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

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// terminalWidth is the terminal's columns; 0 where f is no terminal.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

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
	_, err := io.WriteString(w, text.String())
	return err
}
