package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// rate is a number a second, in six characters at most.
func rate(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	case v < 100_000:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.0fk", v/1000)
}

// size is bytes in seven characters at most.
func size(v float64) string {
	unit := 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for v >= 999.5 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if unit == 0 || v >= 99.5 {
		return fmt.Sprintf("%.0f%s", v, units[unit])
	}
	return fmt.Sprintf("%.1f%s", v, units[unit])
}

// traffic is bytes of a port; nothing is known of a guest that is behind none.
func traffic(r *Row, v float64) string {
	if r.Port == "" {
		return "-"
	}
	return size(v)
}

// lease is how long a guest's lease goes on.
func (s *Screen) lease(r *Row) string {
	switch {
	case r.State == "observed", r.State == "uplink":
		return r.State
	case r.State == "":
		return "-"
	case r.Expires.IsZero():
		return "forever"
	}
	return span(max(0, r.Expires.Sub(s.last.At)))
}

// span is a time in words that don't dance about.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func more(n int, what string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and another " + what
	}
	return fmt.Sprintf(", and %d more %ss", n, what)
}

// pad makes a text as wide as its column, in cells of the terminal.
func pad(s string, width int, right bool) string {
	if runewidth.StringWidth(s) > width {
		s = runewidth.Truncate(s, width, "…")
	}
	space := strings.Repeat(" ", max(0, width-runewidth.StringWidth(s)))
	if right {
		return space + s
	}
	return s + space
}

// cut makes a line no wider than the terminal; styles have no width, and end with the line.
func cut(line string, width int) string {
	var out strings.Builder
	used, styled := 0, false
	for rest := line; rest != ""; {
		if end := strings.IndexByte(rest, 'm'); rest[0] == 0x1b && end > 0 {
			out.WriteString(rest[:end+1])
			styled = rest[:end+1] != plain
			rest = rest[end+1:]
			continue
		}
		r := []rune(rest[:min(4, len(rest))])[0]
		if used += runewidth.RuneWidth(r); used > width {
			break
		}
		out.WriteRune(r)
		rest = rest[len(string(r)):]
	}
	if styled {
		out.WriteString(plain)
	}
	return out.String()
}
