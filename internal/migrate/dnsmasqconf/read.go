package dnsmasqconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds what is read: a longer file is a mistake, such as the path of something else.
const maxFile = 64 << 20

// reader gathers the directives of files, of those that they include, and of command lines.
type reader struct {
	root       string // where absolute paths begin
	stdin      io.Reader
	seen       map[string]bool // configuration files; dnsmasq reads each once
	directives []Directive
	mistakes   []error
	absent     map[int]string // files that dnsmasq does without, by the directive that names them: why they can't be read
}

// path is where a file of the configuration is on this host.
func (r *reader) path(name string) string {
	if r.root != "" && filepath.IsAbs(name) {
		return filepath.Join(r.root, name)
	}
	return name
}

// read returns a file's text; name is the configuration's. It doesn't wait for whoever writes into a pipe.
func (r *reader) read(name string) (string, error) {
	if name == "-" {
		if r.stdin == nil {
			return "", errors.New("standard input can be read once only")
		}
		text, err := io.ReadAll(io.LimitReader(r.stdin, maxFile))
		r.stdin = nil
		return string(text), err
	}
	if name == os.DevNull {
		return "", nil
	}
	path := r.path(name)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", reason(err)
	case !info.Mode().IsRegular():
		return "", errors.New("not an ordinary file")
	case info.Size() > maxFile:
		return "", fmt.Errorf("%d bytes are too many (at most %d)", info.Size(), maxFile)
	}
	text, err := os.ReadFile(path)
	return string(text), reason(err)
}

// reason is an error without the path, which stands beside it.
func reason(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// file reads a configuration file. kind is the directive whose argument each line is, or "" where lines have names.
func (r *reader) file(name, kind string, from *Directive) {
	if kind == "" && name != "-" {
		if key, err := filepath.EvalSymlinks(r.path(name)); err == nil {
			if r.seen[key] {
				return
			}
			r.seen[key] = true
		}
	}
	text, err := r.read(name)
	if err != nil {
		r.unreadable(name, err, from)
		return
	}
	shown := name
	if name == "-" {
		shown = "standard input"
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		r.line(Directive{File: shown, Line: number}, strings.TrimRight(line, "\n"), kind)
	}
}

func (r *reader) unreadable(name string, err error, from *Directive) {
	if from == nil {
		r.mistakes = append(r.mistakes, Mistake{name, 0, err.Error()})
		return
	}
	r.mistakes = append(r.mistakes, from.mistake("%s: %v", name, err))
}

// line reads one line; of a file whose lines are arguments, kind is the directive.
func (r *reader) line(d Directive, text, kind string) {
	clean, err := cleanLine(text)
	if err != nil {
		r.mistakes = append(r.mistakes, Mistake{d.File, d.Line, err.Error()})
		return
	}
	if clean == "" {
		return
	}
	if kind != "" && kind != "servers-file" {
		d.Name, d.Arg, d.has = kind, clean, true
		r.directives = append(r.directives, d)
		return
	}
	d.Name, d.Arg, d.has = splitLine(clean)
	r.take(d)
}

// take checks a directive against the table, and follows it where it names a file.
func (r *reader) take(d Directive) {
	known, ok := lookUp(d.Name)
	switch {
	case !ok:
		r.mistakes = append(r.mistakes, Mistake{d.File, d.Line, fmt.Sprintf("dnsmasq 2.90 has no option %q%s", plain(d.Name), meant(d.Name))})
		return
	case known.arg == noArg && d.has:
		r.mistakes = append(r.mistakes, d.mistake("it takes no value"))
		return
	case known.arg == needsArg && !d.has:
		r.mistakes = append(r.mistakes, d.mistake("its value is missing"))
		return
	}
	d.Name = known.name
	r.directives = append(r.directives, d)
	if d.has && d.Arg != "" {
		r.follow(d)
	}
}

// follow reads what a directive names.
func (r *reader) follow(d Directive) {
	name := plain(d.Arg)
	switch d.Name {
	case "conf-file":
		r.file(name, "", &d)
	case "conf-dir":
		r.directory(d)
	case "servers-file":
		r.lists(name, "servers-file")
	case "dhcp-hostsfile", "dhcp-hostsdir":
		r.lists(name, "dhcp-host")
	case "dhcp-optsfile", "dhcp-optsdir":
		r.lists(name, "dhcp-option")
	}
}

// lists reads a file of arguments, or all files of a directory, for the last directive. dnsmasq logs it if there is none, and goes on.
func (r *reader) lists(name, kind string) {
	at := len(r.directives) - 1
	names, err := r.names(name, nil)
	for _, one := range names {
		if _, failed := r.read(one); failed != nil {
			err = failed
			continue
		}
		r.file(one, kind, nil)
	}
	if err != nil {
		r.absent[at] = fmt.Sprintf("%s: %v; dnsmasq does without it too", name, err)
	}
}

// directory reads conf-dir=DIRECTORY[,SUFFIX…]: with *SUFFIX only files that end so, with SUFFIX none that do.
func (r *reader) directory(d Directive) {
	parts := fields(d.Arg)
	names, err := r.names(plain(parts[0]), func(name string) bool {
		only, matched := false, false
		for _, part := range parts[1:] {
			suffix := plain(part)
			if rest, ok := strings.CutPrefix(suffix, "*"); ok {
				if rest == "" {
					continue
				}
				only = true
				matched = matched || longer(name, rest)
			} else if suffix != "" && longer(name, suffix) {
				return false
			}
		}
		return matched || !only
	})
	if err != nil {
		r.unreadable(plain(parts[0]), err, &d)
	}
	for _, name := range names {
		r.file(name, "", &d)
	}
}

// longer tells whether a name ends in a suffix and is more than it.
func longer(name, suffix string) bool {
	return len(name) > len(suffix) && strings.HasSuffix(name, suffix)
}

// names are the files of a directory in their order, without what editors leave; of a file, the file.
func (r *reader) names(name string, wanted func(string) bool) ([]string, error) {
	info, err := os.Stat(r.path(name))
	if err != nil {
		return nil, reason(err)
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(r.path(name))
	if err != nil {
		return nil, reason(err)
	}
	var out []string
	for _, e := range entries {
		n := e.Name()
		leftover := strings.HasSuffix(n, "~") || strings.HasPrefix(n, ".") || len(n) > 1 && strings.HasPrefix(n, "#") && strings.HasSuffix(n, "#")
		if full := filepath.Join(name, n); !leftover && (wanted == nil || wanted(n)) {
			if at, err := os.Stat(r.path(full)); err == nil && at.Mode().IsRegular() {
				out = append(out, full)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
