package migrate

import (
	"errors"
	"io"
)

// token is a word, a string or a sign of ISC's lease file.
type token struct {
	kind byte // 'w', 's', or the sign itself: { } ; = , and 0 at the end of the file
	text string
	line int
}

// maxToken bounds one, in bytes: strings of options have at most 255, each of which may be written by four.
const maxToken = 64 << 10

var (
	errString = errors.New("a string doesn't end on its line")
	errToken  = errors.New("a word or a string is longer than any that a server writes")
)

// lexer makes tokens of the file.
type lexer struct {
	s       *source
	peeked  *token
	pending error
}

// next returns the next token. The error is the reader's, or what is wrong with the token: then the one after it is a good place to go on.
func (x *lexer) next() (token, error) {
	if t := x.peeked; t != nil {
		x.peeked = nil
		return *t, x.pending
	}
	for {
		c, err := x.s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return token{line: x.s.line + 1}, nil
		}
		if err != nil {
			return token{}, err
		}
		t := token{kind: c, line: x.s.line + 1}
		switch c {
		case '\n':
			x.s.line++
		case ' ', '\t', '\r', '\f', '\v', 0:
		case '#':
			if err := x.comment(); err != nil {
				return t, err
			}
		case '{', '}', ';', '=', ',', '(', ')':
			return t, nil
		case '"':
			t.kind = 's'
			t.text, err = x.quoted()
			return t, err
		default:
			t.kind = 'w'
			t.text, err = x.word(c)
			return t, err
		}
	}
}

// peek returns what next will.
func (x *lexer) peek() token {
	if x.peeked == nil {
		t, err := x.next()
		x.peeked, x.pending = &t, err
	}
	return *x.peeked
}

func (x *lexer) comment() error {
	for {
		c, err := x.s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case c == '\n':
			x.s.line++
			return nil
		}
	}
}

func (x *lexer) word(c byte) (string, error) {
	word := []byte{c}
	for {
		next, err := x.s.in.Peek(1)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if c := next[0]; c <= ' ' || c == '{' || c == '}' || c == ';' || c == '=' || c == ',' || c == '"' || c == '(' || c == ')' || c == '#' {
			break
		}
		_, _ = x.s.in.Discard(1)
		if len(word) < maxToken {
			word = append(word, next[0])
		}
	}
	if len(word) == maxToken {
		return "", errToken
	}
	return string(word), nil
}

// quoted reads a string behind its first quote: \ and three octal digits, or two hexadecimal ones behind an x, are a byte.
func (x *lexer) quoted() (string, error) {
	var text []byte
	for {
		c, err := x.s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return "", errString
		case err != nil:
			return "", err
		case c == '\n':
			x.s.line++
			return "", errString
		case c == '"':
			if len(text) >= maxToken {
				return "", errToken
			}
			return string(text), nil
		case c == '\\':
			if c, err = x.escaped(); err != nil {
				return "", err
			}
		}
		if len(text) < maxToken {
			text = append(text, c)
		}
	}
}

// escaped reads what follows a backslash.
func (x *lexer) escaped() (byte, error) {
	c, err := x.s.in.ReadByte()
	switch {
	case errors.Is(err, io.EOF):
		return 0, errString
	case err != nil:
		return 0, err
	}
	switch c {
	case '\n':
		x.s.line++
		return 0, errString
	case 't':
		return '\t', nil
	case 'r':
		return '\r', nil
	case 'n':
		return '\n', nil
	case 'b':
		return '\b', nil
	case 'x':
		return x.digits(0, 2, 16), nil
	case '0', '1', '2', '3':
		return x.digits(c-'0', 2, 8), nil
	}
	return c, nil
}

// digits reads up to n more digits of a byte.
func (x *lexer) digits(v byte, n int, base byte) byte {
	for range n {
		next, err := x.s.in.Peek(1)
		if err != nil {
			return v
		}
		d, ok := digit(next[0])
		if !ok || d >= base {
			return v
		}
		_, _ = x.s.in.Discard(1)
		v = v*base + d
	}
	return v
}

func digit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
