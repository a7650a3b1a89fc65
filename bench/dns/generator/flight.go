package generator

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// maxQuery is how long a question may be.
const maxQuery = 128

// maxWindow is how many questions may be in flight on one socket: their places are the lower byte of the ID.
const maxWindow = 256

// slot is a question in flight.
type slot struct {
	sent  time.Duration // since the run began
	want  uint32
	id    uint16
	len   uint8
	waits bool
	buf   [maxQuery]byte
}

func (s *slot) message() []byte { return s.buf[:s.len] }

// flight is the questions in flight on one socket.
type flight struct {
	slots   []slot
	waiting int
}

// ask puts the next question into a place.
func (f *flight) ask(i int, from *Source, now time.Duration) *slot {
	s := &f.slots[i]
	if !s.waits {
		s.waits = true
		f.waiting++
	}
	n, want := from.put(s.buf[:])
	// The upper byte counts up: an answer that comes too late isn't taken for the next question's.
	s.id, s.len, s.want, s.sent = s.id&0xff00+0x100|uint16(i), uint8(n), want, now
	binary.BigEndian.PutUint16(s.buf[:], s.id)
	return s
}

// end makes a place free.
func (f *flight) end(i int) {
	f.slots[i].waits = false
	f.waiting--
}

// hear takes an answer, and returns whose place it makes free, or false if nobody waited for it.
func (f *flight) hear(answer []byte, now time.Duration, r *Result) (i int, ok bool) {
	if len(answer) < 12 {
		r.Strays++
		return 0, false
	}
	id := binary.BigEndian.Uint16(answer)
	i = int(id & 0xff)
	if i >= len(f.slots) || !f.slots[i].waits || f.slots[i].id != id {
		r.Strays++
		return 0, false
	}
	s := &f.slots[i]
	switch fault := s.check(answer); {
	case fault == "":
		r.Answers++
		r.Times.add(now - s.sent)
	case answer[3]&15 != 0:
		r.Failed++
		r.example(fault, s, answer)
	default:
		r.Wrong++
		r.example(fault, s, answer)
	}
	f.end(i)
	return i, true
}

func (r *Result) example(fault string, s *slot, answer []byte) {
	if r.Example == "" {
		r.Example = fmt.Sprintf("%s: asked %x, answered %x", fault, s.message(), answer)
	}
}

// check says what is wrong with an answer whose ID is right, or nothing.
func (s *slot) check(answer []byte) string {
	end := questionEnd(s.message())
	switch {
	case answer[2]&0xfa != 0x80: // QR, opcode 0, TC
		return "not an answer, or cut off"
	case answer[3]&15 != 0:
		return fmt.Sprintf("answered with error code %d", answer[3]&15)
	case answer[4] != 0 || answer[5] != 1 || len(answer) < end || !bytes.Equal(answer[12:end], s.buf[12:end]):
		return "another question"
	}
	for n := binary.BigEndian.Uint16(answer[6:]); n > 0; n-- {
		for end < len(answer) && answer[end] != 0 && answer[end] < 0xc0 {
			end += int(answer[end]) + 1
		}
		if end < len(answer) && answer[end] >= 0xc0 {
			end++
		}
		end++
		if end+10 > len(answer) {
			return "cut off"
		}
		kind, size := binary.BigEndian.Uint16(answer[end:]), int(binary.BigEndian.Uint16(answer[end+8:]))
		end += 10
		if end+size > len(answer) {
			return "cut off"
		}
		if kind == 1 && size == 4 && binary.BigEndian.Uint32(answer[end:]) == s.want {
			return ""
		}
		end += size
	}
	return "without the address"
}
