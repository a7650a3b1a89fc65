package sqlitefile

import (
	"encoding/binary"
	"io"
)

// The WAL is a header, then frames of a header and a page each. The checksum of a frame goes on from the one before it; a frame counts if all
// before it are whole and one at or behind it ends a transaction.
const (
	walHeaderLen   = 32
	frameHeaderLen = 24
	walMagic       = 0x377f0682 // the lowest bit says that checksums are of big-endian words
)

// readWAL finds the pages of the transactions that are whole.
func (f *File) readWAL() {
	head := make([]byte, walHeaderLen)
	switch n, err := f.wal.ReadAt(head, 0); {
	case n == 0 && err == io.EOF:
		return // it is empty
	case err != nil:
		f.problem("its WAL can't be read: %v", err)
		return
	}
	number := binary.BigEndian.Uint32(head)
	sum := walSum{order: binary.LittleEndian}
	if number&1 != 0 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	size := int(binary.BigEndian.Uint32(head[8:]))
	if number&^1 != walMagic || !sum.is(head[24:]) || !validPageSize(size) || size != f.pageSize && f.header.Whole {
		f.problem("its WAL has no valid header: what was in it alone is lost")
		return
	}
	if size != f.pageSize {
		f.pages = uint32(int64(f.pages) * int64(f.pageSize) / int64(size))
		f.pageSize = size
	}
	salt := head[16:24]
	open := make(map[uint32]int64) // of the transaction whose end wasn't seen
	frame := make([]byte, frameHeaderLen+f.pageSize)
	at, broken := int64(walHeaderLen), false
	for ; ; at += int64(len(frame)) {
		if _, err := f.wal.ReadAt(frame, at); err != nil {
			break
		}
		if string(frame[8:16]) != string(salt) {
			break // of an earlier use: the end
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeaderLen:])
		if !sum.is(frame[16:]) {
			broken = true
			break
		}
		open[binary.BigEndian.Uint32(frame)] = at + frameHeaderLen
		if size := binary.BigEndian.Uint32(frame[4:]); size != 0 {
			f.pages = size
			for page, offset := range open {
				f.inWAL[page] = offset
			}
			clear(open)
		}
	}
	if broken && f.committedBehind(at, frame, salt) {
		f.problem("its WAL is damaged in the middle: the transactions behind that are lost")
	}
}

// committedBehind reports whether a transaction ends at or behind a frame that is damaged. Without one it is what a crash leaves.
func (f *File) committedBehind(at int64, frame, salt []byte) bool {
	for ; ; at += int64(len(frame)) {
		if _, err := f.wal.ReadAt(frame, at); err != nil {
			return false
		}
		if string(frame[8:16]) == string(salt) && binary.BigEndian.Uint32(frame[4:]) != 0 {
			return true
		}
	}
}

// walSum is the checksum of the WAL.
type walSum struct {
	order  binary.ByteOrder
	s1, s2 uint32
}

// add goes on over a multiple of eight bytes.
func (s *walSum) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		s.s1 += s.order.Uint32(b) + s.s2
		s.s2 += s.order.Uint32(b[4:]) + s.s1
	}
}

func (s *walSum) is(b []byte) bool {
	return binary.BigEndian.Uint32(b) == s.s1 && binary.BigEndian.Uint32(b[4:]) == s.s2
}
