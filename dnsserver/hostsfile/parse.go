package hostsfile

import (
	"bytes"
	"errors"
	"net/netip"
)

const maxName = 255

// The reasons why a line, or a name on it, is passed over.
var (
	errNoText    = errors.New("there is a zero byte in it: this is no text")
	errLong      = errors.New("the line is too long")
	errAddress   = errors.New("it doesn't begin with an address")
	errZone      = errors.New("an address with an interface means nothing to others")
	errMulticast = errors.New("the address is a group's, and no host's")
	errNoName    = errors.New("the address has no name behind it")
	errLabel     = errors.New("a part of a name is empty, or has more than 63 bytes")
	errName      = errors.New("a name has more than 253 bytes")
	errCharacter = errors.New("a name has a character in it that names of hosts don't have")
	errNumber    = errors.New("a name ends in a number, as an address does")
)

// debianOwn is the address by which Debian gives a machine its own name: to others it means themselves.
var debianOwn = netip.AddrFrom4([4]byte{127, 0, 1, 1})

// parser reads lines, and calls add for each name of one, which is not kept.
type parser struct {
	buffer [maxName]byte
	add    func(name []byte, addr netip.Addr)
}

// line returns what is wrong with a line; the names on it that are right count nevertheless.
func (p *parser) line(line []byte) error {
	line, _, _ = bytes.Cut(line, []byte("#"))
	if bytes.IndexByte(line, 0) >= 0 {
		return errNoText
	}
	first, rest := cutField(bytes.TrimSpace(line))
	if len(first) == 0 {
		return nil
	}
	addr, err := netip.ParseAddr(string(first))
	switch {
	case err != nil:
		return errAddress
	case len(rest) == 0:
		return errNoName
	}
	var wrong error
	for len(rest) > 0 {
		var text []byte
		text, rest = cutField(rest)
		if ofItself(text) {
			continue
		}
		switch {
		case addr.Zone() != "":
			return errZone
		case addr.IsMulticast():
			return errMulticast
		case addr == debianOwn:
			return nil
		}
		name, err := p.name(text)
		if err != nil {
			wrong = err
			continue
		}
		p.add(name, addr.Unmap())
	}
	return wrong
}

// name reads a name without escapes, which hosts(5) has none of; a last dot makes no difference.
func (p *parser) name(text []byte) ([]byte, error) {
	text = bytes.TrimSuffix(text, []byte("."))
	at := 0
	for more := true; more; {
		var label []byte
		label, text, more = bytes.Cut(text, []byte("."))
		switch {
		case len(label) == 0 || len(label) > 63:
			return nil, errLabel
		case at+1+len(label)+1 > maxName:
			return nil, errName
		}
		digits := true
		p.buffer[at] = byte(len(label))
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
			p.buffer[at+1+i] = c
		}
		// No top-level domain is a number: this is an address in the wrong place. A name without dots may be one.
		if !more && digits && at > 0 {
			return nil, errNumber
		}
		at += 1 + len(label)
	}
	p.buffer[at] = 0
	return p.buffer[:at+1], nil
}

// ofItself tells the names by which a machine calls itself, its links and its groups: they mean another thing on each, and nobody asks for them.
func ofItself(name []byte) bool {
	var buffer [24]byte
	if len(name) > len(buffer) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buffer[i] = c
	}
	switch string(buffer[:len(name)]) {
	case "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6", "broadcasthost",
		"ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts":
		return true
	}
	return false
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
