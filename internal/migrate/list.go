package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// list reads a list of objects in JSON, or one object behind the other, and makes a lease of each by parse. What can't be read as JSON
// ends it, with a problem.
func (s *source) list(parse func(json.RawMessage) (l Lease, v6 bool, err error)) error {
	places := &placer{in: s.in}
	decoder := json.NewDecoder(places)
	inside := false
	for {
		places.left = maxLine
		if inside && !decoder.More() {
			inside = false
			err := drop(decoder.Token())
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			if done, err := s.syntax(places, decoder, err); done {
				return err
			}
			continue
		}
		s.line = places.at(decoder.InputOffset())
		if !inside {
			// A list is taken apart, so that no more of it is in memory than one entry.
			first, err := places.peek(decoder)
			if done, err := s.syntax(places, decoder, err); done {
				return err
			}
			if first == '[' {
				if done, err := s.syntax(places, decoder, drop(decoder.Token())); done {
					return err
				}
				inside = true
				continue
			}
		}
		var raw json.RawMessage
		if done, err := s.syntax(places, decoder, decoder.Decode(&raw)); done {
			return err
		}
		line := places.at(decoder.InputOffset() - int64(len(raw)))
		l, v6, err := parse(raw)
		addr := ""
		if l.Addr.IsValid() {
			addr = l.Addr.String()
		}
		switch l.Line = line; {
		case v6:
			s.sink.Skipped()
		case err != nil:
			s.problem(line, addr, err.Error())
		default:
			s.lease(l)
		}
	}
}

func drop(_ json.Token, err error) error { return err }

// syntax says whether err ends the reading of a list, and how.
func (s *source) syntax(places *placer, decoder *json.Decoder, err error) (done bool, fatal error) {
	switch {
	case err == nil:
		return false, nil
	case places.err != nil && !errors.Is(places.err, io.EOF):
		if errors.Is(places.err, errToken) {
			s.problem(places.at(decoder.InputOffset()), "", "an entry is longer than any that a server writes; what follows is not read")
			return true, nil
		}
		return true, places.err
	case errors.Is(err, io.EOF):
		return true, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.problem(places.line, "", "the file ends in the middle of the list")
		return true, nil
	}
	s.problem(places.at(decoder.InputOffset()), "", fmt.Sprintf("not JSON from here on: %v", err))
	return true, nil
}

// placer reads for a JSON decoder: it knows on which line which byte was, and ends where an entry has no end.
type placer struct {
	in   io.Reader
	left int // how much more may be read for the present entry
	err  error

	read   int64   // bytes so far
	line   int     // the last line that was read, from 1 on
	start  []int64 // where lines begin; the decoder has passed the first ones
	passed int
	first  int // the number of the line before start[passed]
}

func (p *placer) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.left <= 0 {
		p.err = errToken
		return 0, p.err
	}
	n, err := p.in.Read(b[:min(len(b), p.left)])
	p.left -= n
	if p.line == 0 {
		p.line, p.first = 1, 1
	}
	for i, c := range b[:n] {
		if c == '\n' {
			p.start = append(p.start, p.read+int64(i)+1)
			p.line++
		}
	}
	p.read += int64(n)
	p.err = err
	return n, err
}

// at returns the line of a byte. Bytes before it aren't asked for any more.
func (p *placer) at(offset int64) int {
	for p.passed < len(p.start) && p.start[p.passed] <= offset {
		p.passed++
		p.first++
	}
	if p.passed > 1024 && p.passed > len(p.start)/2 {
		p.start = append(p.start[:0], p.start[p.passed:]...)
		p.passed = 0
	}
	return max(1, p.first)
}

// peek returns the first byte of the decoder's next value.
func (p *placer) peek(decoder *json.Decoder) (byte, error) {
	if !decoder.More() {
		// At the end of the file, or at a sign that begins no value; both the decoder says itself.
		_, err := decoder.Token()
		if err == nil {
			err = errors.New("a bracket that closes nothing")
		}
		return 0, err
	}
	var first [1]byte
	rest := decoder.Buffered()
	for {
		if _, err := io.ReadFull(rest, first[:]); err != nil {
			return 0, err
		}
		if c := first[0]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}
