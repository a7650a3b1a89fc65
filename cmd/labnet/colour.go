package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// colour is how a word is shown on a terminal, by ECMA-48.
type colour string

const (
	good  colour = "32" // green
	so    colour = "33" // yellow
	bad   colour = "31" // red
	faint colour = "2"
)

// coloured reports whether w is a terminal that shows colours to somebody who wants them. $NO_COLOR turns them off.
func coloured(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

// tint is text in a colour, where w shows them.
func tint(w io.Writer, c colour, text string) string {
	if c == "" || text == "" || !coloured(w) {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[m"
}

// stateColour is the colour of a lease's state, which other words may follow.
func stateColour(cell string) colour {
	state, _, _ := strings.Cut(cell, ",")
	switch state {
	case "bound", "observed":
		return good
	case "declined":
		return bad
	case "released", "expired", "replaced", "changed":
		return faint
	}
	return ""
}
