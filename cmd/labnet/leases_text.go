package main

import (
	"strconv"
	"strings"
	"time"

	"labnet/internal/control"
)

// expiry is when a lease ends, or ended, in words.
func expiry(l control.Lease, now time.Time) string {
	switch {
	case l.State == observed && l.Expires.IsZero():
		return "-" // it isn't known
	case l.Expires.IsZero():
		return "never"
	case l.Expires.After(now):
		// Expiries are rounded up to whole seconds: a lease of 12 hours would show 12h0m1s.
		return "in " + l.Expires.Sub(now).Truncate(time.Second).String()
	default:
		return now.Sub(l.Expires).Round(time.Second).String() + " ago"
	}
}

// ago is how long ago t was, in words.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// printable quotes what a guest sent if a terminal or a spreadsheet could take it for more than text.
func printable(s string) string {
	quoted := strconv.QuoteToASCII(s)
	formula := strings.TrimLeft(s, " ")
	if quoted == `"`+s+`"` && !strings.Contains(s, ";") && (formula == "" || !strings.ContainsRune("=+-@", rune(formula[0]))) {
		return s
	}
	// Where the comma is for decimals, spreadsheets take the semicolon for the end of a cell, quotes or not.
	return strings.ReplaceAll(quoted, ";", `\x3b`)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
