package dnsmasqconf

import "fmt"

// Level is how near the result comes to what a directive does.
type Level string

// The levels, from the best to the worst.
const (
	Exact        Level = "exact"        // it is the same
	Ignored      Level = "ignored"      // it is left out, and nobody misses it
	Approximated Level = "approximated" // it is nearly the same, and the note says what isn't
	Unsupported  Level = "unsupported"  // it is left out, and somebody may miss it
)

// Levels are all of them, in this order.
func Levels() []Level { return []Level{Exact, Ignored, Approximated, Unsupported} }

func (l Level) rank() int {
	for i, one := range Levels() {
		if one == l {
			return i
		}
	}
	return 0
}

// Finding is what became of one directive.
type Finding struct {
	File  string
	Line  int // from 1; 0 where there is none
	Text  string
	Level Level
	Notes []string // why, where it isn't exact; without a full stop at the end
}

// Place is where the directive stands, for people.
func (f Finding) Place() string { return place(f.File, f.Line) }

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// Mistake is a line that dnsmasq would refuse, or a file that can't be read.
type Mistake struct {
	File   string
	Line   int
	Reason string
}

func (m Mistake) Error() string { return place(m.File, m.Line) + ": " + m.Reason }

func (d Directive) mistake(format string, args ...any) error {
	return Mistake{d.File, d.Line, fmt.Sprintf(d.Name+": "+format, args...)}
}
