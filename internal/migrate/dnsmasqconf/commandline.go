package dnsmasqconf

import "strings"

const commandLine = "command line"

// arguments reads a command line of dnsmasq, without the program's own name.
func (r *reader) arguments(args []string) {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case strings.HasPrefix(word, "--") && len(word) > 2:
			args = r.long(word[2:], args)
		case strings.HasPrefix(word, "-") && len(word) > 1 && word[1] != '-':
			args = r.short(word[1:], args)
		default:
			r.mistakes = append(r.mistakes, Mistake{commandLine, 0, "junk found in command line: " + word})
		}
	}
}

// long reads --name, --name=value and --name value.
func (r *reader) long(word string, rest []string) []string {
	d := Directive{File: commandLine}
	d.Name, d.Arg, d.has = strings.Cut(word, "=")
	if known, ok := lookUp(d.Name); ok && known.arg == needsArg && !d.has && len(rest) > 0 {
		d.Arg, d.has = rest[0], true
		rest = rest[1:]
	}
	r.take(d)
	return rest
}

// short reads a word of short options, the last of which may have a value.
func (r *reader) short(word string, rest []string) []string {
	for len(word) > 0 {
		letter := word[:1]
		word = word[1:]
		known, ok := lookUpShort(letter)
		if !ok {
			r.mistakes = append(r.mistakes, Mistake{commandLine, 0, "dnsmasq 2.90 has no option -" + letter})
			return rest
		}
		d := Directive{File: commandLine, Name: known.name}
		switch {
		case known.arg == noArg || letter == "q" || letter == "1":
		case word != "":
			d.Arg, d.has, word = strings.TrimPrefix(word, "="), true, ""
		case len(rest) > 0: // a value that may be left out of the long form may not here
			d.Arg, d.has = rest[0], true
			rest = rest[1:]
		}
		r.take(d)
	}
	return rest
}
