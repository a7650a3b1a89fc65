package querylog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// queued is how many lines wait to be written.
	queued = 1 << 13
	// batch is how many bytes are written at once, if as many wait.
	batch = 64 << 10
	// lookEvery is how often it is looked whether the file is still there by its name, and after how long a file that couldn't be written is tried again.
	lookEvery = time.Second
	// sayEvery is how often it is said that lines are lost.
	sayEvery = time.Minute
)

// Bounds are those of a log.
type Bounds struct {
	Size int64 // of a file, in bytes; the last line of one may go beyond
	Keep int   // how many former files are kept, named FILE.1 (the last) to FILE.n
}

// File is a log file. Write may be called by any number of goroutines, Run by one.
type File struct {
	path   string
	log    *slog.Logger
	lines  chan []byte
	lost   atomic.Uint64 // since it was last said
	bounds atomic.Pointer[Bounds]

	// Run's own.
	file   *os.File
	size   int64
	looked time.Time // when the file's name was
	failed time.Time // when it couldn't be written; zero: it can
	said   time.Time // when lost lines were
	now    func() time.Time
}

// New is the log at an absolute path; troubles with it go to log. Nothing happens to the file before Run.
func New(path string, bounds Bounds, log *slog.Logger) *File {
	f := &File{path: path, log: log, lines: make(chan []byte, queued), now: time.Now}
	f.Bound(bounds)
	return f
}

// Bound changes the bounds, from the next line on.
func (f *File) Bound(b Bounds) { f.bounds.Store(&b) }

// Write queues a line, which is copied, and never waits or fails: what doesn't fit is lost, and counted.
func (f *File) Write(line []byte) (int, error) {
	select {
	case f.lines <- append([]byte(nil), line...):
	default:
		f.lost.Add(1)
	}
	return len(line), nil
}

// Run writes until ctx ends and nothing is queued any more.
func (f *File) Run(ctx context.Context) {
	defer f.close()
	var buffer []byte
	for {
		buffer = buffer[:0]
		select {
		case line := <-f.lines:
			buffer = append(buffer, line...)
		case <-ctx.Done():
			if len(f.lines) == 0 {
				return
			}
			continue
		}
		count := uint64(1)
		for more := true; more && len(buffer) < batch; {
			select {
			case line := <-f.lines:
				buffer, count = append(buffer, line...), count+1
			default:
				more = false
			}
		}
		f.flush(buffer, count)
	}
}

// flush writes some lines, or loses them.
func (f *File) flush(lines []byte, count uint64) {
	now := f.now()
	if !f.failed.IsZero() && now.Sub(f.failed) < lookEvery {
		f.lost.Add(count)
		return
	}
	if err := f.write(lines, now); err != nil {
		f.lost.Add(count)
		if f.failed.IsZero() {
			f.log.Warn("the query log can't be written; questions are answered all the same, and it is tried again every second", "file", f.path, "err", err)
		}
		f.failed = now
		f.close()
		return
	}
	if !f.failed.IsZero() {
		f.failed = time.Time{}
		f.log.Info("the query log is written again", "file", f.path, "lost", f.lost.Swap(0))
		f.said = now
	}
	if f.lost.Load() > 0 && now.Sub(f.said) >= sayEvery {
		f.said = now
		f.log.Warn("questions come faster than the query log is written: some are not in it", "file", f.path, "lost", f.lost.Swap(0))
	}
}

func (f *File) write(lines []byte, now time.Time) error {
	if f.file != nil && now.Sub(f.looked) >= lookEvery {
		f.looked = now
		if !f.named() {
			f.close() // somebody has put it away, as logrotate does
		}
	}
	if err := f.open(now); err != nil {
		return err
	}
	if b := f.bounds.Load(); f.size > 0 && f.size+int64(len(lines)) > b.Size {
		f.close()
		if err := rotate(f.path, b.Keep); err != nil {
			return fmt.Errorf("beginning a new file: %w", err)
		}
		if err := f.open(now); err != nil {
			return err
		}
	}
	n, err := f.file.Write(lines)
	if err != nil && n > 0 {
		// Half a line is worse than none.
		err = errors.Join(err, f.file.Truncate(f.size))
	}
	if err != nil {
		return err
	}
	f.size += int64(n)
	return nil
}

// named reports whether the file is still the one at its path.
func (f *File) named() bool {
	own, err := f.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(f.path)
	return err == nil && os.SameFile(own, there)
}

// open opens the file, if it isn't. A pipe could keep the writer waiting for ever.
func (f *File) open(now time.Time) error {
	if f.file != nil {
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not an ordinary file", f.path)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.size, f.looked = file, info.Size(), now
	return nil
}

func (f *File) close() {
	if f.file != nil {
		_ = f.file.Close() // what was written is written
		f.file = nil
	}
}

// rotate moves FILE to FILE.1, FILE.1 to FILE.2 and so on; what would come after the last that is kept is removed.
func rotate(path string, keep int) error {
	name := func(i int) string {
		if i == 0 {
			return path
		}
		return fmt.Sprintf("%s.%d", path, i)
	}
	if keep == 0 {
		return os.Remove(path)
	}
	for i := keep; i > 0; i-- {
		if err := os.Rename(name(i-1), name(i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
