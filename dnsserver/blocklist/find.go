package blocklist

import (
	"bytes"
	"errors"
	"fmt"
)

// Entry is a line of a file that says something about a name.
type Entry struct {
	File  string
	Line  int    // from 1
	Text  string // quoted, and cut to a readable length
	Reach Reach
}

// Find returns what the files say about a name in presentation format, in their order: entries for the name itself, and those above it that reach
// it. It reads the files anew, so that nothing needs to remember where a name comes from; a file that can't be read is an error, beside what the others say.
func Find(files []string, name string) (found []Entry, err error) {
	var buffer wireName
	wanted, err := buffer.parse([]byte(name))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	wanted = bytes.Clone(wanted)
	var errs []error
	for _, path := range files {
		var told []Reach
		errs = append(errs, scan(path, func(int64) error { return nil }, func(n []byte, r Reach) error {
			if reaches(n, r, wanted) {
				told = append(told, r)
			}
			return nil
		}, func(number int, line []byte, _ error) error {
			for _, r := range told {
				found = append(found, Entry{path, number, quote(line), r})
			}
			told = told[:0]
			return nil
		}))
	}
	return found, errors.Join(errs...)
}

// reaches tells whether an entry is about a name.
func reaches(n []byte, r Reach, wanted []byte) bool {
	if r == Exact {
		return bytes.Equal(n, wanted)
	}
	for i := 0; wanted[i] != 0; i += 1 + int(wanted[i]) {
		if bytes.Equal(wanted[i:], n) {
			return true
		}
	}
	return false
}
