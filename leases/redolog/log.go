package redolog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Lengths of a file. It begins small, since most logs stay so, and is made longer when it was too short.
const (
	minLength = 1 << 20
	maxLength = 8 << 20
)

// ErrFull is returned by Append when the payload doesn't fit behind what is there: Turn makes room. MaxPayload always fits then.
var ErrFull = errors.New("the redo log is full")

// MaxPayload is the longest payload that a log takes, whatever its files' length.
const MaxPayload = minLength - headerLen - frameExtra

// Log is open for appending. One goroutine at a time may call its methods; another one may at the same time call Payloads and
// Recycle for a segment that Turn has ended.
type Log struct {
	id     ID
	files  [2]file
	seq    uint64 // of the present segment, which is in files[seq%2]
	count  int    // of the payloads in it
	offset int    // of the next frame in it
	buf    []byte
}

// file is one of the two.
type file struct {
	*os.File
	length int
}

// Create makes the two files of the log at path anew, whatever they held; the first segment is first. It returns when they and
// their names are on the disk.
func Create(path string, id ID, first uint64) (_ *Log, err error) {
	l := &Log{id: id, seq: first, offset: headerLen}
	defer func() {
		if err != nil {
			_ = l.Close()
			err = errors.Join(fmt.Errorf("making the redo log: %w", err), Remove(path))
		}
	}()
	for i, name := range names(path) {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		l.files[i].File = f
		if err := l.files[i].extend(minLength); err != nil {
			return nil, err
		}
	}
	return l, syncDir(filepath.Dir(path))
}

// extend makes the file longer, by zeros that are written and not only promised: overwriting them needs no change of the
// file system's own data, whose sync would cost more than that of ours. Where there is no room it stays as long as it was.
func (f *file) extend(length int) (err error) {
	defer func() {
		if err != nil {
			_ = f.Truncate(int64(f.length)) // others need what little room there was
		}
	}()
	zeros := make([]byte, min(length-f.length, 64<<10))
	for at := f.length; at < length; at += len(zeros) {
		if _, err := f.WriteAt(zeros[:min(len(zeros), length-at)], int64(at)); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	f.length = length
	return nil
}

// Append makes payload durable: it is when Append returns nil. It is ErrFull, and nothing has happened, when there is no room
// for it. After any other error the log must be made anew: whether Read will return the payload is unknown.
func (l *Log) Append(payload []byte) error {
	f := &l.files[l.seq%2]
	if l.offset+frameExtra+len(payload) > f.length {
		return ErrFull
	}
	at := l.offset
	l.buf = l.buf[:0]
	if at == headerLen { // the header goes with the first frame: an empty segment is none
		at = 0
		l.buf = appendHeader(l.buf, l.id, l.seq)
	}
	l.buf = appendFrame(l.buf, l.seq, l.offset, payload)
	if _, err := f.WriteAt(l.buf, int64(at)); err != nil {
		return fmt.Errorf("writing the redo log: %w", err)
	}
	if err := fdatasync(f.File); err != nil {
		return fmt.Errorf("syncing the redo log: %w", err)
	}
	l.offset += frameExtra + len(payload)
	l.count++
	return nil
}

// Ended is a segment that Turn has ended.
type Ended struct {
	Seq   uint64
	Count int // of its payloads
}

// Turn ends the present segment and begins the next one, in the other file; what that holds must be of no use any more.
func (l *Log) Turn() Ended {
	e := Ended{l.seq, l.count}
	l.seq++
	l.offset, l.count = headerLen, 0
	return e
}

// Present is the segment that is appended to, as far as it is.
func (l *Log) Present() Ended { return Ended{l.seq, l.count} }

// Count is how many payloads were appended to the present segment.
func (l *Log) Count() int { return l.count }

// Payloads reads back what was appended to a segment.
func (l *Log) Payloads(e Ended) ([][]byte, error) {
	f := &l.files[e.Seq%2]
	content := make([]byte, f.length)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, int64(f.length)), content); err != nil {
		return nil, fmt.Errorf("reading the redo log: %w", err)
	}
	id, seq, ok := parseHeader(content)
	if ok && id == l.id && seq == e.Seq {
		if payloads := parseFrames(content, seq); len(payloads) >= e.Count {
			return payloads[:e.Count], nil // one more may be there whose Append failed
		}
	}
	return nil, fmt.Errorf("reading the redo log: %s doesn't hold what was written to it", f.Name())
}

// Recycle says that a segment is of no use any more. If it was full, its file is made longer for the next time, as far as
// the disk has room.
func (l *Log) Recycle(e Ended, full bool) {
	f := &l.files[e.Seq%2]
	if full && f.length < maxLength {
		_ = f.extend(min(2*f.length, maxLength)) // it works as it is, too
	}
}

// Close closes the files and leaves them as they are.
func (l *Log) Close() error {
	var errs []error
	for _, f := range l.files {
		if f.File != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func fdatasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return err
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
