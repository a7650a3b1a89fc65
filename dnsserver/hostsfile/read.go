package hostsfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

const (
	// maxFile bounds a file, in bytes: a million lines and more. A larger one is a mistake.
	maxFile = 64 << 20
	// maxLine is the longest line that is looked at.
	maxLine = 64 << 10
	// named is how many bad lines a Report has.
	named = 5
	// shown is how much of a bad line is shown, in bytes.
	shown = 80
)

// Report is what was found in a file.
type Report struct {
	Names int       // different ones
	Bad   int       // lines of which something was passed over
	First []BadLine // the first of these
}

// BadLine is a line that can't be understood, or a name on it.
type BadLine struct {
	Line   int    // from 1
	Text   string // quoted, and cut to a readable length
	Reason string
}

func (b BadLine) String() string { return fmt.Sprintf("line %d, %s: %s", b.Line, b.Text, b.Reason) }

// Read reads a file. What can't be understood is passed over and reported; the errors are those of a file that is none of ours: it can't be read, it is no
// text or too large, or not a single line of it makes sense. An empty file is an empty set.
func Read(path string) (*Set, Report, error) {
	file, err := open(path)
	if err != nil {
		return nil, Report{}, err
	}
	defer file.Close()
	var b builder
	var report Report
	// What grows while it is read is not read for ever.
	reader := bufio.NewReaderSize(io.LimitReader(file, maxFile), maxLine)
	number := 1
	p := parser{add: func(name []byte, addr netip.Addr) { b.add(name, addr, number) }}
	for ; ; number++ {
		line, err := reader.ReadSlice('\n')
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		var wrong error
		switch {
		case err == nil || errors.Is(err, io.EOF):
			wrong = p.line(line)
		case errors.Is(err, bufio.ErrBufferFull):
			wrong = errLong
		default:
			return nil, Report{}, fmt.Errorf("reading %s: %w", path, err)
		}
		if errors.Is(wrong, errNoText) {
			return nil, Report{}, fmt.Errorf("%s, line %d: %w", path, number, wrong)
		}
		if wrong != nil {
			report.Bad++
			if len(report.First) < named {
				report.First = append(report.First, BadLine{number, quote(line), wrong.Error()})
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if err != nil {
			break
		}
	}
	set := b.done()
	if report.Names = len(set.names); report.Names == 0 && report.Bad > 0 {
		return nil, Report{}, fmt.Errorf("%s is no hosts file: %v", path, report.First[0])
	}
	return set, report, nil
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
		err = fmt.Errorf("%s has %d bytes, more than a hosts file has (at most %d)", path, info.Size(), maxFile)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// quote makes a line fit for a log.
func quote(line []byte) string {
	line = bytes.TrimSpace(line)
	if len(line) > shown {
		return strconv.Quote(string(line[:shown])) + "…"
	}
	return strconv.Quote(string(line))
}
