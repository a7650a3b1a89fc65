package blocklist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

const (
	// maxFile bounds what is read of a file, in bytes: more is a mistake.
	maxFile = 1 << 30
	// maxLine is the longest line that is looked at; a hosts file's may have many names.
	maxLine = 64 << 10
	// named is how many bad lines a Report has.
	named = 5
)

// Report is what was found in a file.
type Report struct {
	Names int       // that count, each once
	Bad   int       // lines that were passed over
	First []BadLine // the first of these
}

// BadLine is a line that says nothing about a name.
type BadLine struct {
	Line   int    // from 1
	Text   string // quoted, and cut to a readable length
	Reason string
}

func (b BadLine) String() string { return fmt.Sprintf("line %d, %s: %s", b.Line, b.Text, b.Reason) }

// Read reads a file. Lines that can't be understood are passed over and reported; the errors are those of a file that is none of ours: it can't be
// read, it is no text, or not a single line of it makes sense. An empty file is an empty set.
func Read(path string) (*Set, Report, error) {
	b, err := newBuilder()
	if err != nil {
		return nil, Report{}, err
	}
	var report Report
	err = scan(path, b.expect, b.add, func(number int, line []byte, wrong error) error {
		switch {
		case wrong == nil:
		case errors.Is(wrong, errTooMany), errors.Is(wrong, syscall.ENOMEM):
			return fmt.Errorf("line %d: %w", number, wrong)
		case errors.Is(wrong, errBinary):
			return fmt.Errorf("line %d: it is no text: %w", number, wrong)
		default:
			report.Bad++
			if len(report.First) < named {
				report.First = append(report.First, BadLine{number, quote(line), wrong.Error()})
			}
		}
		return nil
	})
	if err != nil {
		b.memory.free()
		return nil, Report{}, err
	}
	if report.Names = b.names; report.Names == 0 && report.Bad > 0 {
		return nil, Report{}, fmt.Errorf("%s is no block list: %v", path, report.First[0])
	}
	set, err := b.done()
	return set, report, err
}

// Check returns why a file can't be read at all, and nil where it can. It doesn't look into it.
func Check(path string) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	return file.Close()
}

// open opens an ordinary file. A pipe would keep the reader waiting for ever, and a device has no end.
func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not an ordinary file", path)
	case info.Size() > maxFile:
		err = fmt.Errorf("%s has %d bytes, more than a block list has (at most %d)", path, info.Size(), maxFile)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// scan reads a file: it tells its size, calls add for the names of a line, then each for the line and what is wrong with it. What each returns ends it.
func scan(path string, expect func(size int64) error, add func([]byte, Reach) error, each func(number int, line []byte, wrong error) error) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil {
		err = expect(info.Size())
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	reader := bufio.NewReaderSize(io.LimitReader(file, maxFile), maxLine)
	p := parser{add: add}
	for number := 1; ; number++ {
		line, err := reader.ReadSlice('\n')
		if number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		wrong := errLong
		if !errors.Is(err, bufio.ErrBufferFull) {
			wrong = p.line(line)
		}
		if err := each(number, line, wrong); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading %s: %w", path, err)
		}
	}
}

// quote is a line for people.
func quote(line []byte) string {
	line = bytes.TrimSpace(line)
	if len(line) > 60 {
		return fmt.Sprintf("%+q…", line[:60])
	}
	return fmt.Sprintf("%+q", line)
}
