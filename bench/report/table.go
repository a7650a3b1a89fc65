package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Table writes rows below their heads.
func Table(out *strings.Builder, heads []string, rows [][]string) {
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	for _, row := range rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
	out.WriteByte('\n')
}

// Thousands writes a number of at least 0 with commas and without a fraction.
func Thousands(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Milliseconds writes a time with two digits behind the point.
func Milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

// Percent writes what share part is of whole, to a thousandth.
func Percent(part, whole int) string {
	return fmt.Sprintf("%.3f %%", 100*float64(part)/float64(max(whole, 1)))
}

// Yes writes whether something has been reached.
func Yes(b bool) string {
	if b {
		return "yes"
	}
	return "**no**"
}

// Median is that of a property of samples, of which there must be some.
func Median[S any, T cmp.Ordered](samples []S, of func(S) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
