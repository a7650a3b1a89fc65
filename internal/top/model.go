package top

import (
	"slices"
	"strings"
	"time"
)

// Screen is what is shown, and how: the model, without a terminal. It is one goroutine's.
type Screen struct {
	show     func(string) string // what guests have named, fit for a terminal
	say      func(string) string // what is ours, with names of others in it
	interval time.Duration

	before, last *Sample // nil until there is one
	failed       string  // why there is no newer sample; "" if there is
	rates        Rates
	rows         []Row // sorted, and those alone that fit

	sort    int // of columns
	reverse bool
	filter  string
	typing  bool // the filter
	help    bool
	paused  bool
	offset  int // of the first row that is shown

	width, height int
}

// NewScreen is an empty screen of 80 by 24.
func NewScreen(cfg Config) *Screen {
	return &Screen{show: cfg.Show, say: cfg.Say, interval: cfg.Interval, filter: cfg.Filter, sort: slices.Index(columns, "received"), width: 80, height: 24}
}

// Take is a newer sample.
func (s *Screen) Take(sample Sample) {
	s.failed = ""
	if s.paused {
		return
	}
	s.before, s.last = s.last, &sample
	if s.before != nil {
		s.rates = ratesOf(s.before, s.last)
	}
	s.arrange()
}

// Fail says why there is no newer sample.
func (s *Screen) Fail(err error) { s.failed = err.Error() }

// Resize is a new size of the terminal.
func (s *Screen) Resize(width, height int) {
	s.width, s.height = width, height
	s.scroll(0)
}

// arrange makes the rows anew.
func (s *Screen) arrange() {
	if s.last == nil {
		return
	}
	before := s.before
	if before == nil {
		before = &Sample{At: s.last.At}
	}
	s.rows = slices.DeleteFunc(rowsOf(before, s.last), func(r Row) bool { return s.filter != "" && !r.fits(s.filter) })
	sortRows(s.rows, columns[s.sort], s.reverse)
	s.scroll(0)
}

// scroll moves the first row that is shown.
func (s *Screen) scroll(by int) {
	s.offset = max(0, min(s.offset+by, len(s.rows)-s.room()))
}

// Key does what a key is for; it reports whether that is to end.
func (s *Screen) Key(key string) (quit bool) {
	if key == "ctrl+c" {
		return true
	}
	if s.typing {
		s.typed(key)
		return false
	}
	if s.help {
		s.help = false
		return key == "q"
	}
	switch key {
	case "q":
		return true
	case "esc":
		s.filter = ""
		s.arrange()
	case "?", "h":
		s.help = true
	case "/":
		s.typing = true
	case "p", " ", "space":
		s.paused = !s.paused
	case "left", "<":
		s.sortBy(s.sort + len(columns) - 1)
	case "right", ">":
		s.sortBy(s.sort + 1)
	case "r":
		s.reverse = !s.reverse
		s.arrange()
	case "up", "k":
		s.scroll(-1)
	case "down", "j":
		s.scroll(1)
	case "pgup":
		s.scroll(-s.room())
	case "pgdown":
		s.scroll(s.room())
	case "home", "g":
		s.scroll(-len(s.rows))
	case "end", "G":
		s.scroll(len(s.rows))
	default:
		s.sortByLetter(key)
	}
	return false
}

// letters is which key sorts by which column.
var letters = map[string]string{"n": "name", "a": "address", "o": "port", "d": "received", "u": "sent", "e": "expires", "t": "total", "w": "network"}

func (s *Screen) sortByLetter(key string) {
	if i := slices.Index(columns, letters[key]); i >= 0 {
		s.sortBy(i)
	}
}

func (s *Screen) sortBy(column int) {
	s.sort, s.reverse = column%len(columns), false
	s.arrange()
}

// maxFilter bounds what is looked for, in bytes: more than any name has.
const maxFilter = 64

// typed is a key while the filter is typed.
func (s *Screen) typed(key string) {
	switch key {
	case "enter":
		s.typing = false
		return
	case "esc":
		s.typing, s.filter = false, ""
	case "backspace":
		runes := []rune(s.filter)
		s.filter = string(runes[:max(0, len(runes)-1)])
	case "space":
		s.filter += " "
	default:
		if len([]rune(key)) != 1 || len(s.filter) >= maxFilter {
			return
		}
		s.filter += key
	}
	s.filter = strings.TrimLeft(s.filter, " ")
	s.arrange()
}
