package redolog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// names are the files of the log at path.
func names(path string) [2]string { return [2]string{path + "-redo1", path + "-redo2"} }

// Segment is what one of the two files holds.
type Segment struct {
	ID       ID
	Seq      uint64   // segments are numbered in the order of their use
	Payloads [][]byte // what Append was called with, in that order
}

// Read returns what is in the files of the log at path, the older segment first. Files that aren't there, or hold nothing, are
// left out. It changes nothing, and may be called while another process writes: then the last payloads may be missing.
func Read(path string) ([]Segment, error) {
	var segments []Segment
	for _, name := range names(path) {
		file, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the redo log: %w", err)
		}
		if id, seq, ok := parseHeader(file); ok {
			if payloads := parseFrames(file, seq); len(payloads) > 0 {
				segments = append(segments, Segment{ID: id, Seq: seq, Payloads: payloads})
			}
		}
	}
	slices.SortFunc(segments, func(a, b Segment) int { return cmp.Compare(a.Seq, b.Seq) })
	return segments, nil
}

// Remove removes the files of the log at path, if they are there.
func Remove(path string) error {
	var errs []error
	for _, name := range names(path) {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
