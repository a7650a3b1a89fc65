package dnsmasqconf

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Directive is one line of a configuration, or one option of a command line.
type Directive struct {
	File string // as the user named it; "command line" for an option there
	Line int    // from 1; 0 on a command line
	Name string // a long name, in the letters of the table
	Arg  string // what stands behind the equals sign, with what was quoted hidden
	has  bool   // whether there is an equals sign
}

// Text is the directive as it would stand in a file, for people.
func (d Directive) Text() string {
	if !d.has {
		return d.Name
	}
	return d.Name + "=" + plain(d.Arg)
}

// hidden is where the private-use characters lie that stand for what quotes protect: dnsmasq takes quoted digits, hexadecimal letters,
// spaces and separators for text, whatever the directive would make of them.
const hidden = '\ue000'

// protected are the characters that quotes hide; all others mean the same with quotes and without.
const protected = "0123456789abcdefABCDEF \b\t\n\r\x1b:,."

func hide(c byte) string {
	if strings.IndexByte(protected, c) < 0 {
		return string([]byte{c})
	}
	return string(rune(hidden + rune(c)))
}

// plain is text without any hiding.
func plain(s string) string {
	if !strings.ContainsFunc(s, isHidden) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if c, size := utf8.DecodeRuneInString(s); isHidden(c) {
			b.WriteByte(byte(c - hidden))
			s = s[size:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

func isHidden(c rune) bool { return c >= hidden && c < hidden+0x80 }

var errQuote = errors.New(`a quote (") is not closed`)

// cleanLine takes quotes, comment and the spaces around it off a line, as dnsmasq does: a # begins a comment at the beginning or
// behind a space, and only the first quoted text of a run is taken out of its quotes.
func cleanLine(line string) (string, error) {
	var b strings.Builder
	white := true
	for i := 0; i < len(line); i++ {
		if line[i] == '"' {
			end, err := quoted(&b, line[i+1:])
			if err != nil {
				return "", err
			}
			if i += end + 2; i >= len(line) {
				break
			}
		}
		switch c := line[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			b.WriteByte(' ')
			white = true
		case c == '#' && white:
			return strings.Trim(b.String(), " "), nil
		default:
			b.WriteByte(c)
			white = false
		}
	}
	return strings.Trim(b.String(), " "), nil
}

// quoted writes the text up to the closing quote, and returns where that stands.
func quoted(b *strings.Builder, s string) (int, error) {
	escapes := map[byte]byte{'t': '\t', 'n': '\n', 'e': 0x1b, 'b': '\b', 'r': '\r', '"': '"', '\\': '\\'}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return i, nil
		}
		if c == '\\' && i+1 < len(s) {
			if escaped, ok := escapes[s[i+1]]; ok {
				c = escaped
				i++
			}
		}
		b.WriteString(hide(c))
	}
	return 0, errQuote
}

// splitLine cuts a clean line into a name and what stands behind the equals sign.
func splitLine(line string) (name, arg string, has bool) {
	name, arg, has = strings.Cut(line, "=")
	return strings.TrimRight(name, " ="), strings.TrimLeft(arg, " "), has
}

// fields are the parts between commas, without the spaces around them; all is still hidden.
func fields(arg string) []string {
	parts := strings.Split(arg, ",")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " ")
	}
	return parts
}
