package dnsmasqconf

import (
	"io"
	"net/netip"
	"slices"
)

// Interface is what an import may know of an interface of dnsmasq's host.
type Interface struct {
	Name   string
	Bridge bool         // it is a bridge now
	Prefix netip.Prefix // its first IPv4 address; invalid if it has none, or if nobody knows
}

// Options say what isn't in the files.
type Options struct {
	Network   string      // the name of the network, or the beginning of the names of several; "": "lab"
	Addresses []Interface // as the user has them; a Name may be "" where the address alone tells the network
	// Running returns an interface of this host, and whether there is one; nil: nobody looks.
	Running func(name string) (Interface, bool)
	Root    string    // where the absolute paths of the configuration begin on this host; "": where they say
	Stdin   io.Reader // for the file "-"
	// BlockList is the absolute path at which Result.Blocked will be; "": names to block that stand between other directives are
	// left out.
	BlockList string
	// HostsFile is the absolute path at which Result.Hosts will be; "": names outside the networks' domains are left out.
	HostsFile string
}

// Result is a labnet configuration that serves what dnsmasq's did.
type Result struct {
	HCL      []byte // in the form of `labnet fmt`
	Findings []Finding
	Blocked  []string // the lines of the list at Options.BlockList, none if it isn't needed
	Hosts    []string // likewise of Options.HostsFile
}

// Worst is the lowest level of the findings.
func (r *Result) Worst() Level {
	worst := Exact
	for _, f := range r.Findings {
		if f.Level.rank() > worst.rank() {
			worst = f.Level
		}
	}
	return worst
}

// Import reads configuration files, and then a command line without the program's name. The errors are every Mistake: what dnsmasq 2.90 itself
// wouldn't start with, and what no labnet configuration can have. A result is
// always a configuration without errors.
func Import(files, args []string, o Options) (*Result, []error) {
	r := &reader{root: o.Root, stdin: o.Stdin, seen: map[string]bool{}, absent: map[int]string{}}
	for _, name := range files {
		r.file(name, "", nil)
	}
	r.arguments(args)
	im := &importer{o: o, reader: r, tags: map[string][]alternative{}, lost: map[string]string{}, findings: map[int]*Finding{}, blocked: map[string]bool{}}
	im.settle()
	im.run()
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	result := im.result()
	if wrong := im.check(result.HCL); len(wrong) > 0 {
		return nil, wrong
	}
	return result, nil
}

// importer turns directives into networks and a resolver. What a directive comes to is noted under its index.
type importer struct {
	o      Options
	reader *reader

	at       int // of the directive that is being looked at
	findings map[int]*Finding

	listens  []listen     // interface=, in order
	guests   []netip.Addr // listen-address=
	ranges   []dhcpRange
	noDHCP   map[string]Directive
	domains  []domainLine
	networks []*network

	tags map[string][]alternative // who has a tag
	lost map[string]string        // tags that are set by what labnet can't tell: why

	resolver resolver
	hosts    hostsFiles
	script   *hook
	noPort   bool // port=0
	mx       string
	blocked  map[string]bool // files that are lists to block
}

// directives are all that were read.
func (im *importer) directives() []Directive { return im.reader.directives }

// has returns the first directive of a name.
func (im *importer) has(name string) (Directive, bool) {
	at := slices.IndexFunc(im.directives(), func(d Directive) bool { return d.Name == name })
	if at < 0 {
		return Directive{}, false
	}
	return im.directives()[at], true
}

// last returns the last directive of a name, which is the one that counts where there can be one only.
func (im *importer) last(name string) (Directive, bool) {
	for i := len(im.directives()) - 1; i >= 0; i-- {
		if d := im.directives()[i]; d.Name == name {
			return d, true
		}
	}
	return Directive{}, false
}

func (im *importer) run() {
	im.findLists()
	for _, p := range []phase{always, structure, machines, everything} {
		if p == machines {
			im.makeNetworks()
			if len(im.networks) == 0 {
				return
			}
		}
		for i, d := range im.directives() {
			k, ok := lookUp(d.Name)
			if !ok || k.phase != p || im.blocked[d.File] {
				continue
			}
			im.at = i
			im.findings[i] = &Finding{File: d.File, Line: d.Line, Text: d.Text(), Level: Exact}
			if why := im.reader.absent[i]; why != "" {
				im.note(Approximated, why)
			}
			if k.take != nil {
				k.take(im, d)
			} else {
				im.plainly(k)
			}
		}
	}
	im.finish()
}

// plainly notes what the table says of a directive whatever its value.
func (im *importer) plainly(k known) {
	level := Level(k.levels)
	if level == Exact {
		return
	}
	im.note(level, noteOf(k))
}

// noteOf is the table's note, without the marks of the documents. "likewise" is resolved.
func noteOf(k known) string {
	note := k.note
	if note == "likewise" || len(note) > 8 && note[:9] == "likewise;" {
		all := table()
		at := slices.IndexFunc(all, func(o known) bool { return o.name == k.name })
		for at > 0 && len(all[at].note) >= 8 && all[at].note[:8] == "likewise" {
			at--
		}
		note = all[at].note + note[len("likewise"):]
	}
	return unmarked(note)
}

// note lowers the level of the directive that is being looked at, and says why.
func (im *importer) note(level Level, why string) { im.noteAt(im.at, level, why) }

func (im *importer) noteAt(at int, level Level, why string) {
	f := im.findings[at]
	if level.rank() > f.Level.rank() {
		f.Level = level
	}
	if why != "" && !slices.Contains(f.Notes, why) {
		f.Notes = append(f.Notes, why)
	}
}

// mistake notes a line that dnsmasq would refuse.
func (im *importer) mistake(d Directive, format string, args ...any) {
	im.reader.mistakes = append(im.reader.mistakes, d.mistake(format, args...))
}

func (im *importer) result() *Result {
	own, served := im.ownHosts()
	out := &Result{HCL: im.write(), Blocked: im.resolver.blockLines, Hosts: im.hosts.lines}
	for i := range im.directives() {
		if f, ok := im.findings[i]; ok { // the lines of a list have one finding for all
			out.Findings = append(out.Findings, *f)
		}
	}
	for _, extra := range im.resolver.lists {
		out.Findings = append(out.Findings, extra.finding)
	}
	if served {
		out.Findings = append(out.Findings, own)
	}
	return out
}
