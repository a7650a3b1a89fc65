package sqlitefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// defaultPageSize is SQLite's own, for files whose header doesn't say one.
const defaultPageSize = 4096

// magic is how every SQLite file begins.
const magic = "SQLite format 3\x00"

// File is a database with the part of its WAL that is committed. It is for one goroutine.
type File struct {
	main     *os.File
	wal      *os.File // nil: none
	header   Header
	problems []string
	pageSize int
	pages    uint32           // how many there are
	inWAL    map[uint32]int64 // where in the WAL the newest version of a page is
	seen     map[uint32]bool  // pages that a tree, or the list of free ones, has led to
}

// Header is what the first page says of the file.
type Header struct {
	Whole         bool // it is an SQLite header; else the rest may mean nothing
	UserVersion   uint32
	ApplicationID uint32
}

// Open opens the file at path and the WAL beside it. What is wrong with them is no error, but in Problems. A file that isn't there is
// fs.ErrNotExist.
func Open(path string) (_ *File, err error) {
	f := &File{inWAL: make(map[uint32]int64), seen: make(map[uint32]bool)}
	if f.main, err = os.Open(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.main.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	if f.wal, err = os.Open(path + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f.readHeader(info.Size())
	f.pages = uint32(min(info.Size()/int64(f.pageSize), 1<<32-2))
	if rest := info.Size() % int64(f.pageSize); rest != 0 {
		f.problem("the file ends in the middle of a page")
	}
	if f.wal != nil {
		f.readWAL()
	}
	// In the WAL may be a newer one.
	if page, err := f.page(1); err == nil && f.inWAL[1] != 0 {
		f.header = parseHeader(page)
	}
	return f, nil
}

// Close closes the files.
func (f *File) Close() error {
	err := f.main.Close()
	if f.wal != nil {
		err = errors.Join(err, f.wal.Close())
	}
	return err
}

// Header returns what the first page says.
func (f *File) Header() Header { return f.header }

// Pages is how many pages the database has.
func (f *File) Pages() int { return int(f.pages) }

// Problems are what was found wrong on the way, in words; trees that lead to pages which can't be read aren't in it.
func (f *File) Problems() []string { return f.problems }

func (f *File) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// readHeader finds out the size of pages.
func (f *File) readHeader(size int64) {
	head := make([]byte, headerLen)
	_, _ = f.main.ReadAt(head, 0) // what can't be read stays 0
	f.header = parseHeader(head)
	f.pageSize = headerPageSize(head)
	if !validPageSize(f.pageSize) || !f.header.Whole && size%int64(f.pageSize) != 0 {
		f.pageSize = defaultPageSize
	}
}

// headerLen is the part of the first page that is the header.
const headerLen = 100

func parseHeader(page []byte) Header {
	return Header{
		Whole:         string(page[:len(magic)]) == magic && validPageSize(headerPageSize(page)),
		UserVersion:   binary.BigEndian.Uint32(page[60:]),
		ApplicationID: binary.BigEndian.Uint32(page[68:]),
	}
}

func headerPageSize(page []byte) int {
	if size := int(binary.BigEndian.Uint16(page[16:])); size != 1 {
		return size
	}
	return 1 << 16
}

func validPageSize(n int) bool { return n >= 512 && n <= 1<<16 && n&(n-1) == 0 }

// page returns a page, numbered from 1.
func (f *File) page(n uint32) ([]byte, error) {
	if n == 0 || n > f.pages {
		return nil, fmt.Errorf("there is no page %d", n)
	}
	page := make([]byte, f.pageSize)
	from, at := f.main, int64(n-1)*int64(f.pageSize)
	if offset, ok := f.inWAL[n]; ok {
		from, at = f.wal, offset
	}
	if _, err := io.ReadFull(io.NewSectionReader(from, at, int64(f.pageSize)), page); err != nil {
		return nil, fmt.Errorf("page %d: %w", n, err)
	}
	return page, nil
}
