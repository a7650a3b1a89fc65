package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// ErrFormat says that a file is of no format that Read knows.
var ErrFormat = errors.New("this is no lease file that labnet knows")

// Read reads a file of a format, Auto for the one that it looks like, and gives sink what it finds; a bad entry never keeps the others
// from being found. name is for the messages. It needs memory for one entry at a time, of a MiB at most. It returns the format; the
// error is r's, or ErrFormat.
func Read(r io.Reader, name string, f Format, sink Sink) (Format, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return f, err
	}
	if f == Auto {
		if f = detect(head); f == "" {
			return f, ErrFormat
		}
	}
	s := &source{in: in, name: name, sink: sink}
	switch f {
	case Dnsmasq:
		err = s.dnsmasq()
	case Kea:
		err = s.kea()
	case ISC:
		err = s.isc()
	case Libvirt:
		err = s.list(parseLibvirt)
	case JSON:
		err = s.list(parseOwn)
	default:
		err = fmt.Errorf("%w: %q", ErrFormat, string(f))
	}
	return f, err
}

var (
	dnsmasqLine = regexp.MustCompile(`^(\d+ \S+ \S+ \S+ \S+|duid [0-9a-f:]+)$`)
	iscWord     = regexp.MustCompile(`(?m)^\s*(lease|host|group|subgroup|class|subclass|failover|server-duid|authoring-byte-order|ia-na|ia-ta|ia-pd)\s`)
	keaHeader   = regexp.MustCompile(`^address,(hwaddr|duid),`)
	libvirtKey  = regexp.MustCompile(`"(ip-address|mac-address|expiry-time)"\s*:`)
)

// detect tells a file's format by its beginning, "" if it is none. Without any lease in it, one is as good as the other.
func detect(head []byte) Format {
	text := bytes.TrimLeft(head, " \t\r\n")
	first, _, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case len(text) == 0:
		return Dnsmasq
	case text[0] == '[' || text[0] == '{':
		if libvirtKey.Match(text) {
			return Libvirt
		}
		return JSON
	case keaHeader.Match(text):
		return Kea
	case dnsmasqLine.Match(bytes.TrimRight(first, " \r")):
		return Dnsmasq
	case text[0] == '#' || iscWord.Match(text):
		return ISC
	}
	return ""
}

// source is a file that is read.
type source struct {
	in   *bufio.Reader
	name string
	line int // the number of the line that was read last
	sink Sink
}

func (s *source) lease(l Lease) {
	l.File = s.name
	if l.Line == 0 {
		l.Line = s.line
	}
	if l.State != Removed && l.State != Declined && l.HWAddr == "" && l.ClientID == "" {
		if l.State == Active {
			s.problem(l.Line, l.Addr.String(), "neither a hardware address nor a client identifier says whose lease it is")
			return
		}
		l.State = Removed // it is nobody's
	}
	s.sink.Lease(l)
}

func (s *source) problem(line int, addr, reason string) {
	s.sink.Problem(Problem{File: s.name, Line: line, Addr: addr, Reason: reason})
}

// next reads a line without its end. One that is too long is reported and left out. At the end of the file it is io.EOF.
func (s *source) next() (string, error) {
	for {
		line, long, err := s.readLine()
		if err != nil && (!errors.Is(err, io.EOF) || line == "" && !long) {
			return "", err
		}
		s.line++
		if !long {
			return strings.TrimSuffix(line, "\r"), nil
		}
		s.problem(s.line, "", "the line is longer than any that a server writes")
	}
}

func (s *source) readLine() (line string, long bool, err error) {
	var whole []byte
	for {
		part, err := s.in.ReadSlice('\n')
		if len(whole)+len(part) > maxLine {
			long, whole = true, whole[:0]
		} else if !long {
			whole = append(whole, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(bytes.TrimSuffix(whole, []byte("\n"))), long, err
		}
	}
}
