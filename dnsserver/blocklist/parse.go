package blocklist

import (
	"bytes"
	"errors"
	"net/netip"

	"golang.org/x/net/idna"
)

// The reasons why a line is passed over. They are values, not texts made for each: a file that is no list has nothing else.
var (
	errBinary     = errors.New("there is a zero byte in it")
	errLong       = errors.New("the line is too long")
	errEmpty      = errors.New("a part of the name is empty")
	errLabel      = errors.New("a part of the name has more than 63 bytes")
	errName       = errors.New("the name has more than 253 bytes")
	errCharacter  = errors.New("the name has a character in it that names don't have")
	errForeign    = errors.New("the name has no form in DNS")
	errAddress    = errors.New("an address is not a name")
	errHost       = errors.New("the address is a host's: only 0.0.0.0, 127.0.0.1, :: and ::1 block")
	errNoHost     = errors.New("the address has no name behind it")
	errWords      = errors.New("more than a name")
	errOptions    = errors.New("a rule that a browser understands, and DNS doesn't")
	errTopLevel   = errors.New("a single label; a whole top-level domain is blocked by *.NAME")
	errDirective  = errors.New("only the address=/NAME/, local=/NAME/ and server=/NAME/ of dnsmasq block")
	byteOrderMark = []byte("\xef\xbb\xbf")
)

// wireName is room for a name in wire format.
type wireName [maxName]byte

// parse reads a name in presentation format, without escapes, which no list uses; a last dot makes no difference.
func (w *wireName) parse(text []byte) ([]byte, error) {
	text = bytes.TrimSuffix(text, []byte("."))
	for _, c := range text {
		if c >= 0x80 {
			ascii, err := punycode.ToASCII(string(text))
			if err != nil {
				return nil, errForeign
			}
			text = []byte(ascii)
			break
		}
	}
	at := 0
	for more := true; more; {
		var label []byte
		label, text, more = bytes.Cut(text, []byte("."))
		switch {
		case len(label) == 0:
			return nil, errEmpty
		case len(label) > 63:
			return nil, errLabel
		case at+1+len(label)+1 > maxName:
			return nil, errName
		}
		digits := true
		w[at] = byte(len(label))
		for i, c := range label {
			switch {
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
				digits = false
			case 'a' <= c && c <= 'z' || c == '-' || c == '_':
				digits = false
			case c < '0' || c > '9':
				return nil, errCharacter
			}
			w[at+1+i] = c
		}
		// No top-level domain is a number, so that addresses are never names.
		if !more && digits {
			return nil, errAddress
		}
		at += 1 + len(label)
	}
	w[at] = 0
	return w[:at+1], nil
}

// punycode makes names of letters that DNS has no form for into those that browsers ask for, RFC 5891.
var punycode = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// parser reads lines, and calls add for each name of one, which is not kept.
type parser struct {
	buffer wireName
	add    func(n []byte, r Reach) error
}

func (p *parser) one(text []byte, r Reach) error {
	n, err := p.buffer.parse(text)
	if err != nil {
		return err
	}
	return p.add(n, r)
}

// line returns what is wrong with a line. One that says nothing, as a comment does, is right.
func (p *parser) line(line []byte) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' || line[0] == '!' || line[0] == '[' {
		return nil
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return errBinary
	}
	line = withoutComment(line)
	first, names := cutField(line)
	switch {
	case len(names) > 0:
		return p.hosts(first, names)
	case line[0] == '@' || line[0] == '|':
		return p.rule(line)
	case line[0] == '.':
		return p.one(line[1:], Below)
	case line[0] == '*' && len(line) > 1 && line[1] == '.':
		return p.one(line[2:], Below)
	}
	if key, value, ok := bytes.Cut(line, []byte("=")); ok {
		return p.directive(key, value)
	}
	if bytes.IndexByte(bytes.TrimSuffix(line, []byte(".")), '.') >= 0 {
		err := p.one(line, Below)
		if err != nil && addressed(line) {
			return errNoHost
		}
		return err
	}
	switch {
	case wellKnown(line):
		return nil
	case addressed(line):
		return errNoHost
	}
	return errTopLevel
}

// withoutComment cuts a comment off, which a space stands before: example.com##.ad is a rule for a browser, and nobody means to block example.com by it.
func withoutComment(line []byte) []byte {
	for at := 0; ; at++ {
		next := bytes.IndexByte(line[at:], '#')
		if next < 0 {
			return line
		}
		if at += next; at > 0 && (line[at-1] == ' ' || line[at-1] == '\t') {
			return bytes.TrimSpace(line[:at])
		}
	}
}

// rule reads a rule of an ad blocker: of these, those about a domain.
func (p *parser) rule(line []byte) error {
	line, exception := bytes.CutPrefix(line, []byte("@@"))
	domain, begins := bytes.CutPrefix(line, []byte("||"))
	domain, ends := bytes.CutSuffix(domain, []byte("^"))
	if !begins || !ends {
		return errOptions
	}
	if exception {
		return p.one(domain, Exempt)
	}
	return p.one(bytes.TrimPrefix(domain, []byte("*.")), Below)
}

// hosts reads a line of a hosts file, hosts(5). Names of the machine itself, which many lists begin with, are passed over.
func (p *parser) hosts(address, names []byte) error {
	blocks := false
	switch string(address) {
	case "0.0.0.0", "127.0.0.1", "::", "::1", "0":
		blocks = true
	default:
		if !addressed(address) {
			return errWords
		}
	}
	var wrong error
	for len(names) > 0 {
		var n []byte
		n, names = cutField(names)
		switch {
		case wellKnown(n):
		case !blocks:
			return errHost
		default:
			if err := p.one(n, Exact); err != nil {
				wrong = err // the others on the line are no worse for it
			}
		}
	}
	return wrong
}

// directive reads a line of a dnsmasq configuration, such as address=/example.com/0.0.0.0 or local=/example.com/.
func (p *parser) directive(key, value []byte) error {
	switch string(key) {
	case "address", "local", "server":
	default:
		return errDirective
	}
	last := bytes.LastIndexByte(value, '/')
	if last < 1 || value[0] != '/' {
		return errDirective
	}
	switch target := value[last+1:]; string(target) {
	case "", "0.0.0.0", "127.0.0.1", "::", "::1":
	case "#":
		// To server= it is the usual servers: an exception from another line.
		if string(key) != "address" {
			return errDirective
		}
	default:
		return errHost
	}
	for domain := range bytes.SplitSeq(value[1:last], []byte("/")) {
		if err := p.one(domain, Below); err != nil {
			return err
		}
	}
	return nil
}

// addressed tells whether a word is an address.
func addressed(word []byte) bool {
	_, err := netip.ParseAddr(string(word))
	return err == nil
}

// wellKnown tells the names that hosts files begin with, which mean the machine that they are on.
func wellKnown(n []byte) bool {
	switch string(n) {
	case "localhost", "localhost.localdomain", "localhost4", "localhost6", "local", "broadcasthost", "0.0.0.0":
		return true
	}
	return bytes.HasPrefix(n, []byte("ip6-"))
}

// cutField returns the first word of a line and what comes behind it.
func cutField(line []byte) (word, rest []byte) {
	for i, c := range line {
		if c == ' ' || c == '\t' {
			return line[:i], bytes.TrimLeft(line[i:], " \t")
		}
	}
	return line, nil
}
